"""Decoders, of which each is made once, by one thread at a time.

Two threads that are the first to decode a Struct at the same moment crash the process: msgspec (0.22) fills in what it
knows of a type while the other already reads it. So no module hands a Struct to `msgspec.json.decode` and its like with
`type=`; what is made while a module is imported is safe.
"""

from threading import Lock
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_making = Lock()
_json: dict[Any, msgspec.json.Decoder[Any]] = {}
_msgpack: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def json_decoder(kind: type[_T]) -> msgspec.json.Decoder[_T]:
    """The decoder of JSON for a type.

    Raises:
        TypeError: msgspec can't decode such a type; a defect.
    """
    found = _json.get(kind)
    if found is None:
        with _making:
            found = _json.setdefault(kind, msgspec.json.Decoder(kind))
    return found


def msgpack_decoder(kind: type[_T]) -> msgspec.msgpack.Decoder[_T]:
    """The decoder of MessagePack for a type.

    Raises:
        TypeError: msgspec can't decode such a type; a defect.
    """
    found = _msgpack.get(kind)
    if found is None:
        with _making:
            found = _msgpack.setdefault(kind, msgspec.msgpack.Decoder(kind))
    return found
