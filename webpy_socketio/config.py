"""All settings of the endpoint in one frozen, validated value.

It knows names, units, defaults and bounds; where a setting comes from (argument, environment, `web.config`, the main
module) is the gateway's business. Durations are seconds, sizes are bytes, unless a comment says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from ipaddress import ip_network
from typing import Any, Literal

from .errors import UsageError
from .policies import Coalesce

__all__ = ["Config", "OriginRule", "OutboxPolicy", "current", "install"]

#: None: same origin only. "*": everybody, but pages of other origins without credentials: their cookies and their
#: Authorization are not seen. A collection of origins. A predicate of origin and environ.
OriginRule = None | str | Iterable[str] | Callable[[str, dict[str, object]], bool]
OutboxPolicy = Literal["disconnect", "drop_oldest", "drop_newest"] | Coalesce

DEFAULT_MESSAGE_LOG_FORMAT = '%(REMOTE_ADDR)s - - [%(TIME)s] "Socket.IO %(TYPE)s: %(MESSAGE)s"'
#: Bytes. Below that, what is saved is not worth the time (Node's `ws` and its Engine.IO have the same).
DEFAULT_COMPRESSION_THRESHOLD = 1_024
TRANSPORTS = ("polling", "websocket")
_POLICIES = ("disconnect", "drop_oldest", "drop_newest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one endpoint.

    Raises ``UsageError`` for a value out of its bounds, saying what was expected and what came.
    """

    #: First segment of the endpoint's path: ``/socket.io/``.
    resource: str = "socket.io"
    #: Carriers that are offered, in order.
    transports: tuple[str, ...] = TRANSPORTS
    #: Another file for the official client's bundle than the packaged one.
    client_file: str | None = None
    #: Whether clients of the first two generations may connect (``EIO=3``: socket.io-client 1.x and 2.x, and the
    #: libraries for small machines and phones that speak like them).
    allow_eio3: bool = True
    #: What a handshake without ``EIO=`` means: "refuse" answers 400, as the protocol's own test suite wants; "3" takes
    #: it for Engine.IO 3, as Node's server does (some Swift and JavaScript clients of old send none).
    missing_eio: Literal["refuse", "3"] = "refuse"
    #: Whether messages on WebSockets may be compressed (permessage-deflate): True from 1,024 bytes on, a number from so
    #: many bytes on, False not at all. It costs time in the loop: about 6 ms for a megabyte.
    compression: bool | int = False
    #: Whether answers of long-polling may be compressed (gzip, deflate): values as in ``compression``. It costs time in
    #: the loop, too: about 4 ms for a megabyte. Over TLS, the length of a compressed answer tells a listener something
    #: about what is in it (BREACH): turn it off where secrets go to clients together with what strangers wrote.
    http_compression: bool | int = True
    #: Whether clients of old may poll by JSONP: scripts in place of XMLHttpRequest, for browsers without CORS. Off, as
    #: no browser of today needs it, and as the same-origin policy does not hold for scripts: that a page may read the
    #: answers is then left to the Referer (or Sec-Fetch-Site), of which we have to believe what the browser says.
    jsonp: bool = False
    #: Whether polls and POSTs of a session that has begun are answered without web.py's dispatch, as messages on
    #: WebSockets are: the application's processors, its hooks and its session see the handshake only.
    direct_polling: bool = True
    #: Who may connect from a browser: None, "*", origins such as "https://chat.example", or a function of origin and
    #: environ (see `OriginRule`). Of a page that hides its origin it is "null".
    cors_allowed_origins: OriginRule = None
    #: Proxies that are believed what they say of a client: addresses and networks, and "unix" for whoever connects
    #: through a Unix socket. They must overwrite or extend the headers: what a client wrote and a proxy only passes on
    #: is believed as well.
    trusted_proxies: tuple[str, ...] = ()
    #: The headers in which they say it: X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239). Only one kind is
    #: ever read: a proxy that writes one of them passes on the other as the client sent it.
    forwarded_header: Literal["x-forwarded", "forwarded"] = "x-forwarded"
    #: Asked before each session with the request of its handshake (a `Request`): True and None let in; False, and
    #: ``Refused(text, status=401)`` when raised, do not, and neither does a failure. It may wait.
    admit: Callable[[Any], object] | None = None
    #: A cookie with the session's id, for balancers that keep a client at one server by it: True or its name, or its
    #: attributes (``name path domain max_age http_only same_site secure``).
    cookie: bool | str | Mapping[str, object] | None = None

    #: Seconds between the server's pings, and seconds a client may take to answer one (Engine.IO handshake).
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    #: Seconds until a client must have joined a namespace (Socket.IO's own default).
    connect_timeout: float = 45.0
    #: Seconds between a probe and its UPGRADE packet (Engine.IO's own default).
    upgrade_timeout: float = 10.0
    #: Seconds for a request's head, for the body of a POST, and between requests of a connection.
    head_timeout: float = 10.0
    body_timeout: float = 30.0
    keepalive_timeout: float = 75.0
    #: Seconds a closing WebSocket may take to answer our close frame.
    close_timeout: float = 5.0

    #: Seconds for which a server that has just written something looks for the next message before it sleeps, where
    #: messages tend to come that fast; 0: it sleeps at once. A single client on the same machine has its answers up to
    #: twice as fast, and the server seems to need the whole core meanwhile. Never done with less than two cores.
    busy_poll: float = 0.0001

    #: Bytes of one message, or of one POST with all its packets.
    max_payload: int = 1_000_000
    #: Packets of one POST. By default as many of the smallest events as ``max_payload`` has room for, so that clients
    #: never meet it: only packets that carry nothing are smaller.
    max_packets_per_payload: int = 125_000
    #: Sessions of one address (in IPv6, of one network of 64 bits); None does not count them. Behind a proxy it needs
    #: ``trusted_proxies``, or all clients are at one address.
    max_connections_per_address: int | None = None
    #: Bytes of a request's line and headers together.
    max_head: int = 65_536
    #: Binary attachments of one packet (CVE-2026-33151 was a server without such a limit).
    max_attachments: int = 10
    #: Namespaces that one client may join.
    max_namespaces: int = 100
    #: Characters of a namespace's name: where a namespace is a regular expression, clients make up its names.
    max_namespace_name: int = 255
    #: Channels of one client in all its namespaces together, and characters of a channel's name, when a client
    #: subscribes; an application's own ``subscribe`` is not bounded.
    max_channels: int = 1_000
    max_channel_name: int = 255
    #: Events of one client that wait for its handlers: reading stops above the high mark and goes on below the low one.
    mailbox_high: int = 256
    mailbox_low: int = 64
    #: Events of one client that may wait while a handler of it is in ``call`` (reading cannot stop then).
    mailbox_hard: int = 4_096
    #: Acks that one socket may owe us.
    max_pending_acks: int = 10_000
    #: Bytes that wait to be written to one client, and what happens when they are reached: the client is closed, the
    #: oldest or the newest events are left out, or of events that are alike (see `Coalesce`) all but the latest.
    outbox_limit: int = 16_000_000
    outbox_policy: OutboxPolicy = "disconnect"
    #: Bytes that wait for all slow clients of the process together.
    outbox_ceiling: int = 256_000_000
    #: Greenlets that run handlers at the same time.
    max_workers: int = 10_000
    #: Seconds that handlers get to finish when the server stops.
    stop_timeout: float = 10.0
    #: One line per message in the logger ``webpy_socketio.messages``; None disables it.
    message_log_format: str | None = DEFAULT_MESSAGE_LOG_FORMAT

    def __post_init__(self) -> None:
        self._check_choices()
        object.__setattr__(self, "resource", self.resource.strip("/"))
        object.__setattr__(self, "transports", tuple(self.transports))
        object.__setattr__(self, "trusted_proxies", _checked_proxies(self.trusted_proxies))
        object.__setattr__(self, "cookie", _checked_cookie(self.cookie))
        object.__setattr__(self, "cors_allowed_origins", _checked_origins(self.cors_allowed_origins))
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            kind, wanted = ((int, float), "a number") if name.endswith(_SECONDS) else ((int,), "a whole number")
            if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < float("inf"):
                raise UsageError(f"{name} must be {wanted} above 0, not {value!r}.")
        if type(self.busy_poll) not in (int, float) or not 0 <= self.busy_poll <= 0.01:
            raise UsageError(f"busy_poll must be seconds from 0 to 0.01, not {self.busy_poll!r}.")
        if not self.mailbox_low < self.mailbox_high < self.mailbox_hard:
            raise UsageError(
                "mailbox_low < mailbox_high < mailbox_hard must hold, not "
                f"{self.mailbox_low}, {self.mailbox_high}, {self.mailbox_hard}."
            )

    def _check_choices(self) -> None:
        for name in ("compression", "http_compression"):
            value = getattr(self, name)
            if not isinstance(value, int) or (not isinstance(value, bool) and value < 1):
                raise UsageError(f"{name} must be True, False or a number of bytes above 0, not {value!r}.")
        for name in ("allow_eio3", "direct_polling", "jsonp"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} must be True or False, not {getattr(self, name)!r}.")
        if self.admit is not None and not callable(self.admit):
            raise UsageError(f"admit must be a function that takes the handshake's request, not {self.admit!r}.")
        if self.forwarded_header not in ("x-forwarded", "forwarded"):
            raise UsageError(f'forwarded_header must be "x-forwarded" or "forwarded", not {self.forwarded_header!r}.')
        if self.missing_eio not in ("refuse", "3"):
            raise UsageError(f'missing_eio must be "refuse" or "3", not {self.missing_eio!r}.')
        if not isinstance(self.resource, str) or not self.resource.strip("/"):
            raise UsageError(f'resource must be the first part of a path, such as "socket.io", not {self.resource!r}.')
        names = self.transports
        if not names or not isinstance(names, (tuple, list)) or any(name not in TRANSPORTS for name in names):
            raise UsageError(f"transports must be some of {TRANSPORTS}, not {self.transports!r}.")
        if not isinstance(self.outbox_policy, Coalesce) and self.outbox_policy not in _POLICIES:
            raise UsageError(f"outbox_policy must be one of {_POLICIES}, or Coalesce(…), not {self.outbox_policy!r}.")

    @property
    def outbox_disconnects(self) -> bool:
        """Tell whether a client is closed for whom more waits than may wait."""
        policy = self.outbox_policy
        return (policy.otherwise if isinstance(policy, Coalesce) else policy) == "disconnect"

    @property
    def compression_threshold(self) -> int:
        """Give the bytes from which on a message is compressed, where that was negotiated."""
        return DEFAULT_COMPRESSION_THRESHOLD if self.compression is True else self.compression

    @property
    def http_compression_threshold(self) -> int:
        """Give the bytes from which on an answer of long-polling may be compressed; 0: none is."""
        return DEFAULT_COMPRESSION_THRESHOLD if self.http_compression is True else int(self.http_compression)

    @classmethod
    def names(cls) -> frozenset[str]:
        """Give the names of all settings."""
        return frozenset(field.name for field in fields(cls))

    @classmethod
    def of(cls, settings: dict[str, object]) -> Config:
        """Build a configuration from names and values; an unknown name is a ``UsageError`` that lists the known
        ones.
        """
        unknown = sorted(set(settings) - cls.names())
        if unknown:
            raise UsageError(f"Unknown setting {unknown[0]!r}; the known ones are: {', '.join(sorted(cls.names()))}.")
        return replace(cls(), **settings)  # type: ignore[arg-type]  # names and bounds are checked above and on creation


def _checked_proxies(proxies: object) -> tuple[str, ...]:
    """Check a list of addresses, networks and "unix", or one of them."""
    names = (proxies,) if isinstance(proxies, str) else tuple(proxies) if isinstance(proxies, Iterable) else (proxies,)
    for name in names:
        try:
            if name != "unix":
                ip_network(str(name), strict=False)
        except ValueError:
            raise UsageError(
                f'trusted_proxies must be addresses, networks such as "10.0.0.0/8", or "unix", not {name!r}.'
            ) from None
    return tuple(str(name) for name in names)


def _checked_origins(rule: object) -> OriginRule:
    """Check who may connect from a browser; several origins become a tuple, so that each request can look through."""
    if rule is None or rule == "*" or callable(rule):
        return rule
    names = (rule,) if isinstance(rule, str) else tuple(rule) if isinstance(rule, Iterable) else (rule,)
    for name in names:
        if not isinstance(name, str) or not _ORIGIN.fullmatch(name):
            raise UsageError(
                'cors_allowed_origins must be None, "*" alone, a function of origin and environ, or origins such as '
                f'"https://chat.example" or "http://localhost:3000", not {name!r}.'
            )
    return names


def _checked_cookie(cookie: object) -> dict[str, object] | None:
    """Check what is said of the cookie, with the names of attributes as here or as in JavaScript; add what is not
    said.
    """
    if cookie is None or cookie is False:
        return None
    given = cookie if isinstance(cookie, Mapping) else {} if cookie is True else {"name": cookie}
    named = {re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", str(name)): value for name, value in given.items()}
    for name, value in named.items():
        is_right = name in _COOKIE and isinstance(value, _COOKIE[name])
        if name == "same_site" and isinstance(value, str):
            is_right = value.lower() in ("strict", "lax", "none")
        if not is_right or (isinstance(value, str) and not _COOKIE_TEXT.fullmatch(value)):
            raise UsageError(
                f"cookie must be None, True, a name, or a dictionary of some of {', '.join(_COOKIE)}; {name!r} cannot "
                f"be {value!r}."
            )
    return {"name": "io", "path": "/", "http_only": True, "same_site": "lax", **named}


#: The attributes of a cookie, and what they may be.
_COOKIE: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "path": (str, type(None)),
    "domain": (str, type(None)),
    "max_age": (int, type(None)),
    "http_only": (bool,),
    "same_site": (str, bool, type(None)),
    "secure": (bool, type(None)),
}
#: A scheme and what follows it, without a path; and that of a page without an address.
_ORIGIN = re.compile(r"[A-Za-z][\w+.-]*://[^/\s,?#*]+/?|file:///?|null")
#: No character in it has a meaning in the header.
_COOKIE_TEXT = re.compile(r"[!#-+\--:<>-~]+")
#: May be None.
_OPTIONAL = ("max_connections_per_address",)
_SECONDS = ("_interval", "_timeout")
_SUFFIXES = (*_SECONDS, "_limit", "_ceiling", "_low", "_high", "_hard")
_POSITIVE = tuple(name for name in Config.names() if name.endswith(_SUFFIXES) or name.startswith("max_"))

_installed = Config()


def current() -> Config:
    """Give the settings that are in force in this process (the defaults until a server is made)."""
    return _installed


def install(config: Config) -> None:
    """Put settings into force for this process."""
    global _installed
    _installed = config
