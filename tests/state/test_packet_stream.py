"""A header in text, then its attachments, one message each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpy_socketio.errors import ProtocolError
from webpy_socketio.state.packet_stream import PacketStream
from webpy_socketio.wire.socket_packets import Packet, encode_event

HOLE = '{"_placeholder":true,"num":0}'


def said(outcome: Packet | ProtocolError | None) -> Any:
    if isinstance(outcome, Packet):
        return (outcome.type, outcome.namespace, outcome.id, outcome.data, outcome.attachments)
    return outcome if outcome is None else outcome.reason


def heard(*messages: str | bytes, limit: int = 10) -> list[Any]:
    stream = PacketStream(limit)
    return [said(stream.receive_message(message)) for message in messages]


def test_packets_without_attachments_come_at_once() -> None:
    assert heard("0", '2/n,1["a"]', "31[]", "1") == [
        (0, "/", None, "", None),
        (2, "/n", 1, '["a"]', None),
        (3, "/", 1, "[]", None),
        (1, "/", None, "", None),
    ]


def test_the_packet_of_the_document_comes_with_its_last_attachment() -> None:
    text = f'52-/admin,["baz",{HOLE},{HOLE.replace("0", "1")}]'
    whole = (5, "/admin", None, text[10:], [b"\1\2", b"\3\4"])
    assert heard(text, b"\1\2", b"\3\4", '2["next"]') == [None, None, whole, (2, "/", None, '["next"]', None)]


def test_the_ack_of_the_document_comes_with_its_attachment() -> None:
    assert heard(f'61-15["bar",{HOLE}]', b"") == [None, (6, "/", 15, f'["bar",{HOLE}]', [b""])]


def test_a_binary_packet_that_announces_nothing_waits_for_nothing() -> None:
    assert heard('50-["a"]', '2["b"]') == [(5, "/", None, '["a"]', []), (2, "/", None, '["b"]', None)]


def test_packets_follow_each_other() -> None:
    assert [said is not None for said in heard("51-[]", b"a", "51-[]", b"b", "2[]", "62-1[]", b"", b"")] == [
        False,
        True,
        False,
        True,
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("text", ["", "7", "5[]", "2" + "1" * 16])
def test_a_broken_header_is_an_outcome(text: str) -> None:
    (reason,) = heard(text)
    assert isinstance(reason, str)


@pytest.mark.parametrize("text", ['2["a"]', "51-[]", "", "x"])
def test_text_in_place_of_an_attachment_is_an_outcome(text: str) -> None:
    assert heard("52-[]", b"1", text) == [None, None, "text in place of a binary attachment"]


@pytest.mark.parametrize("before", [[], ['2["a"]'], ["51-[]", b"x"], ["50-[]"]])
def test_binary_data_that_no_packet_announced_is_an_outcome(before: list[str | bytes]) -> None:
    assert heard(*before, b"x")[-1] == "binary data that no packet announced"


def test_cve_2026_33151_the_number_of_attachments_is_bounded() -> None:
    assert heard("510-[]") == [None]
    assert heard("511-[]") == ["11 attachments, more than 10"]
    assert heard("59999-[]") == ["9999 attachments, more than 10"]
    assert heard("61-1[]", limit=0) == ["1 attachments, more than 0"]


def test_cve_2020_36049_attachments_that_never_come_hold_nothing_but_their_packet() -> None:
    # Nothing is set aside for what was announced; a second header is a violation and not a second wait.
    assert heard("510-[]", "510-[]") == [None, "text in place of a binary attachment"]


@given(st.lists(st.lists(st.binary(max_size=5) | st.integers(), max_size=4), max_size=5))
def test_what_is_encoded_comes_out_of_the_stream(events: list[list[Any]]) -> None:
    stream = PacketStream(10)
    for values in events:
        text, attachments = encode_event("/", None, ["e", *values])
        messages: list[str | bytes] = [text.decode(), *attachments]
        outcomes = [stream.receive_message(message) for message in messages]
        assert outcomes[:-1] == [None] * len(attachments)
        packet = outcomes[-1]
        assert isinstance(packet, Packet)
        assert (packet.attachments or []) == attachments


@given(st.lists(st.one_of(st.text(st.sampled_from("0123456-/,[]"), max_size=8), st.binary(max_size=3)), max_size=8))
def test_no_messages_raise(messages: list[str | bytes]) -> None:
    assert len(heard(*messages, limit=2)) == len(messages)
