"""Values show themselves without what must not be seen."""

import inspect
from collections.abc import Callable

import pytest
from msgspec import Struct

import shared.composition  # noqa: F401 - brings every struct of the package
from shared.reprs import repr_without


class _Letter(Struct, frozen=True, kw_only=True):
    to: str
    body: bytes = b"long"
    key: str | None = None

    __repr__ = repr_without("body", "key")


@pytest.mark.parametrize("show", [repr, str, "{}".format], ids=["repr", "str", "format"])
def test_a_struct_leaves_out_what_it_names(show: Callable[[object], str]) -> None:
    """The fields named are left out, value and name; the others are there as a struct's own repr has them."""
    assert show(_Letter(to="ops", key="canary")) == "_Letter(to='ops')"


def test_what_is_left_out_exists() -> None:
    """Each name that a struct of the package leaves out is one of its fields, so renaming a field can't show it."""
    hidden = {
        each: set(inspect.getclosurevars(each.__repr__).nonlocals["hidden"])
        for each in Struct.__subclasses__()
        if getattr(each.__repr__, "__module__", None) == repr_without.__module__
    }
    assert len(hidden) >= 15
    assert {
        f"{each.__name__}.{name}" for each, names in hidden.items() for name in names - set(each.__struct_fields__)
    } == set()
