"""What happens when more waits for a client than may wait: the outbox's policies that have settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal

from .errors import UsageError

__all__ = ["Coalesce"]


@dataclass(frozen=True, slots=True)
class Coalesce:
    """An ``outbox_policy`` for values of which only the latest matters: prices, positions, who is typing.

    ``key(event, args)`` gives what an event is the latest value of, or None for one that must not be left out. While
    a client does not take what waits for it, a newer event takes the place of a waiting one of the same namespace, name
    and key. ``args`` are as the client gets them (decoded JSON, ``bytes`` for binary data). Events that want an ack are
    never left out. ``otherwise`` says what happens when the outbox is full all the same.
    """

    key: Callable[[str, list[Any]], Hashable | None]  # Any: what the application sends
    otherwise: Literal["disconnect", "drop_newest"] = "disconnect"

    def __post_init__(self) -> None:
        if not callable(self.key):
            raise UsageError(f"Coalesce takes a function of an event's name and arguments, not {self.key!r}.")
        if self.otherwise not in ("disconnect", "drop_newest"):
            raise UsageError(f'otherwise must be "disconnect" or "drop_newest", not {self.otherwise!r}.')
