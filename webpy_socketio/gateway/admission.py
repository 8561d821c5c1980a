"""Which requests reach a session: the query of Engine.IO, checked in the order of Node's server, with its error
codes.
"""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple
from urllib.parse import parse_qsl

from ..config import Config
from ..errors import HandshakeRefused, ProtocolError
from ..hub.core import Farewell
from ..hub.engine_client import EngineClient
from ..hub.hub import Hub
from ..types import Environ
from ..wire.handshake import is_upgrade, validate_request
from .jsonp import number_of
from .origins import origin_of

__all__ = [
    "Admission",
    "LimitStruck",
    "SessionEnded",
    "admit",
    "check_origin",
    "parse_query",
    "refusal",
    "session_ended",
]

_TEXTS = (
    "Transport unknown",
    "Session ID unknown",
    "Bad handshake method",
    "Bad request",
    "Forbidden",
    "Unsupported protocol version",
)
_MAX_FIELDS = 100


class Admission(NamedTuple):
    """A request that may go on: what it wants, and of which session (neither client nor farewell: of a new one).

    ``revision`` is that of Engine.IO in which a new session speaks, 3 or 4; ``jsonp`` the number of JSONP's callback.
    """

    transport: str
    websocket_key: str | None
    client: EngineClient | None
    farewell: Farewell | None
    revision: int = 4
    jsonp: str | None = None


class LimitStruck(HandshakeRefused):
    """A request that is beyond a limit, which is in the log already."""


class SessionEnded(HandshakeRefused):
    """A request that has cost its session, whose end is in the log already."""


def session_ended() -> SessionEnded:
    """Make the refusal of a request that has cost its session."""
    error = refusal(3)
    return SessionEnded(error.status, error.code, error.message)


def refusal(code: int, detail: str = "") -> HandshakeRefused:
    """Make the refusal with one of Engine.IO's error codes and its text; ``detail`` says more in the log."""
    status = "403 Forbidden" if code == 4 else "400 Bad Request"
    return HandshakeRefused(status, code, _TEXTS[code], detail)


def admit(environ: Environ, hub: Hub, origin_may: bool) -> Admission:
    """Decide about a request; ``origin_may`` tells whether its origin may connect. Raises ``HandshakeRefused``."""
    query = parse_query(environ)
    transport = query.get("transport", "")
    if transport not in hub.config.transports:
        raise refusal(0, f"transport={transport[:50]!r}")
    check_origin(environ, origin_may)
    upgrade = transport == "websocket" and is_upgrade(environ)
    jsonp = None if transport == "websocket" else number_of(query)
    if jsonp is not None and not hub.config.jsonp:
        raise HandshakeRefused("400 Bad Request", 3, "JSONP is off here (the server's setting jsonp)")
    sid = query.get("sid")
    client, farewell = (None, None) if sid is None else _find(hub, sid, transport, upgrade)
    revision = 4
    if sid is None:
        _check_handshake(environ, transport, upgrade)
        revision = _revision(query.get("EIO"), hub.config)
    return Admission(transport, _validate_upgrade(environ) if upgrade else None, client, farewell, revision, jsonp)


def check_origin(environ: Environ, origin_may: bool) -> None:
    """Raise ``HandshakeRefused`` for an origin that may not connect."""
    if not origin_may:
        origin = origin_of(environ) or ""
        raise refusal(4, f"the origin {origin[:200]!r} may not connect (cors_allowed_origins)")


def parse_query(environ: Environ) -> dict[str, str]:
    """Give the query's fields; of a repeated one the last. Raises ``HandshakeRefused`` for too many."""
    query = str(environ.get("QUERY_STRING", ""))
    if "%" not in query and "+" not in query and query.count("&") < _MAX_FIELDS:
        # Nothing is escaped, as in nearly all that clients ask for: a tenth of the time.
        pairs = [field.partition("=") for field in query.split("&") if field]
        return {name: value for name, _, value in pairs}
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise refusal(3, f"more than {_MAX_FIELDS} fields in the query") from None


def _find(hub: Hub, sid: str, transport: str, upgrade: bool) -> tuple[EngineClient | None, Farewell | None]:
    client = _punctual(hub, sid)
    farewell = hub.farewells.get(sid) if client is None else None
    if client is None and farewell is None:
        raise refusal(1)
    if transport == "websocket" and not upgrade:
        raise _not_an_upgrade()
    if client is not None and client.carrier.name != transport and not upgrade:
        raise refusal(3, f"the session is carried by {client.carrier.name}")
    return client, farewell


def _not_an_upgrade() -> HandshakeRefused:
    return refusal(3, "transport=websocket without the header 'Upgrade: websocket'")


def _punctual(hub: Hub, sid: str) -> EngineClient | None:
    """Find a session; one whose time is over ends now, not when the timer gets to it some milliseconds later."""
    client = hub.engine_client(sid)
    if client is not None and monotonic() >= client.session.deadline:
        client.receive_deadline(monotonic())
        client = hub.engine_client(sid)
    return client


def _check_handshake(environ: Environ, transport: str, upgrade: bool) -> None:
    method = str(environ.get("REQUEST_METHOD"))
    if method != "GET":
        raise refusal(2, f"{method[:20]} without a session")
    if transport == "websocket" and not upgrade:
        raise _not_an_upgrade()


def _revision(wanted: str | None, config: Config) -> int:
    """Give the revision of Engine.IO that a handshake asks for (``EIO=``), if it is served."""
    if wanted is None and config.missing_eio == "3":
        wanted = "3"
    if wanted == "4" or (wanted == "3" and config.allow_eio3):
        return int(wanted)
    hint = " (allow_eio3 is off)" if wanted == "3" else " (missing_eio)" if wanted is None else ""
    raise refusal(5, f"EIO={(wanted or '')[:20]!r}{hint}")


def _validate_upgrade(environ: Environ) -> str:
    # What follows the head of an upgrade are frames: a body would be taken for some.
    if environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        raise refusal(3, "the request for a WebSocket has a body")
    try:
        return validate_request(environ)
    except ProtocolError as error:
        raise refusal(3, error.reason) from error
