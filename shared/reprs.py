"""How a value shows itself in a log or a traceback when some of it must not be seen there.

Owns leaving fields out of a struct's repr, which msgspec has no option for. Does not own finding secrets in foreign
text (`redaction`).
"""

from collections.abc import Callable

from msgspec import Struct


def repr_without(*hidden: str) -> Callable[[Struct], str]:
    """A `__repr__` for a struct that leaves the fields named out: secrets, and bodies too large for a log line."""

    def show(self: Struct) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in hidden)
        return f"{type(self).__name__}({', '.join(shown)})"

    return show
