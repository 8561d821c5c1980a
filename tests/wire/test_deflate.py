"""RFC 7692: what is agreed on, and both directions, checked against zlib's raw streams."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.transcripts import client_frame
from tests.support.work import is_linear, steps
from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.deflate import CLIENT_WINDOW_BITS, Agreement, Deflater, Inflater, negotiate
from webpy_socketio.wire.frames import BINARY, TEXT, encode_frame

LIMIT = 1_000_000
OURS = "permessage-deflate; server_no_context_takeover"
HELLO = bytes.fromhex("f248cdc9c90700")
"""Section 7.2.3.1."""


def answer(header: str) -> str | None:
    agreement = negotiate(header)
    return None if agreement is None else agreement.encode()


# -- section 7.1: the opening handshake ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("permessage-deflate", f"{OURS}; client_no_context_takeover"),  # Firefox, Safari
        ("permessage-deflate; client_max_window_bits", f"{OURS}; client_max_window_bits=12"),  # Chromium, Node
        ("permessage-deflate; client_max_window_bits=15", f"{OURS}; client_max_window_bits=12"),
        ("permessage-deflate; client_max_window_bits=9", f"{OURS}; client_max_window_bits=9"),
        ("permessage-deflate; client_max_window_bits=8", f"{OURS}; client_max_window_bits=8"),
        ('permessage-deflate;client_max_window_bits="10"', f"{OURS}; client_max_window_bits=10"),
        ("permessage-deflate; server_no_context_takeover", f"{OURS}; client_no_context_takeover"),
        (
            "permessage-deflate; client_no_context_takeover; client_max_window_bits",
            f"{OURS}; client_no_context_takeover; client_max_window_bits=12",
        ),
        (
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
            f"{OURS}; server_max_window_bits=10; client_max_window_bits=12",
        ),
        (" permessage-deflate ; server_max_window_bits = 15 ", f"{OURS}; client_no_context_takeover"),
    ],
)
def test_an_offer_is_accepted_with_what_it_leaves_to_us(offer: str, agreed: str) -> None:
    assert answer(offer) == agreed


@pytest.mark.parametrize(
    "offer",
    [
        "",
        ",;,",
        "permessage-deflated",
        "x-webkit-deflate-frame",
        "permessage-deflate; unknown",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover=true",
        "permessage-deflate; client_no_context_takeover=",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=",
        *(
            f"permessage-deflate; {side}_max_window_bits={value}"
            for side in ("server", "client")
            for value in ("", "7", "16", "08", "1O", "-9", "+9", "9.0", "１２", '""', "255")
        ),
        "permessage-deflate; server_max_window_bits=8",  # zlib cannot write that
        'permessage-deflate; client_max_window_bits="9',
        'permessage-deflate; client_max_window_bits="\\9"',
    ],
)
def test_an_offer_that_is_malformed_or_beyond_us_is_declined(offer: str) -> None:
    assert answer(offer) is None


def test_the_first_offer_that_can_be_accepted_is() -> None:
    offers = "foo; bar=1, permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits"
    assert answer(offers) == f"{OURS}; client_max_window_bits=12"
    assert answer("permessage-deflate; server_max_window_bits=9, permessage-deflate") == (
        f"{OURS}; client_no_context_takeover; server_max_window_bits=9"
    )


def test_what_stands_in_quotes_is_no_offer() -> None:
    assert answer('foo; x=", permessage-deflate; y="') is None
    assert answer('foo; x="a,b;c", permessage-deflate') is not None


@given(st.text(alphabet='permsag-dfl;,="\\ 0189_xtowindbc', max_size=200))
def test_no_header_raises(header: str) -> None:
    negotiate(header)


@pytest.mark.parametrize(
    "piece", ['"', '""', ",", ";", ", ;", "permessage-deflate,", "permessage-deflate;x;", "a=", " ", '"a', "\\"]
)
def test_cve_2021_32640_a_hostile_header_costs_linear_time(piece: str) -> None:
    assert is_linear(lambda size: negotiate("permessage-deflate; " + piece * (size // len(piece))), 200_000)


# -- our messages ----------------------------------------------------------------------------------------------------


def unpacked(frames: bytes) -> list[tuple[int, bytes]]:
    """Read frames by the letter of RFC 6455 section 5.2; decompress each with a zlib stream of its own."""
    messages, at = [], 0
    while at < len(frames):
        first, size = frames[at], frames[at + 1]
        extended = {126: 2, 127: 8}.get(size, 0)
        at += 2 + extended
        size = int.from_bytes(frames[at - extended : at], "big") if extended else size
        data = frames[at : at + size]
        messages.append((first, zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff") if first & 0x40 else data))
        at += size
    return messages


def test_the_message_of_the_specification() -> None:
    data = b"Hello" * 10
    encoded = Deflater(15, 1).encode_frames(encode_frame(TEXT, data))
    assert len(encoded) < 20
    assert unpacked(encoded) == [(0xC1, data)]


@pytest.mark.parametrize("size", [0, 99, 100, 125, 126, 65_535, 65_536, 300_000])
@pytest.mark.parametrize("bits", [9, 12, 15])
def test_messages_below_the_threshold_stay_as_they_are(size: int, bits: int) -> None:
    plain = encode_frame(TEXT, b"x" * size)
    encoded = Deflater(bits, 100).encode_frames(plain)
    assert (encoded == plain) == (size < 100)
    assert unpacked(encoded) == [(0x81 if size < 100 else 0xC1, b"x" * size)]


def test_each_frame_of_a_packet_is_weighed_by_itself() -> None:
    noise = random.Random(1).randbytes(500)
    plain = [(TEXT, b"a" * 50), (BINARY, b"b" * 500), (BINARY, noise), (TEXT, b"c" * 70_000)]
    encoded = Deflater(15, 100).encode_frames(b"".join(encode_frame(*frame) for frame in plain))
    assert unpacked(encoded) == [(0x81, plain[0][1]), (0xC2, plain[1][1]), (0x82, noise), (0xC1, plain[3][1])]


@pytest.mark.parametrize("bits", [9, 10, 12, 15])
def test_the_window_is_not_greater_than_agreed(bits: int) -> None:
    block = random.Random(2).randbytes(2_000)
    encoded = Deflater(bits, 1).encode_frames(encode_frame(BINARY, block + b"-" * 5_000 + block))
    first, size = encoded[0], int.from_bytes(encoded[2:4], "big")
    assert first == 0xC2
    data = zlib.decompressobj(-bits).decompress(encoded[4 : 4 + size] + b"\0\0\xff\xff")
    assert data == block + b"-" * 5_000 + block
    assert (size < 3_000) == (bits > 12)


# -- the client's messages -------------------------------------------------------------------------------------------


def inflater(*, takes_over: bool = True, bits: int | None = CLIENT_WINDOW_BITS) -> Inflater:
    return Inflater(Agreement(15, bits, takes_over))


class Compressor:
    """A client's half."""

    def __init__(self, *, takes_over: bool = True, bits: int = CLIENT_WINDOW_BITS) -> None:
        self.takes_over, self.bits = takes_over, bits
        self.stream = zlib.compressobj(wbits=-bits)

    def compress(self, data: bytes) -> bytes:
        if not self.takes_over:
            self.stream = zlib.compressobj(wbits=-self.bits)
        return (self.stream.compress(data) + self.stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


def test_the_examples_of_the_specification() -> None:
    stream = inflater()
    assert stream.receive(HELLO, 5, is_last=True) == b"Hello"
    assert stream.receive(bytes.fromhex("f200110000"), 5, is_last=True) == b"Hello"  # 7.2.3.2: by the first one
    assert stream.receive(bytes.fromhex("000500faff48656c6c6f00"), 5, is_last=True) == b"Hello"  # 7.2.3.3
    assert stream.receive(bytes.fromhex("f348cdc9c9070000"), 5, is_last=True) == b"Hello"  # 7.2.3.4: a final block
    assert (
        stream.receive(bytes.fromhex("f24805000000ffffcac9c90700"), 5, is_last=True) == b"Hello"
    )  # 7.2.3.5: two blocks
    assert stream.receive(b"\0", 0, is_last=True) == b""  # 7.2.3.6
    assert stream.receive(HELLO, 5, is_last=True) == b"Hello"


def test_a_message_may_come_in_fragments_of_any_size() -> None:
    stream = inflater()
    for _ in range(2):
        pieces = [stream.receive(HELLO[at : at + 1], 5, is_last=at == len(HELLO) - 1) for at in range(len(HELLO))]
        assert b"".join(pieces) == b"Hello"
    assert stream.receive(HELLO, 5, is_last=False) + stream.receive(b"", 5, is_last=True) == b"Hello"


@given(st.lists(st.binary(max_size=3_000)), st.booleans(), st.sampled_from([8, 9, 12, None]))
def test_messages_round_trip(messages: list[bytes], takes_over: bool, bits: int | None) -> None:
    client = Compressor(takes_over=takes_over, bits=max(bits or 15, 9))
    stream = inflater(takes_over=takes_over, bits=bits)
    for message in messages:
        assert stream.receive(client.compress(message), LIMIT, is_last=True) == message


def test_without_context_take_over_nothing_is_kept() -> None:
    stream = inflater(takes_over=False)
    client = Compressor()
    assert stream.receive(client.compress(b"one two three"), LIMIT, is_last=True) == b"one two three"
    with pytest.raises(ProtocolError):
        stream.receive(client.compress(b"one two three"), LIMIT, is_last=True)


@pytest.mark.parametrize(
    "data", [b"\x07", b"\xff" * 10, bytes.fromhex("f200110000"), b"\x05\xe0\x81\x91\x24\xcb\xb2\x2c"]
)
def test_what_is_no_compressed_data_is_refused_as_such(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="is not compressed as it says") as caught:
        inflater().receive(data, LIMIT, is_last=True)
    assert caught.value.close_code == 1007


@given(st.binary(max_size=300))
def test_no_data_raises_anything_but_protocol_error(data: bytes) -> None:
    try:
        assert len(inflater().receive(data, 1_000, is_last=True)) <= 1_000
    except ProtocolError as error:
        assert error.close_code in (1007, 1009)


# -- limits ----------------------------------------------------------------------------------------------------------


def test_a_message_may_have_exactly_the_limit() -> None:
    stream, client = inflater(), Compressor()
    assert len(stream.receive(client.compress(b"x" * 1_000), 1_000, is_last=True)) == 1_000
    with pytest.raises(ProtocolError) as caught:
        stream.receive(client.compress(b"x" * 1_001), 1_000, is_last=True)
    assert (caught.value.close_code, caught.value.reason) == (1009, "")


def test_a_bomb_costs_no_more_memory_than_the_limit() -> None:
    bomb = Compressor().compress(bytes(30_000_000))
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(ProtocolError) as caught:
        inflater().receive(bomb, 100_000, is_last=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.close_code == 1009
    assert peak < 100_000 * 2 + len(bomb) * 2 + 100_000


def inflate_final_blocks(count: int) -> bytes:
    return inflater().receive(b"\x03\x00" * count + b"\0", LIMIT, is_last=True)


@pytest.mark.parametrize("count", [17, 300_000])
def test_final_blocks_are_counted_as_each_costs_a_new_stream(count: int) -> None:
    assert inflate_final_blocks(16) == b""
    with pytest.raises(ProtocolError, match="too many final blocks") as caught:
        inflate_final_blocks(count)
    assert caught.value.close_code == 1007


def test_final_blocks_behind_those_that_are_too_many_cost_nothing() -> None:
    def refuse(count: int) -> None:
        with pytest.raises(ProtocolError):
            inflate_final_blocks(count)

    assert steps(lambda: refuse(300_000)) == steps(lambda: refuse(17)) > 0


def test_final_blocks_are_counted_per_message() -> None:
    stream = inflater()
    for _ in range(40):
        assert stream.receive(bytes.fromhex("f348cdc9c9070000"), 5, is_last=True) == b"Hello"


def test_a_frame_as_a_client_sends_it_is_what_these_tests_take() -> None:
    """Guard the helper: the specification's first example, masked with zeros, is section 7.2.3.1's frame."""
    assert client_frame(TEXT, HELLO, reserved=0b100, mask=bytes(4)).hex() == "c187" + "00000000" + "f248cdc9c90700"
