"""What applications call about limits: `on_limit` to hear of violations, `rate_limit` to bound how often clients may do
what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

from .errors import EventError, UsageError
from .events import registry
from .handler import NamespaceName, bounds, describe, normalise_namespace, origin_of
from .limit_rules import Cost, RateLimit, Reaction, Scope, Violation

__all__ = ["on_limit", "rate_limit"]

F = TypeVar("F", bound=Callable[[Violation], Any])


def on_limit(function: F) -> F:
    """Have ``function(violation)`` called when a client exceeds a limit; see `Violation` for what it is told.

    It runs in a worker, after what happens to the client has happened, and may block. A flood is summed up: of one
    client and one limit there is one call at once, then one every ten seconds with the ``count``. May be used as a
    decorator. Raises ``EventError`` for what cannot be called with one argument.
    """
    least, most = bounds(function) if callable(function) else (0, 0)
    if not least <= 1 <= most:
        raise EventError(f"An on_limit function takes (violation); {describe(function)} does not.")
    registry.add_limit_hook(function)
    return function


def rate_limit(
    events_per_second: float,
    burst: float | None = None,
    *,
    per: Scope = "socket",
    event: str | None = None,
    cost: Cost | None = None,
    reaction: Reaction = "drop",
    namespace: NamespaceName = "/",
) -> None:
    """Limit how many events clients may send: ``burst`` at once and ``events_per_second`` in the long run.

    ``per``: each socket has that much, or all sockets of an address together (in IPv6, of its network of 64 bits).
    ``event``: only events of this name count (``"__subscribe__"`` for subscriptions; messages to a channel are
    ``"message"``); without it, all that a client sends. ``cost(event, args)`` gives what an event counts for, in place
    of 1; one above ``burst`` is always refused. ``burst`` is a second's worth if it is not given.

    What is too much never reaches a handler. ``reaction``: ``"drop"`` leaves it out without a word, ``"error"`` answers
    a client that asked for an ack with ``{"__error__": "rate_limit", "message": …, "retry_after": seconds}``,
    ``"disconnect"`` closes the client. Of several rules each counts for itself. The same rule again (event, namespace,
    ``per`` and ``cost``) takes the place of the older one. Raises ``UsageError`` for values that make no sense.
    """
    for name, value in (("events_per_second", events_per_second), ("burst", 1 if burst is None else burst)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise UsageError(f"{name} must be a number above 0, not {value!r}.")
    most = max(events_per_second, 1) if burst is None else burst
    if most < 1 and cost is None:
        raise UsageError(f"burst must be at least 1, or no event would ever pass; it is {burst!r}.")
    if per not in get_args(Scope) or reaction not in get_args(Reaction):
        raise UsageError(
            f"per is one of {get_args(Scope)} and reaction of {get_args(Reaction)}, not {per, reaction!r}."
        )
    if event is not None and (not isinstance(event, str) or not event):
        raise UsageError(f"event must be the name of an event, or None for all, not {event!r}.")
    if cost is not None and not callable(cost):
        raise UsageError(f"cost must be a function of an event's name and its arguments, not {cost!r}.")
    where = normalise_namespace(namespace)
    what = "events" if event is None else f"of {event!r}"
    rule = RateLimit(
        events_per_second=events_per_second,
        burst=most,
        per=per,
        event=event,
        namespace=where,
        cost=cost,
        reaction=reaction,
        detail=f"at most {events_per_second:g} {what} per second from one {per}",
    )
    registry.limits.add_rate((where, event, per, None if cost is None else origin_of(cost).key), rule)
