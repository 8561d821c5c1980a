"""The official document of Engine.IO protocol 4, "Packet encoding"."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import is_linear
from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.engine_packets import (
    BINARY,
    CLOSE,
    MESSAGE,
    NOOP,
    OPEN,
    PING,
    PONG,
    SEPARATOR,
    UPGRADE,
    BadPayload,
    decode_binary,
    decode_payload,
    encode_binary,
    encode_open,
    encode_payload,
)


def refusal(body: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode_payload(body)
    return caught.value.reason


def test_types_are_those_of_the_document() -> None:
    kinds = OPEN + CLOSE + PING + PONG + MESSAGE + UPGRADE + NOOP + BINARY
    assert kinds == "0123456b"


def test_the_payload_of_text_of_the_document() -> None:
    assert decode_payload(b"4hello\x1e2\x1e4world") == ["4hello", "2", "4world"]
    assert encode_payload([b"4hello", b"2", b"4world"]) == b"4hello\x1e2\x1e4world"


def test_the_payload_with_binary_data_of_the_document() -> None:
    assert decode_payload(b"4hello\x1ebAQIDBA==") == ["4hello", b"\x01\x02\x03\x04"]
    assert encode_payload([b"4hello", encode_binary(b"\x01\x02\x03\x04")]) == b"4hello\x1ebAQIDBA=="


@pytest.mark.parametrize("kind", "0123456")
def test_each_type_of_packet_is_taken_with_and_without_data(kind: str) -> None:
    assert decode_payload(kind.encode()) == [kind]
    assert decode_payload(f"{kind}données €".encode()) == [f"{kind}données €"]


def test_binary_data_may_be_empty() -> None:
    assert decode_payload(b"b") == [b""]
    assert encode_binary(b"") == b"b"


@pytest.mark.parametrize(
    "body",
    [b"", b"\x1e", b"4a\x1e", b"\x1e4a", b"4a\x1e\x1e4b", b"abc", b"7", b"9x", b"-1", b" 4", b"B", b"\xff", b"/", b":"],
)
def test_what_has_no_known_type_is_refused(body: bytes) -> None:
    assert refusal(body) == "a packet begins with its type, a digit from 0 to 6, or with b"


@pytest.mark.parametrize("body", [b"4\xff", b"4caf\xe9", b"4\xed\xa0\x80", b"4\xf0\x9f\x98", b"4a\x1e4\xc3"])
def test_text_that_is_not_utf8_is_refused(body: bytes) -> None:
    assert refusal(body) == "a packet is not UTF-8"


@pytest.mark.parametrize(
    "text", ["bA", "bAQ", "bAQI", "b====", "bAQ=I", "b!", "bAQIDBA", "bA-_A", "bAQ ID", "bé", "b\n"]
)
def test_binary_data_that_is_not_base64_is_refused(text: str) -> None:
    assert refusal(text.encode()) == "binary data in text must be base64"
    with pytest.raises(ProtocolError):
        decode_binary(text)


@pytest.mark.parametrize("bad", [b"", b"9", b"4\xff", b"b!"])
def test_packets_before_a_bad_one_are_kept(bad: bytes) -> None:
    with pytest.raises(BadPayload) as caught:
        decode_payload(b"4one\x1ebdHdv\x1e" + bad + b"\x1e4three")
    assert caught.value.packets == ["4one", b"two"]
    assert caught.value.close_code == (1007 if bad == b"4\xff" else 1002)


def test_binary_data_in_text_is_decoded() -> None:
    assert decode_binary("bAQIDBA==") == decode_binary(b"bAQIDBA==") == b"\x01\x02\x03\x04"


packets = st.one_of(
    st.binary(max_size=100),
    st.builds(lambda kind, text: kind + text.replace("\x1e", ""), st.sampled_from("0123456"), st.text(max_size=100)),
)


@given(st.lists(packets, min_size=1, max_size=20))
def test_payloads_round_trip(described: list[str | bytes]) -> None:
    encoded = [packet.encode() if isinstance(packet, str) else encode_binary(packet) for packet in described]
    assert decode_payload(encode_payload(encoded)) == described


pieces = st.lists(st.sampled_from([b"4", b"b", b"AA==", b"\x1e", b"\xff", b"="])).map(b"".join)


@given(st.one_of(st.binary(max_size=60), pieces))
def test_no_body_raises_anything_but_protocol_error(body: bytes) -> None:
    try:
        decoded = decode_payload(body)
    except ProtocolError as error:
        assert error.close_code in (1002, 1007)
    else:
        assert len(decoded) == body.count(SEPARATOR) + 1


def test_the_handshake_has_exactly_its_five_keys_in_milliseconds() -> None:
    packet = encode_open("lv_VI97HAXpY6yYWAAAC", ("websocket",), 25, 20.0, 1_000_000)
    assert packet == (
        b'0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,'
        b'"maxPayload":1000000}'
    )


def test_the_intervals_of_a_handshake_are_whole_numbers() -> None:
    handshake = json.loads(encode_open("x", (), 0.3, 0.2999, 1)[1:])
    assert (handshake["pingInterval"], handshake["pingTimeout"], handshake["upgrades"]) == (300, 300, [])
    assert type(handshake["pingInterval"]) is type(handshake["pingTimeout"]) is int


@pytest.mark.parametrize(("head", "piece", "tail"), [(b"", b"2\x1e", b"2"), (b"4", b"x", b""), (b"b", b"AAAA", b"")])
def test_cve_2020_36048_a_huge_body_costs_linear_time(head: bytes, piece: bytes, tail: bytes) -> None:
    def decode(size: int) -> None:
        assert decode_payload(head + piece * (size // len(piece)) + tail)

    assert is_linear(decode, 1_000_000)
