"""All settings of the endpoint in one frozen, validated value.

It knows names, units, defaults and bounds; where a setting comes from (argument, environment, `web.config`, the main
module) is the gateway's business. Durations are seconds, sizes are bytes, unless a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from .errors import UsageError

__all__ = ["Config", "OriginRule", "OutboxPolicy", "current", "install"]

#: None: same origin only. "*": everybody, without credentials. A collection of origins. A predicate of origin and
#: environ.
OriginRule = None | str | Iterable[str] | Callable[[str, dict[str, object]], bool]
OutboxPolicy = Literal["disconnect", "drop_oldest", "drop_newest"]

DEFAULT_MESSAGE_LOG_FORMAT = '%(REMOTE_ADDR)s - - [%(TIME)s] "Socket.IO %(TYPE)s: %(MESSAGE)s"'
#: Bytes. Below that, what is saved is not worth the time (Node's `ws` has the same).
DEFAULT_COMPRESSION_THRESHOLD = 1_024
TRANSPORTS = ("polling", "websocket")


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
    #: Who may connect from a browser.
    cors_allowed_origins: OriginRule = None

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

    #: Bytes of one message, or of one POST with all its packets.
    max_payload: int = 1_000_000
    #: Bytes of a request's line and headers together.
    max_head: int = 65_536
    #: Binary attachments of one packet (CVE-2026-33151 was a server without such a limit).
    max_attachments: int = 10
    #: Namespaces that one client may join.
    max_namespaces: int = 100
    #: Channels of one socket, and characters of a channel's name, when a client subscribes.
    max_channels: int = 1_000
    max_channel_name: int = 255
    #: Events of one client that wait for its handlers: reading stops above the high mark and goes on below the low one.
    mailbox_high: int = 256
    mailbox_low: int = 64
    #: Events of one client that may wait while a handler of it is in ``call`` (reading cannot stop then).
    mailbox_hard: int = 4_096
    #: Acks that one socket may owe us.
    max_pending_acks: int = 10_000
    #: Bytes that wait to be written to one client, and what happens to the next packet when they are reached.
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
        for name in _POSITIVE:
            value = getattr(self, name)
            kind, wanted = ((int, float), "a number") if name.endswith(_SECONDS) else ((int,), "a whole number")
            if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < float("inf"):
                raise UsageError(f"{name} must be {wanted} above 0, not {value!r}.")
        if not self.mailbox_low < self.mailbox_high < self.mailbox_hard:
            raise UsageError(
                "mailbox_low < mailbox_high < mailbox_hard must hold, not "
                f"{self.mailbox_low}, {self.mailbox_high}, {self.mailbox_hard}."
            )

    def _check_choices(self) -> None:
        if not isinstance(self.compression, int) or (not isinstance(self.compression, bool) and self.compression < 1):
            raise UsageError(f"compression must be True, False or a number of bytes above 0, not {self.compression!r}.")
        if not isinstance(self.allow_eio3, bool):
            raise UsageError(f"allow_eio3 must be True or False, not {self.allow_eio3!r}.")
        if self.missing_eio not in ("refuse", "3"):
            raise UsageError(f'missing_eio must be "refuse" or "3", not {self.missing_eio!r}.')
        if not isinstance(self.resource, str) or not self.resource.strip("/"):
            raise UsageError(f'resource must be the first part of a path, such as "socket.io", not {self.resource!r}.')
        names = self.transports
        if not names or not isinstance(names, (tuple, list)) or any(name not in TRANSPORTS for name in names):
            raise UsageError(f"transports must be some of {TRANSPORTS}, not {self.transports!r}.")
        if self.outbox_policy not in get_args(OutboxPolicy):
            raise UsageError(f"outbox_policy must be one of {get_args(OutboxPolicy)}, not {self.outbox_policy!r}.")

    @property
    def compression_threshold(self) -> int:
        """Give the bytes from which on a message is compressed, where that was negotiated."""
        return DEFAULT_COMPRESSION_THRESHOLD if self.compression is True else self.compression

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
