"""One Engine.IO session as the hub holds it: its machine, its carriers, its outbox, its deadlines.

It knows packets of the engine. What the application's messages mean is a subclass's business: `hub.client` for
Socket.IO.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final

from gevent.event import Event

from ..limit_rules import Violation
from ..native import mypyc_attr
from ..state.engine_session import (
    CloseLane,
    CloseSession,
    EngineSession,
    Lane,
    Outcome,
    Probed,
    SendPing,
    State,
    Upgraded,
)
from ..transport.outbox import OutgoingPacket
from ..transport.outboxes import make_outbox
from ..transport.polling import PollingCarrier
from ..transport.websocket import WebSocketCarrier
from ..types import Excess
from ..wire import frames
from ..wire.engine_packets import decode_payload, encode_open
from .core import HubCore
from .request import Request

__all__ = ["EngineClient"]

logger = logging.getLogger("webpy_socketio.session")

#: Looked up once: a member of an Enum costs as much as a call before Python 3.12.
_CURRENT: Final = Lane.CURRENT
_CANDIDATE: Final = Lane.CANDIDATE
_PING: Final = OutgoingPacket(b"2")
_PONG_PROBE: Final = frames.encode_frame(frames.TEXT, b"3probe")


@mypyc_attr(allow_interpreted_subclasses=True)
class EngineClient:
    """One peer. The loop's callbacks and the requests of long-polling call it; it never blocks."""

    __slots__ = (
        "_resumed",
        "candidate",
        "candidate_deadline",
        "carrier",
        "hub",
        "is_over_limit",
        "is_paused",
        "outbox",
        "request",
        "session",
        "timer_slot",
    )

    def __init__(self, hub: HubCore, session: EngineSession, request: Request) -> None:
        self.hub = hub
        self.session = session
        self.request = request
        self.outbox = make_outbox(hub.config, hub.budget, self, hub.receive_failure)
        self.carrier: PollingCarrier | WebSocketCarrier = PollingCarrier(self.outbox, hub.config.max_payload)
        self.candidate: WebSocketCarrier | None = None
        self.candidate_deadline = 0.0
        self.is_paused = False
        #: Whether it was closed for what came by a POST, as that exceeded a limit.
        self.is_over_limit = False
        self._resumed: Event | None = None
        self.timer_slot = -1

    @property
    def is_closed(self) -> bool:
        """Tell whether the session is over."""
        return self.session.state is State.CLOSED

    # -- opening ----------------------------------------------------------------------------------------------------

    def open(self, *, offer_upgrade: bool) -> None:
        """Send the OPEN packet, with the upgrade on offer if there is one, and begin the heartbeats."""
        config = self.hub.config
        upgrades = ("websocket",) if offer_upgrade and "websocket" in config.transports else ()
        handshake = encode_open(
            self.session.sid, upgrades, config.ping_interval, config.ping_timeout, config.max_payload
        )
        self.send(OutgoingPacket(handshake))
        self.hub.wheel.schedule(self, self.next_deadline())

    def start_websocket(self, carrier: WebSocketCarrier, early_data: bytes) -> None:
        """Begin on a WebSocket (the session was made without any other carrier)."""
        carrier.outbox = self.outbox
        self.carrier = carrier
        self.open(offer_upgrade=False)
        carrier.start(self, early_data)

    def start_candidate(self, carrier: WebSocketCarrier, early_data: bytes) -> None:
        """Take a second connection, which may become the session's carrier."""
        self.candidate = carrier
        self.candidate_deadline = monotonic() + self.hub.config.upgrade_timeout
        self.hub.wheel.schedule(self, self.next_deadline())
        carrier.start(self, early_data)

    # -- in ---------------------------------------------------------------------------------------------------------

    def receive_message(self, carrier: PollingCarrier | WebSocketCarrier, message: str | bytes) -> None:
        """Take one packet of the engine from one of the carriers."""
        # A POST may still be under way on polling when the session has moved on to the WebSocket.
        if carrier is self.carrier or isinstance(carrier, PollingCarrier):
            lane = _CURRENT
        elif carrier is self.candidate:
            lane = _CANDIDATE
        else:
            return  # what else one read brought from a candidate that was dropped in the midst of it
        outcome = self.session.receive_packet(lane, message, monotonic())
        kind = type(outcome)
        if kind is str or kind is bytes:
            self.receive_data(outcome)  # type: ignore[arg-type]  # its exact type was just looked at
        elif outcome is not None:
            self._follow(outcome)

    def decode_payload(self, body: bytes) -> list[str | bytes]:
        """Split the body of a POST to its packets. Raises ``ProtocolError``."""
        return decode_payload(body)

    def receive_data(self, data: str | bytes) -> None:
        """Take one message of the application. For subclasses."""
        raise NotImplementedError

    def _follow(self, outcome: Outcome) -> None:
        kind = type(outcome)
        if kind is CloseSession:
            self.hub.close(self, outcome.reason, outcome.detail)  # type: ignore[union-attr]  # its type was just looked at
        elif kind is CloseLane:
            self.drop_candidate(outcome.reason)  # type: ignore[union-attr]  # likewise
        elif kind is SendPing:
            self.send(_PING)
        elif kind is Probed:
            self._answer_probe()
        elif kind is Upgraded:
            self._upgrade()

    # -- upgrading --------------------------------------------------------------------------------------------------

    def _answer_probe(self) -> None:
        assert self.candidate is not None and isinstance(self.carrier, PollingCarrier)
        self.candidate.send_now(_PONG_PROBE)
        self.candidate.flush()  # before a poll that is answered in the same turn
        self.carrier.release()

    def _upgrade(self) -> None:
        old, new = self.carrier, self.candidate
        assert new is not None and isinstance(old, PollingCarrier)
        self.candidate = None
        self.carrier = new
        old.retire(self._attach_outbox)
        self.hub.journal(logger, logging.DEBUG, "%.6s… upgraded to websocket", self.session.sid)

    def _attach_outbox(self) -> None:
        """Let the WebSocket have the outbox: nothing is on its way out by polling any more."""
        if isinstance(self.carrier, WebSocketCarrier) and not self.is_closed:
            self.carrier.outbox = self.outbox
            self.carrier.wake()

    def drop_candidate(self, reason: str, code: int = 1002) -> None:
        """Close the candidate; the session lives on as it was."""
        candidate, self.candidate = self.candidate, None
        if candidate is None:
            return
        self.session.lose_candidate()
        if isinstance(self.carrier, PollingCarrier):
            self.carrier.hold()
        candidate.close(code, reason)
        self.hub.journal(logger, logging.INFO, "%.6s… did not upgrade: %s", self.session.sid, reason)

    # -- out --------------------------------------------------------------------------------------------------------

    def send(self, packet: OutgoingPacket) -> bool:
        """Queue a packet; False if the outbox is full (which, by the policy, may close the client)."""
        if self.outbox.push(packet):
            self.carrier.wake()
            return True
        excess = self.outbox.excess_of(packet)
        if packet.droppable and not self.hub.config.outbox_disconnects:
            self.outbox.drop(excess)
        elif not self.is_closed:
            self.strike(*excess, "bytes that wait; slow consumer")
            detail = f"{excess.size} bytes wait, {excess.limit} is {excess.most}"
            self.outbox.clear()  # joined for a last write, what all receivers share would be a copy for each of them
            self.hub.close(self, "transport error", detail, close_code=1008, close_reason="slow consumer")
        return False

    def receive_drop(self, excess: Excess) -> None:
        """Take note that the outbox begins to drop packets."""
        self.strike(*excess, "bytes that wait; messages are dropped")

    def receive_relief(self, dropped: int) -> None:
        """Take note that the client reads again after packets were dropped."""
        self.hub.journal(logger, logging.INFO, "%.6s… reads again; %d messages were dropped", self.session.sid, dropped)

    @property
    def is_writable(self) -> bool:
        """Tell whether a packet would leave at once (what volatile packets depend on)."""
        if self.outbox.packets or self.outbox.stuck:
            return False
        return not isinstance(self.carrier, PollingCarrier) or self.carrier.is_waiting

    def receive_room(self, carrier: WebSocketCarrier) -> None:
        """Nothing to do: whoever is stuck has its packets in the outbox."""

    def strike(self, limit: str, size: float, most: float, detail: str = "") -> None:
        """Make visible that this client exceeded a limit: ``size`` came, ``most`` is allowed. In the hub's thread."""
        label = f"{self.session.sid[:6]}…"
        self.hub.strike(Violation(limit, size, most, session_id=label, request=self.request, detail=detail))

    # -- slowing the peer down --------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop to read from the client."""
        self.is_paused = True
        self.carrier.pause()

    def resume(self) -> None:
        """Go on to read from the client."""
        self.is_paused = False
        self.carrier.resume()
        if self._resumed is not None:
            self._resumed.set()

    def wait_until_resumed(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds while reading is stopped (for the next POST); False if it still is."""
        if not self.is_paused:
            return True
        if self._resumed is None or self._resumed.is_set():
            self._resumed = Event()
        self._resumed.wait(timeout)
        return not self.is_paused

    # -- deadlines --------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """Give the time of the earliest thing that is due."""
        if self.candidate is None:
            return self.session.deadline
        return min(self.session.deadline, self.candidate_deadline)

    def receive_deadline(self, now: float) -> float | None:
        """Do what is due: a ping, the end of a silent peer, the end of an upgrade that never completes."""
        if self.is_closed:
            return None
        if self.candidate is not None and now >= self.candidate_deadline:
            timeout = self.hub.config.upgrade_timeout
            self.strike("upgrade_timeout", timeout, timeout, "from polling to WebSocket")
            self.drop_candidate("the upgrade took too long", 1008)
        if self.is_paused and now >= self.session.deadline:
            if self.carrier.is_gone():
                self.hub.close(self, "transport close")
                return None
            # An answer would not be seen; but the client ends the session itself if it hears no pings.
            self._follow(self.session.suspend_deadline(now))
        outcome = self.session.receive_deadline(now)
        if outcome is not None:
            self._follow(outcome)
        return None if self.is_closed else self.next_deadline()

    # -- closing ----------------------------------------------------------------------------------------------------

    def receive_close(self, carrier: WebSocketCarrier, code: int, reason: str, violation: bool) -> None:
        """Take note that a WebSocket is over."""
        if carrier is self.candidate:
            self.drop_candidate(reason or f"closed with {code}")
        elif not self.is_closed:
            name = "transport error" if violation else "transport close"
            self.hub.close(self, name, reason if violation else "", close_code=code)

    def receive_excess(self, carrier: WebSocketCarrier, excess: Excess) -> None:
        """Take note that what came on a WebSocket is above a limit."""
        self.strike(*excess)

    def receive_failure(self) -> None:
        """Close the client in whose callback something of ours raised; called in the ``except`` clause."""
        self.hub.receive_failure()
        if not self.is_closed:
            self.hub.close(self, "transport error", "internal error")

    def carriers(self) -> list[PollingCarrier | WebSocketCarrier]:
        """Give the carrier of the session and that which may become it."""
        return [self.carrier] if self.candidate is None else [self.carrier, self.candidate]

    def close_carriers(self, *, by_us: bool, code: int, reason: str) -> None:
        """Close the connections. ``by_us``: the peer is yet to hear it. Called by the hub only."""
        if self.candidate is not None:
            self.candidate.close(1000, "the session is closed")
            self.candidate = None
        carrier = self.carrier
        if not by_us:
            carrier.abort() if isinstance(carrier, PollingCarrier) else carrier.close(code)
        elif isinstance(carrier, PollingCarrier):
            carrier.close()
        else:
            carrier.close(code, reason)
        if self._resumed is not None:
            self._resumed.set()

    def end(self, reason: str) -> None:
        """Tell the application that the client is gone. For subclasses."""
