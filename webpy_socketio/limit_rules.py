"""What an application says about limits: who hears of violations, and how often clients may do what.

Values only. `limits` has the functions that applications call; the hub applies what is noted here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Cost", "LimitRules", "RateLimit", "Reaction", "Scope", "Violation"]

Scope = Literal["socket", "address"]
Reaction = Literal["drop", "error", "disconnect"]
#: Gives what an event costs, by its name and its arguments.
Cost = Callable[[str, list[Any]], float]  # Any: what the client sent


class Violation:
    """A limit that struck.

    ``limit`` is the name of the setting (``max_payload``, ``outbox_limit``, …) or ``rate_limit``, ``size`` what came
    and ``most`` what is allowed, in the setting's unit. ``session_id`` is the public one if there is a socket; of a
    session without one its first six characters, or ``-``. ``socket`` may be None, ``request`` is the handshake's
    environ as far as it is known. ``count`` tells how many alike are reported together: then ``size`` is the largest.
    """

    __slots__ = ("count", "detail", "limit", "most", "request", "session_id", "size", "socket")

    def __init__(
        self,
        limit: str,
        size: float,
        most: float,
        *,
        session_id: str = "-",
        request: Mapping[str, Any] | None = None,
        socket: Any = None,
        detail: str = "",
        count: int = 1,
    ) -> None:  # Any: the hub's socket, of which this layer knows nothing; a request's values
        self.limit = limit
        self.size = size
        self.most = most
        self.session_id = session_id
        self.request: Mapping[str, Any] = {} if request is None else request
        self.socket = socket
        self.detail = detail
        self.count = count

    def __repr__(self) -> str:
        return f"<Violation: {self}>"

    def __str__(self) -> str:
        times = f" {self.count} times" if self.count > 1 else ""
        address = self.request.get("REMOTE_ADDR") or "-"
        detail = f" ({self.detail})" if self.detail else ""
        who = f"session {self.session_id} from {address}"
        return f"{self.limit} exceeded{times} by {who}: {self.size:.12g}, at most {self.most:.12g}{detail}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RateLimit:
    """One rule: how many events a second, and what happens to those above it. ``detail`` says it in words."""

    events_per_second: float
    burst: float
    per: Scope
    event: str | None
    namespace: str | re.Pattern[str]
    cost: Cost | None
    reaction: Reaction
    detail: str

    @property
    def is_blind(self) -> bool:
        """Tell whether an event is just an event: nobody has to look into it."""
        return self.event is None and self.cost is None

    def serves(self, namespace: str) -> bool:
        """Tell whether the rule is for a namespace."""
        if isinstance(self.namespace, str):
            return self.namespace == namespace
        return self.namespace.match(namespace) is not None


class LimitRules:
    """The rules of a process. A rule or hook that is registered again takes the place of its older self."""

    def __init__(self) -> None:
        self._hooks: dict[object, Callable[[Violation], object]] = {}
        self._rates: dict[object, RateLimit] = {}
        #: Called with each `Violation`.
        self.hooks: tuple[Callable[[Violation], object], ...] = ()
        #: The rules about rates, in order; most applications have none. They are looked at before an event's arguments
        #: are decoded if none of them needs those, or else, all of them, after that.
        self.before: tuple[RateLimit, ...] = ()
        self.after: tuple[RateLimit, ...] = ()

    def add_hook(self, key: object, hook: Callable[[Violation], object]) -> None:
        """Have a function called with each violation."""
        self._hooks[key] = hook
        self.hooks = tuple(self._hooks.values())

    def add_rate(self, key: object, rule: RateLimit) -> None:
        """Limit how often something may happen."""
        self._rates[key] = rule
        rules = self.rates
        is_blind = all(rule.is_blind for rule in rules)
        self.before, self.after = (rules, ()) if is_blind else ((), rules)

    @property
    def rates(self) -> tuple[RateLimit, ...]:
        """Give all rules about rates."""
        return tuple(self._rates.values())

    def clear(self) -> None:
        """Forget all rules."""
        self._hooks.clear()
        self._rates.clear()
        self.hooks = self.before = self.after = ()
