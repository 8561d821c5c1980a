"""Socket.IO packets with their attachments, in a client's namespaces: from messages to values.

First byte: bit 0 a client of protocol 4, bit 1 every second join is refused. Then messages, with a record separator
between them; one that begins with ``b`` is binary, without its first byte.
"""

from __future__ import annotations

from typing import Any

from tests.fuzz.reader import Reader
from webpy_socketio.errors import ProtocolError
from webpy_socketio.state.packet_stream import PacketStream
from webpy_socketio.state.peer import AckReceived, JoinRequested, Left, Membership, Outcome, Peer, State
from webpy_socketio.state.peer_4 import Peer4
from webpy_socketio.types import RESERVED_EVENTS
from webpy_socketio.wire.socket_packets import (
    ACK,
    CONNECT,
    EVENT,
    Packet,
    decode_arguments,
    decode_object,
    encode_ack,
    encode_connect,
    encode_connect_error,
    encode_disconnect,
    encode_event,
)

MAX_LENGTH = 16_000
MAX_ATTACHMENTS, MAX_NAMESPACES = 10, 5
ENCODABLE_DEPTH = 200
"""Levels that every value may have that is sent."""

SEEDS = [
    b'\x0040\x1e2["event",1]',
    b'\x000\x1e2["event",1,{"a":[null,true,1.5]}]\x1e21["ack me"]\x1e30["answer"]\x1e1',
    b'\x000{"token":"x"}\x1e0/chat,\x1e2/chat,7["event"]\x1e1/chat,\x1e2/chat,["late"]',
    b'\x000\x1e52-["bytes",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]\x1eb\0\1\x1eb',
    b'\x000\x1e61-0[{"_placeholder":true,"num":0}]\x1ebanswer',
    b'\x000\x1e51-["bytes",{"_placeholder":true,"num":9}]\x1eb',
    b'\x000\x1e511-["too many"]\x1e50-["none"]',
    b'\x000\x1e2["connect"]\x1e2[1]\x1e2[]\x1e2{}',
    b'\x010/chat?token=a&b=%20c,{"d":1}\x1e2/chat,["event"]\x1e0/?x,',
    b'\x020\x1e0\x1e2["event"]',
    b"\x000/a\x1e0/b\x1e0/c\x1e0/d\x1e0/e\x1e0/f",
    b'\x000\x1e2["\\ud83d","\\ud83d\\ude00",12345678901234567890123,1e5]',
    b'\x000\x1e3999["nobody asked"]\x1e4"no"\x1e9',
]

WORDS = [
    *(
        b"\x1e0",
        b"\x1e2[",
        b"\x1e1",
        b"\x1e31",
        b"\x1e51-[",
        b"\x1e61-[",
        b"\x1eb",
        b"/chat,",
        b"/",
        b"?a=b",
        b"&",
        b",",
    ),
    *(b'{"_placeholder":true,"num":0}', b'"event"', b"connect", b"[", b"]", b"{", b"}", b":", b"null", b"\\ud83d"),
]


def run(data: bytes) -> None:
    """Take messages until one is refused; what decodes is encoded and decoded again."""
    reader = Reader(data)
    flags = reader.byte()
    stream, peer = PacketStream(MAX_ATTACHMENTS), Peer4(MAX_NAMESPACES) if flags & 1 else Peer(MAX_NAMESPACES)
    if isinstance(peer, Peer4):
        _obey(peer, peer.open(), refused=False)
    for number, piece in enumerate(reader.rest().split(b"\x1e")):
        message = piece[1:] if piece[:1] == b"b" else piece.decode(errors="replace")
        packet = stream.receive_message(message)
        if isinstance(packet, ProtocolError):
            return
        if packet is None:
            continue
        assert packet.attachments is None or len(packet.attachments) == packet.count <= MAX_ATTACHMENTS
        _decode(packet)
        outcome = peer.receive_packet(packet)
        if isinstance(outcome, ProtocolError):
            return
        _obey(peer, outcome, refused=bool(flags & 2) and bool(number % 2))
        assert len(peer.memberships) <= MAX_NAMESPACES


def _obey(peer: Peer, outcome: Outcome, *, refused: bool) -> None:
    assert outcome is None or isinstance(outcome, (Membership, JoinRequested, AckReceived, Left))
    if isinstance(outcome, JoinRequested):
        assert isinstance(outcome.auth, dict)
        if refused:
            peer.refuse(outcome.membership)
        else:
            peer.accept(outcome.membership)
            outcome.membership.open_ack("waiter", 100)
    elif isinstance(outcome, AckReceived):
        assert outcome.waiter == "waiter"
    elif isinstance(outcome, Left):
        assert outcome.membership.state is State.LEFT


def _decode(packet: Packet) -> None:
    """Decode the values of a packet, whatever its type, and those of what they encode to."""
    assert packet.namespace.startswith("/") and "," not in packet.namespace
    try:
        values = decode_arguments(packet)
    except ProtocolError:
        pass
    else:
        _round_trip(packet, values)
    try:
        auth = decode_object(packet)
    except ProtocolError:
        return
    if _depth(auth) < ENCODABLE_DEPTH:
        text = encode_connect_error(packet.namespace, "no", auth).decode()
        again = _read_back(text, [])
        assert again.namespace == packet.namespace and decode_object(again).get("data", {}) == auth
    for text in (encode_connect(packet.namespace, "id").decode(), encode_disconnect(packet.namespace).decode()):
        assert _read_back(text, []).namespace == packet.namespace


def _round_trip(packet: Packet, values: list[Any]) -> None:
    is_event = packet.type not in (ACK, ACK + EVENT + 1)
    if packet.type in (EVENT, EVENT + 3):
        assert isinstance(values[0], str) and values[0] not in RESERVED_EVENTS
    if _depth(values) >= ENCODABLE_DEPTH:
        return
    number = 0 if packet.id is None else packet.id
    if is_event:
        text, attachments = encode_event(packet.namespace, packet.id, values)
    else:
        text, attachments = encode_ack(packet.namespace, number, values)
    if len(attachments) > MAX_ATTACHMENTS:
        return  # one attachment may have several placeholders, and each place is sent
    again = _read_back(text.decode(), attachments)
    assert (again.namespace, again.id) == (packet.namespace, packet.id if is_event else number)
    again.type = CONNECT if packet.type not in (EVENT, EVENT + 3) else again.type
    assert decode_arguments(again) == values


def _read_back(text: str, attachments: list[bytes]) -> Packet:
    stream = PacketStream(MAX_ATTACHMENTS)
    packet = stream.receive_message(text)
    for attachment in attachments:
        assert packet is None
        packet = stream.receive_message(attachment)
    assert isinstance(packet, Packet)
    return packet


def _depth(value: Any) -> int:
    """Count levels without recursion, as far as it matters."""
    level, depth = [value], 0
    while level and depth < ENCODABLE_DEPTH:
        depth += 1
        level = [
            item
            for container in level
            if isinstance(container, (list, dict))
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    return depth
