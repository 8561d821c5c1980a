"""RFC 6455 section 5, frame by frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.transcripts import client_frame, close_payload
from tests.support.work import is_linear
from webpy_socketio.errors import ProtocolError, UsageError
from webpy_socketio.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    BadFrame,
    Frame,
    decode_close,
    decode_frames,
    decode_lone_text,
    encode_close,
    encode_frame,
)

LIMIT = 1_000_000
LENGTHS = [0, 1, 3, 4, 5, 124, 125, 126, 127, 128, 65_535, 65_536, 65_537]


def refusal(data: bytes, limit: int = LIMIT) -> tuple[list[Frame], int, str]:
    with pytest.raises(BadFrame) as caught:
        decode_frames(data, limit)
    return caught.value.frames, caught.value.close_code, caught.value.reason


def test_opcodes_are_those_of_section_11_8() -> None:
    assert (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, FIN) == (0x0, 0x1, 0x2, 0x8, 0x9, 0xA, 0x80)


# -- section 5.7: the examples of the specification ------------------------------------------------------------------


def test_the_unmasked_text_of_the_specification_is_encoded() -> None:
    assert encode_frame(TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")


def test_the_masked_text_of_the_specification_is_decoded() -> None:
    assert decode_frames(bytes.fromhex("818537fa213d7f9f4d5158"), LIMIT) == ([(FIN | TEXT, b"Hello")], 11)


def test_the_ping_and_the_masked_pong_of_the_specification() -> None:
    assert encode_frame(PING, b"Hello") == bytes.fromhex("890548656c6c6f")
    assert decode_frames(bytes.fromhex("8a8537fa213d7f9f4d5158"), LIMIT) == ([(FIN | PONG, b"Hello")], 11)


# -- section 5.2: lengths --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", LENGTHS)
def test_each_length_is_decoded(size: int) -> None:
    payload = bytes(at % 251 for at in range(size))
    data = client_frame(BINARY, payload)
    assert decode_frames(data, LIMIT) == ([(FIN | BINARY, payload)], len(data))


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, "8200"), (125, "827d"), (126, "827e007e"), (65_535, "827effff"), (65_536, "827f0000000000010000")],
)
def test_a_length_is_encoded_in_as_few_bytes_as_it_needs(size: int, head: str) -> None:
    assert encode_frame(BINARY, bytes(size)) == bytes.fromhex(head) + bytes(size)


@pytest.mark.parametrize("length_bytes", [2, 8])
def test_a_length_in_more_bytes_than_it_needs_is_let_pass(length_bytes: int) -> None:
    data = client_frame(TEXT, b"Hello", length_bytes=length_bytes)
    assert decode_frames(data, LIMIT) == ([(FIN | TEXT, b"Hello")], len(data))


# -- reading a stream ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_536])
def test_a_frame_that_is_cut_anywhere_is_not_taken(size: int) -> None:
    data = client_frame(TEXT, b"x" * size)
    for end in [*range(min(len(data), 200)), len(data) - 1]:
        assert decode_frames(data[:end], LIMIT) == ([], 0)


def test_nothing_is_decoded_from_nothing() -> None:
    assert decode_frames(b"", LIMIT) == ([], 0)


def test_bytes_behind_whole_frames_are_left() -> None:
    one, two = client_frame(TEXT, b"one"), client_frame(BINARY, b"two")
    frames = [(FIN | TEXT, b"one"), (FIN | BINARY, b"two")]
    for tail in (b"", b"\x81", client_frame(TEXT, b"three")[:-1]):
        assert decode_frames(one + two + tail, LIMIT) == (frames, len(one + two))


def test_a_growing_buffer_may_be_read_and_payloads_outlive_it() -> None:
    buffer = bytearray(client_frame(TEXT, b"Hello"))
    frames, used = decode_frames(buffer, LIMIT)
    del buffer[:used]
    assert frames == [(FIN | TEXT, b"Hello")]
    assert type(frames[0][1]) is bytes


client_frames = st.tuples(
    st.sampled_from([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG]),
    st.one_of(st.binary(max_size=125), st.sampled_from([126, 127, 65_535, 65_536]).map(bytes)),
    st.booleans(),
    st.binary(min_size=4, max_size=4),
)


@given(st.lists(client_frames, max_size=6))
def test_what_a_client_frames_is_what_comes_out(described: list[tuple[int, bytes, bool, bytes]]) -> None:
    data, expected = b"", []
    for opcode, payload, final, mask in described:
        if opcode >= CLOSE:
            payload, final = payload[:125], True
        data += client_frame(opcode, payload, final=final, mask=mask)
        expected.append(((FIN if final else 0) | opcode, payload))
    assert decode_frames(data, LIMIT) == (expected, len(data))


@given(client_frames, st.binary(max_size=2))
def test_a_lone_text_is_decoded_as_among_others_and_anything_else_is_not(
    described: tuple[int, bytes, bool, bytes], behind: bytes
) -> None:
    opcode, payload, final, mask = described
    data = client_frame(opcode, payload, final=final, mask=mask)
    is_lone_text = opcode == TEXT and final and len(payload) <= 125 and not behind
    assert decode_lone_text(data + behind) == (payload if is_lone_text else None)


@given(st.binary(max_size=150))
def test_whatever_comes_is_a_lone_text_or_none(data: bytes) -> None:
    text = decode_lone_text(data)
    assert text is None or decode_frames(data, LIMIT) == ([(FIN | TEXT, text)], len(data))


@given(st.sampled_from([TEXT, BINARY, PING, PONG]), st.binary(max_size=300))
def test_what_we_frame_a_client_can_read(opcode: int, payload: bytes) -> None:
    data = encode_frame(opcode, payload)
    assert data == client_frame(opcode, payload, mask=None)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_bad_frame(data: bytes) -> None:
    try:
        frames, used = decode_frames(data, 50)
    except BadFrame as error:
        assert error.close_code in (1002, 1009)
        frames, used = error.frames, 0
    assert 0 <= used <= len(data)
    assert all(len(payload) <= 125 for _, payload in frames)


# -- section 5.1 and 5.2: what must not be ---------------------------------------------------------------------------


@pytest.mark.parametrize("reserved", [0b001, 0b010, 0b100, 0b111])
@pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG])
def test_reserved_bits_are_refused(opcode: int, reserved: int) -> None:
    assert refusal(client_frame(opcode, reserved=reserved))[1:] == (
        1002,
        "reserved bits are set to which no extension gave a meaning",
    )


@pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG])
@pytest.mark.parametrize("payload", [b"", b"Hello"])
def test_unmasked_frames_are_refused(opcode: int, payload: bytes) -> None:
    assert refusal(client_frame(opcode, payload, mask=None))[1:] == (1002, "a client's frames must be masked")


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF])
def test_unknown_opcodes_are_refused(opcode: int) -> None:
    assert refusal(client_frame(opcode))[1:] == (1002, f"unknown opcode {opcode}")


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_whole_and_short(opcode: int) -> None:
    expected = (1002, "a control frame must be whole and hold at most 125 bytes")
    assert refusal(client_frame(opcode, b"x", final=False))[1:] == expected
    assert refusal(client_frame(opcode, bytes(126)))[1:] == expected
    assert refusal(client_frame(opcode, b"x", length_bytes=2))[1:] == expected
    assert decode_frames(client_frame(opcode, bytes(125)), LIMIT)[0] == [(FIN | opcode, bytes(125))]


@pytest.mark.parametrize(
    "head",
    [
        client_frame(TEXT, b"Hello", reserved=4)[:2],
        client_frame(TEXT, b"Hello", mask=None)[:2],
        client_frame(3, b"Hello")[:2],
        client_frame(PING, bytes(126))[:2],
    ],
)
def test_a_broken_header_is_refused_before_its_payload_comes(head: bytes) -> None:
    assert refusal(head)[1] == 1002


def test_frames_before_a_broken_one_are_kept() -> None:
    data = client_frame(TEXT, b"one") + client_frame(PING, b"two") + client_frame(3)
    assert refusal(data)[0] == [(FIN | TEXT, b"one"), (FIN | PING, b"two")]


# -- section 10.4: limits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 10, 125, 126, 65_536])
def test_a_payload_may_have_exactly_the_limit(limit: int) -> None:
    assert decode_frames(client_frame(TEXT, bytes(limit)), limit)[0] == [(FIN | TEXT, bytes(limit))]


@pytest.mark.parametrize(("limit", "head"), [(1, 2), (124, 2), (125, 4), (65_535, 10)])
def test_a_payload_above_the_limit_is_refused_at_its_header_without_a_reason(limit: int, head: int) -> None:
    data = client_frame(TEXT, bytes(limit + 1))
    assert decode_frames(data[: head - 1], limit) == ([], 0)
    assert refusal(data[:head], limit) == ([], 1009, "")


@pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY])
def test_the_largest_length_that_can_be_written_is_refused(opcode: int) -> None:
    assert refusal(bytes((FIN | opcode, 0xFF)) + b"\xff" * 8)[1:] == (1009, "")


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_bounded_by_the_specification_and_not_by_the_limit(opcode: int) -> None:
    assert decode_frames(client_frame(opcode, bytes(125)), 10)[0] == [(FIN | opcode, bytes(125))]


def test_frames_are_decoded_in_linear_time() -> None:
    def decode(count: int) -> None:
        data = client_frame(TEXT, b"x") * count + client_frame(BINARY, bytes(LIMIT))
        frames, used = decode_frames(data, LIMIT)
        assert (len(frames), used) == (count + 1, len(data))

    assert is_linear(decode, 100_000)


# -- section 5.5.1 and 7.4: close frames -----------------------------------------------------------------------------

VALID_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
INVALID_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]


@pytest.mark.parametrize("code", VALID_CODES)
def test_valid_close_codes_go_both_ways(code: int) -> None:
    assert decode_close(close_payload(code, "tschüß".encode())) == (code, "tschüß")
    assert encode_close(code, "tschüß") == client_frame(CLOSE, close_payload(code, "tschüß".encode()), mask=None)


@pytest.mark.parametrize("code", INVALID_CODES)
def test_invalid_close_codes_are_refused_both_ways(code: int) -> None:
    with pytest.raises(ProtocolError, match="invalid close code") as caught:
        decode_close(close_payload(code, b"why"))
    assert caught.value.close_code == 1002
    with pytest.raises(UsageError, match=f"code {code}; applications use 1000 and 3000 to 4999"):
        encode_close(code)


@pytest.mark.parametrize("code", [-1, 65_536, 70_000])
def test_codes_that_no_frame_can_hold_are_the_callers_fault(code: int) -> None:
    with pytest.raises(UsageError):
        encode_close(code)


def test_a_close_may_go_without_a_reason() -> None:
    assert encode_close(1000) == b"\x88\x02\x03\xe8"


def test_an_empty_close_frame_has_no_code() -> None:
    assert decode_close(b"") == (1005, "")


@pytest.mark.parametrize("byte", [b"\x00", b"\x03", b"\xff"])
def test_one_byte_is_no_close_code(byte: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_close(byte)
    assert caught.value.close_code == 1002


@pytest.mark.parametrize("reason", [b"\xff", b"\xce", b"caf\xe9", b"\xed\xa0\x80"])
def test_a_close_reason_that_is_not_utf8_is_refused(reason: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_close(close_payload(1000, reason))
    assert caught.value.close_code == 1007


def test_a_long_reason_is_cut_between_characters() -> None:
    assert encode_close(1000, "x" * 200)[1] == 125
    payload = encode_close(1000, "x" * 122 + "é")[2:]
    assert decode_close(payload) == (1000, "x" * 122)


def test_a_reason_that_cannot_be_utf8_does_not_stop_a_close() -> None:
    assert decode_close(encode_close(1000, "cut \ud83d")[2:]) == (1000, "cut ?")


@given(st.sampled_from(VALID_CODES), st.text(max_size=150))
def test_close_frames_round_trip(code: int, reason: str) -> None:
    decoded_code, decoded_reason = decode_close(encode_close(code, reason)[2:])
    assert decoded_code == code
    assert reason.startswith(decoded_reason)
    assert len(decoded_reason.encode()) > 119 or decoded_reason == reason


@given(st.binary(max_size=125))
def test_no_close_payload_raises_anything_but_protocol_error(payload: bytes) -> None:
    try:
        code, reason = decode_close(payload)
    except ProtocolError as error:
        assert error.close_code in (1002, 1007)
    else:
        assert payload in (b"", close_payload(code, reason.encode()))
