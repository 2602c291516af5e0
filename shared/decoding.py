"""Decoders, of which each is made once, by one thread at a time, and what they raise.

Two threads that are the first to decode a Struct at the same moment crash the process: msgspec (0.22) fills in what it
knows of a type while the other already reads it. So no module hands a Struct to `msgspec.json.decode` and its like with
`type=`; what is made while a module is imported is safe.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any, Final, TypeVar

import msgspec

_T = TypeVar("_T")
_Decoder = TypeVar("_Decoder")
UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes that it can't decode; text that is no UTF-8 raises Python's error, as nesting without
end does."""
_making = Lock()
_json: dict[Any, msgspec.json.Decoder[Any]] = {}
_msgpack: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def json_decoder(kind: type[_T]) -> msgspec.json.Decoder[_T]:
    """The decoder of JSON for a type.

    Raises:
        TypeError: msgspec can't decode such a type; a defect.
    """
    return _made_once(_json, kind, lambda: msgspec.json.Decoder(kind))


def msgpack_decoder(kind: type[_T]) -> msgspec.msgpack.Decoder[_T]:
    """The decoder of MessagePack for a type.

    Raises:
        TypeError: msgspec can't decode such a type; a defect.
    """
    return _made_once(_msgpack, kind, lambda: msgspec.msgpack.Decoder(kind))


def _made_once(made: dict[Any, _Decoder], kind: Any, make: Callable[[], _Decoder]) -> _Decoder:
    if kind not in made:
        with _making:
            made.setdefault(kind, make())
    return made[kind]
