"""Socket.IO protocol 5: the text of packets, as it travels inside an Engine.IO MESSAGE.

``<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]``. Decoding splits the header and leaves the JSON as it came:
who handles the event decodes it, once.
"""

from __future__ import annotations

from typing import Any, Final

from ..errors import ProtocolError
from ..types import RESERVED_EVENTS
from .attachments import join_attachments
from .values import decode_value, encode_value

__all__ = [
    "ACK",
    "BINARY_ACK",
    "BINARY_EVENT",
    "CONNECT",
    "CONNECT_ERROR",
    "DISCONNECT",
    "EVENT",
    "Packet",
    "decode_arguments",
    "decode_object",
    "decode_packet",
    "encode_ack",
    "encode_connect",
    "encode_connect_4",
    "encode_connect_error",
    "encode_disconnect",
    "encode_error_4",
    "encode_event",
]

CONNECT: Final = 0
DISCONNECT: Final = 1
EVENT: Final = 2
ACK: Final = 3
CONNECT_ERROR: Final = 4
BINARY_EVENT: Final = 5
BINARY_ACK: Final = 6
_EVENTS: Final = (EVENT, BINARY_EVENT)
#: Ack ids are counters: more digits than these are no counter (and int() of very many digits would be slow).
_MAX_ID_DIGITS: Final = 15
_MAX_COUNT_DIGITS: Final = 4
_DIGITS: Final = tuple(b"%d" % kind for kind in range(BINARY_ACK + 1))


class Packet:
    """One packet: type, namespace, ack id or None, JSON text still undecoded, and attachments."""

    __slots__ = ("attachments", "count", "data", "id", "namespace", "type")

    def __init__(self, type_: int, namespace: str, id_: int | None, data: str, count: int = 0) -> None:
        self.type = type_
        self.namespace = namespace
        self.id = id_
        self.data = data
        self.count = count
        self.attachments: list[bytes] | None = None


def decode_packet(text: str) -> Packet:
    """Decode the header of a packet.

    ``count`` is the number of binary attachments that follow. Raises ``ProtocolError`` for an unknown type, a broken
    header, or a count where none belongs.
    """
    if text[:2] == "2[":
        return Packet(EVENT, "/", None, text[1:])
    kind = ord(text[0]) - 0x30 if text else -1
    if not 0 <= kind <= BINARY_ACK:
        raise ProtocolError(f"expected a packet type from 0 to 6, not {text[:1]!r}")
    at, count = 1, 0
    if kind in (BINARY_EVENT, BINARY_ACK):
        digits, dash, _ = text[1 : 3 + _MAX_COUNT_DIGITS].partition("-")
        if not dash or not _is_number(digits, _MAX_COUNT_DIGITS):
            raise ProtocolError("a binary packet begins with the number of its attachments and a dash")
        count, at = int(digits), len(digits) + 2
    namespace = "/"
    if text[at : at + 1] == "/":
        end = text.find(",", at)
        end = len(text) if end < 0 else end
        namespace, at = text[at:end], end + 1
    head = text[at : at + _MAX_ID_DIGITS + 1]
    digits = head[: len(head) - len(head.lstrip("0123456789"))]
    if len(digits) > _MAX_ID_DIGITS:
        raise ProtocolError("an ack id has too many digits")
    return Packet(kind, namespace, int(digits) if digits else None, text[at + len(digits) :], count)


def _is_number(digits: str, longest: int) -> bool:
    return 0 < len(digits) <= longest and digits.isascii() and digits.isdigit()


def decode_arguments(packet: Packet) -> list[Any]:
    """Decode the arguments of an EVENT (its name first) or an ACK, attachments in place.

    Raises ``ProtocolError`` for what is no array, and for an event without a name or with a reserved one. A name may be
    a number, as in Node's server; it becomes text.
    """
    values = decode_value(packet.data)
    if type(values) is not list:
        raise ProtocolError("the payload of an event or ack must be an array")
    if packet.attachments is not None:
        join_attachments(values, packet.attachments)
    if packet.type in _EVENTS:
        name = values[0] if values else None
        if type(name) is not str:
            name = values[0] = _name(name)
        if name in RESERVED_EVENTS:
            raise ProtocolError(f"an event must not have the reserved name {name!r}")
    return values


def _name(value: object) -> str:
    """Write a name that is a number as JavaScript would."""
    if type(value) not in (int, float):
        raise ProtocolError("an event begins with its name")
    return str(value).removesuffix(".0")


def decode_object(packet: Packet) -> dict[str, Any]:
    """Decode the payload of a CONNECT packet: an object or nothing. Raises ``ProtocolError`` for anything else."""
    value = decode_value(packet.data) if packet.data else {}
    if not isinstance(value, dict):
        raise ProtocolError("the payload of CONNECT must be an object")
    return value


def _header(kind: int, namespace: str) -> bytes:
    return _DIGITS[kind] if namespace == "/" else b"%d%s," % (kind, namespace.encode())


def encode_event(
    namespace: str, id_: int | None, arguments: list[object], kind: int = EVENT
) -> tuple[bytes, list[bytes]]:
    """Encode an event (``arguments`` begin with its name) to text and attachments; ``id_`` asks for an ack.

    The ``kind`` may be ACK, whose packets have the same form.
    """
    attachments: list[bytes] = []
    text = encode_value(arguments, attachments)
    head = _DIGITS[kind]
    if id_ is None and namespace == "/" and not attachments:
        return head + text, attachments
    if attachments:
        head = b"%d%d-" % (kind + BINARY_EVENT - EVENT, len(attachments))
    if namespace != "/":
        head += namespace.encode() + b","
    return (head + text if id_ is None else b"%b%d%b" % (head, id_, text)), attachments


def encode_ack(namespace: str, id_: int, values: list[object]) -> tuple[bytes, list[bytes]]:
    """Encode the ack ``id_`` with its values to text and attachments."""
    return encode_event(namespace, id_, values, ACK)


def encode_connect(namespace: str, session_id: str) -> bytes:
    """Encode the server's answer to CONNECT: the client is in, with this public session id."""
    return _header(CONNECT, namespace) + encode_value({"sid": session_id})


def encode_connect_error(namespace: str, message: str, data: object = None) -> bytes:
    """Encode CONNECT_ERROR: the client is refused, with a text and any JSON value as ``data``."""
    error = {"message": message} if data is None else {"message": message, "data": data}
    return _header(CONNECT_ERROR, namespace) + encode_value(error)


def encode_connect_4(namespace: str) -> bytes:
    """Encode CONNECT as protocol 4 has it (clients 1.x and 2.x): they know their session id themselves."""
    return _header(CONNECT, namespace)


def encode_error_4(namespace: str, data: object) -> bytes:
    """Encode protocol 4's ERROR: a text, or any other JSON value."""
    return _header(CONNECT_ERROR, namespace) + encode_value(data)


def encode_disconnect(namespace: str) -> bytes:
    """Encode DISCONNECT: the socket of this namespace is closed."""
    return _header(DISCONNECT, namespace)
