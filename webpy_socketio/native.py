"""What mypyc is told of classes; nothing where nothing is compiled, for ``mypy_extensions`` is not needed then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

__all__ = ["mypyc_attr"]

T = TypeVar("T")

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**attributes: bool) -> Callable[[T], T]:
        """Leave a class as it is."""
        return lambda decorated: decorated
