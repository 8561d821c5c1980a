"""Engine.IO protocol 3: payloads of text and of bytes. The examples are those of the official document and suite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import is_linear
from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.engine_packets import BadPayload
from webpy_socketio.wire.engine_packets_3 import (
    MESSAGE_BYTE,
    decode_base64,
    decode_payload,
    encode_base64,
    encode_binary_piece,
    encode_text_piece,
)


def refusal(body: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode_payload(body)
    return caught.value.reason


def text_payload(*packets: bytes) -> bytes:
    return b"".join(map(encode_text_piece, packets))


def test_the_text_payload_of_the_suite() -> None:
    assert decode_payload(b"6:4test16:4test26:4test3") == ["4test1", "4test2", "4test3"]
    assert text_payload(b"4test1", b"4test2", b"4test3") == b"6:4test16:4test26:4test3"


def test_the_payload_with_base64_of_the_suite() -> None:
    assert decode_payload(b"6:4hello10:b4AQIDBA==") == ["4hello", "b4AQIDBA=="]
    assert decode_base64("b4AQIDBA==") == decode_base64(b"b4AQIDBA==") == b"\x01\x02\x03\x04"
    assert text_payload(b"4hello", encode_base64(b"\x01\x02\x03\x04")) == b"6:4hello10:b4AQIDBA=="


def test_the_binary_payload_of_the_suite() -> None:
    body = bytes([0, 6, 255, 52, 104, 101, 108, 108, 111, 1, 5, 255, 4, 1, 2, 3, 4])
    assert decode_payload(body) == ["4hello", b"\x04\x01\x02\x03\x04"]
    binary = encode_binary_piece(MESSAGE_BYTE + b"\x01\x02\x03\x04", binary=True)
    assert encode_binary_piece(b"4hello", binary=False) + binary == body


@pytest.mark.parametrize(
    ("text", "length"), [("4é", 2), ("4€", 2), ("4\U0001f600", 3), ("4a\U0001f600b\U0001f600", 7), ("4\U0010ffff", 3)]
)
def test_lengths_of_text_count_the_code_units_of_javascript(text: str, length: int) -> None:
    body = f"{length}:{text}".encode()
    assert encode_text_piece(text.encode()) == body
    assert decode_payload(body + b"2:4x") == [text, "4x"]


def test_lengths_of_a_binary_payload_count_bytes() -> None:
    body = encode_binary_piece("4€".encode(), binary=False)
    assert body == b"\x00\x04\xff4\xe2\x82\xac"
    assert decode_payload(body) == ["4€"]


def test_a_long_length_is_written_digit_by_digit() -> None:
    piece = encode_binary_piece(b"\x04" + bytes(1_233), binary=True)
    assert piece[:6] == b"\x01\x01\x02\x03\x04\xff"
    assert decode_payload(piece * 2) == [b"\x04" + bytes(1_233)] * 2


def test_no_packets_at_all_may_be_said() -> None:
    assert decode_payload(b"0:") == []
    assert decode_payload(b"0:2:4x0:") == ["4x"]


@pytest.mark.parametrize(
    "body", [b"", b"abc", b":", b":4", b"4", b"-1:4", b"+1:4", b" 1:4", b"1.0:4", b"0x1:4", "٣:4ab".encode(), b"1:44"]
)
def test_text_without_a_length_is_refused(body: bytes) -> None:
    assert refusal(body) == "a packet in a payload begins with its length and a colon"


@pytest.mark.parametrize("length", [11, 4_000])
def test_a_length_of_very_many_digits_is_refused(length: int) -> None:
    assert refusal(b"0" * length + b"1:4").startswith("a packet in a payload begins")


@pytest.mark.parametrize(
    "body", [b"2:4", b"9999999999:4", b"1:", b"5:4\xf0\x9f\x98\x80", b"\x00\x02\xff4", b"\x01\x09\xff"]
)
def test_a_packet_that_is_too_short_is_refused(body: bytes) -> None:
    assert refusal(body) == "a packet is shorter than its length says"


def test_a_length_that_cuts_a_character_is_refused() -> None:
    assert refusal("2:4\U0001f600".encode()) == "a length ends within a character"


@pytest.mark.parametrize("body", [b"2:4\xff", b"\x00\x02\xff4\xff", b"2:4\xed\xa0\x80"])
def test_text_that_is_not_utf8_is_refused(body: bytes) -> None:
    assert refusal(body) == "a packet is not UTF-8"


@pytest.mark.parametrize(
    "body",
    [b"\x00", b"\x01", b"\x00\xff4", b"\x01\x0a\xff", b"\x00\x01", b"\x00\x01\x014", b"\x00" + b"\x00" * 11 + b"\xff"],
)
def test_a_broken_head_in_a_binary_payload_is_refused(body: bytes) -> None:
    assert refusal(body).startswith("a packet in a binary payload begins with")


def test_another_byte_than_0_and_1_between_packets_is_refused() -> None:
    assert refusal(b"\x00\x01\xff4\x02\x01\xff4").startswith("a packet in a binary payload begins with")


@pytest.mark.parametrize("bad", [b"x", b"9:4", b"1:4:"])
def test_packets_before_a_bad_one_are_kept(bad: bytes) -> None:
    with pytest.raises(BadPayload) as caught:
        decode_payload(b"4:4one" + bad)
    assert caught.value.packets[:1] == ["4one"]


def test_binary_packets_before_a_bad_one_are_kept() -> None:
    with pytest.raises(BadPayload) as caught:
        decode_payload(b"\x01\x02\xff\x04x\x00\x02\xff4\xff")
    assert caught.value.packets == [b"\x04x"]
    assert caught.value.close_code == 1007


@pytest.mark.parametrize("text", ["b", "bAQID", "b5AQID", "4AQID", ""])
def test_base64_without_its_type_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="must begin with b4"):
        decode_base64(text)


@pytest.mark.parametrize("text", ["b4A", "b4!", "b4é", "b4AQ ID", b"b4\xff"])
def test_broken_base64_is_refused(text: str | bytes) -> None:
    with pytest.raises(ProtocolError, match="must be base64"):
        decode_base64(text)


texts = st.builds(lambda kind, text: kind + text, st.sampled_from("0123456"), st.text(max_size=100))


@given(st.lists(st.one_of(st.binary(max_size=100), texts), min_size=1, max_size=20))
def test_payloads_round_trip(described: list[str | bytes]) -> None:
    text = [packet.encode() if isinstance(packet, str) else encode_base64(packet) for packet in described]
    decoded = decode_payload(b"".join(map(encode_text_piece, text)))
    assert [decode_base64(p) if p[:1] == "b" else p for p in decoded if isinstance(p, str)] == described

    typed = [packet if isinstance(packet, str) else MESSAGE_BYTE + packet for packet in described]
    pieces = [
        encode_binary_piece(p, binary=True) if isinstance(p, bytes) else encode_binary_piece(p.encode(), binary=False)
        for p in typed
    ]
    assert decode_payload(b"".join(pieces)) == typed


pieces = st.lists(st.sampled_from([b"\x00", b"\x01", b"\x04", b"\xff", b"1", b"2:", b":", b"4", "😀".encode()]))


@given(st.one_of(st.binary(max_size=60), pieces.map(b"".join)))
def test_no_body_raises_anything_but_protocol_error(body: bytes) -> None:
    try:
        decode_payload(body)
    except ProtocolError as error:
        assert error.close_code in (1002, 1007)


HUGE: dict[str, Callable[[int], bytes]] = {
    "many": lambda size: b"1:2" * (size // 3),
    "empty": lambda size: b"0:" * (size // 2),
    "long": lambda size: f"{size}:4".encode() + b"x" * (size - 1),
    "digits": lambda size: b"1" * size,
    "astral": lambda size: ("3:4\U0001f600" * (size // 7)).encode(),
    "binary": lambda size: b"\x00\x01\xff2" * (size // 4),
    "no end of the length": lambda size: b"\x00" * size,
}


@pytest.mark.parametrize("make", HUGE.values(), ids=HUGE)
def test_cve_2020_36048_a_huge_body_costs_linear_time(make: Callable[[int], bytes]) -> None:
    def decode(size: int) -> None:
        try:
            decode_payload(make(size))
        except ProtocolError:
            pass

    assert is_linear(decode, 999_992)
