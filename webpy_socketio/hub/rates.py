"""The application's limits on how often clients may send: checked in the worker, before any handler hears of an event.

Each rule counts each event for itself, so that a mild rule and a strict one can stand side by side: of those that an
event breaks, the one with the hardest reaction is followed. What a rule refuses costs its bucket nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, inf
from time import monotonic
from typing import Any

from ..limit_rules import RateLimit
from ..state.token_bucket import BucketTable, TokenBucket
from ..transport.outbox import OutgoingPacket
from ..wire.socket_packets import Packet, encode_ack
from .addresses import group_of
from .handlers import report
from .socket_core import SocketCore

__all__ = ["MAX_BUCKETS", "refuse"]

#: Buckets of one client: more namespaces than anybody joins.
MAX_BUCKETS = 1_000
#: What clients ask of us by an event of another name, and what applications call it.
_MESSAGE = "__message__"
#: Their answer is true or false, for a refusal too.
_YES_OR_NO = ("__subscribe__", "__unsubscribe__")
_HARDNESS = ("drop", "error", "disconnect")


def refuse(socket: SocketCore, packet: Packet, rules: Iterable[RateLimit], arguments: list[Any] | None) -> bool:
    """Tell whether a rule refuses an event, and do what it says. ``arguments`` are None if no rule needs them."""
    client = socket.client
    if client.is_ejected:
        return True
    broken: tuple[RateLimit, TokenBucket, float, float] | None = None
    now = monotonic()
    for rule in rules:
        if rule.serves(socket.namespace):
            cost = 1.0 if arguments is None else _cost(socket, rule, arguments)
            if cost is None:
                continue
            bucket = _bucket(socket, rule, now)
            wait = bucket.take(cost, now)
            if wait and (broken is None or _HARDNESS.index(rule.reaction) > _HARDNESS.index(broken[0].reaction)):
                broken = rule, bucket, bucket.wanted(cost), wait
    if broken is None:
        return False
    rule, bucket, wanted, wait = broken
    client.strike("rate_limit", wanted, bucket.burst, rule.detail)
    _react(socket, packet, rule, arguments, wait)
    return True


def _cost(socket: SocketCore, rule: RateLimit, arguments: Sequence[Any]) -> float | None:
    """Give what an event costs by a rule; None if it is not concerned."""
    name, *values = arguments
    if name == _MESSAGE:
        name, values = "message", values[1:]  # behind the channel
    if rule.event is not None and rule.event != name:
        return None
    if rule.cost is None:
        return 1.0
    try:
        cost = float(rule.cost(name, values))
        if not cost >= 0:
            raise ValueError(f"The cost of an event must be a number from 0 on, not {cost!r}.")
    except Exception as error:  # the application's function, with values that a stranger made up
        report(socket, error)
        return 1.0
    return cost


def _bucket(socket: SocketCore, rule: RateLimit, now: float) -> TokenBucket:
    address = socket.request.get("REMOTE_ADDR", "") if rule.per == "address" else ""
    if address:
        return socket.hub.rates.bucket((rule, group_of(address)), rule.events_per_second, rule.burst, now)
    # Clients without an address (a Unix socket whose proxy is not trusted) must not pay for each other.
    table = socket.client.rates
    if table is None:
        table = socket.client.rates = BucketTable(MAX_BUCKETS)
    return table.bucket((rule, socket.namespace), rule.events_per_second, rule.burst, now)


def _react(socket: SocketCore, packet: Packet, rule: RateLimit, arguments: Sequence[Any] | None, wait: float) -> None:
    if rule.reaction == "disconnect":
        socket.client.eject(rule.detail)
    elif rule.reaction == "error" and packet.id is not None:
        answer: object = False
        name = packet.data[2:].partition('"')[0] if arguments is None else arguments[0]
        if name not in _YES_OR_NO:
            seconds = None if wait == inf else ceil(wait * 1000) / 1000
            answer = {"__error__": "rate_limit", "message": f"Too fast: {rule.detail}.", "retry_after": seconds}
        text, attachments = encode_ack(socket.namespace, packet.id, [answer])
        socket.queue(OutgoingPacket(b"4" + text, attachments))
