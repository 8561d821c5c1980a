from __future__ import annotations

import pytest

from tests.support.transcripts import CUTS, Cut, client_frame, close_payload, cut_at, told


def test_a_client_frame_is_that_of_the_specification() -> None:
    # RFC 6455 section 5.7
    assert client_frame(1, b"Hello") == bytes.fromhex("818537fa213d7f9f4d5158")
    assert client_frame(1, b"Hel", final=False, mask=None) == bytes.fromhex("010348656c")
    assert client_frame(2, bytes(256), mask=None)[:4] == bytes.fromhex("827e0100")
    assert client_frame(2, bytes(65_536), mask=None)[:10] == bytes.fromhex("827f0000000000010000")


def test_a_client_frame_can_be_wrong_in_each_field() -> None:
    assert client_frame(1, reserved=0b101)[0] == 0xD1
    assert client_frame(1, b"ab", mask=None, length_bytes=8) == b"\x81\x7f" + bytes(7) + b"\x02ab"


@pytest.mark.parametrize("cut", CUTS)
def test_cutting_loses_nothing(cut: Cut) -> None:
    assert b"".join(cut(b"abc")) == b"abc"


def test_a_stream_is_cut_at_the_given_places() -> None:
    assert cut_at(b"abcdef", [2, 4]) == [b"ab", b"cd", b"ef"]
    assert cut_at(b"", [7]) == [b"", b""]


def test_outcomes_are_written_down_with_all_they_say() -> None:
    class Slotted:
        __slots__ = ("b", "a")

        def __init__(self) -> None:
            self.b, self.a = 2, 1

    class Plain:
        def __init__(self) -> None:
            self.reason = "why"

    assert [told(value) for value in (None, "text", b"data", Slotted(), Plain())] == [
        None,
        "text",
        b"data",
        ("Slotted", 1, 2),
        ("Plain", "why"),
    ]


def test_a_close_payload_is_a_code_and_a_reason() -> None:
    assert close_payload(1000, b"bye") == b"\x03\xe8bye"
