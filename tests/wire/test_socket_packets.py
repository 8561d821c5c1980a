"""The official document of Socket.IO protocol 5, "Packet encoding", and what real clients were seen to send."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import is_linear
from webpy_socketio.errors import ProtocolError
from webpy_socketio.types import RESERVED_EVENTS
from webpy_socketio.wire.socket_packets import (
    ACK,
    BINARY_ACK,
    BINARY_EVENT,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
    Packet,
    decode_arguments,
    decode_object,
    decode_packet,
    encode_ack,
    encode_connect,
    encode_connect_4,
    encode_connect_error,
    encode_disconnect,
    encode_error_4,
    encode_event,
)

HOLE = '{"_placeholder":true,"num":0}'


def header(text: str) -> tuple[int, str, int | None, str, int]:
    packet = decode_packet(text)
    return packet.type, packet.namespace, packet.id, packet.data, packet.count


def refusal(text: str) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode_packet(text)
    return caught.value.reason


def arguments(text: str, *attachments: bytes) -> list[Any]:
    packet = decode_packet(text)
    packet.attachments = list(attachments) if packet.count else None
    return decode_arguments(packet)


def test_types_are_those_of_the_document() -> None:
    kinds = (CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK)
    assert kinds == (0, 1, 2, 3, 4, 5, 6)


# -- the examples of the document ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (CONNECT, "/", None, "", 0)),
        ('0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}', (CONNECT, "/admin", None, '{"sid":"oSO0OpakMV_3jnilAAAA"}', 0)),
        ('4{"message":"Not authorized"}', (CONNECT_ERROR, "/", None, '{"message":"Not authorized"}', 0)),
        ('2["foo"]', (EVENT, "/", None, '["foo"]', 0)),
        ('2/admin,["bar"]', (EVENT, "/admin", None, '["bar"]', 0)),
        (f'51-["baz",{HOLE}]', (BINARY_EVENT, "/", None, f'["baz",{HOLE}]', 1)),
        (f'52-/admin,["baz",{HOLE},{HOLE}]', (BINARY_EVENT, "/admin", None, f'["baz",{HOLE},{HOLE}]', 2)),
        ('212["foo"]', (EVENT, "/", 12, '["foo"]', 0)),
        ('3/admin,13["bar"]', (ACK, "/admin", 13, '["bar"]', 0)),
        (f'61-15["bar",{HOLE}]', (BINARY_ACK, "/", 15, f'["bar",{HOLE}]', 1)),
        ("1", (DISCONNECT, "/", None, "", 0)),
        ("1/admin,", (DISCONNECT, "/admin", None, "", 0)),
        ("0/admin,", (CONNECT, "/admin", None, "", 0)),
        ('2/admin,1["tellme"]', (EVENT, "/admin", 1, '["tellme"]', 0)),
        (f"61-/admin,1[{HOLE}]", (BINARY_ACK, "/admin", 1, f"[{HOLE}]", 1)),
    ],
)
def test_the_packets_of_the_document_are_decoded(text: str, expected: tuple[object, ...]) -> None:
    assert header(text) == expected


def test_the_packets_of_the_document_are_encoded() -> None:
    assert encode_connect("/admin", "oSO0OpakMV_3jnilAAAA") == b'0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}'
    assert encode_connect("/", "wZX3oN0bSVIhsaknAAAI") == b'0{"sid":"wZX3oN0bSVIhsaknAAAI"}'
    assert encode_connect_error("/", "Not authorized") == b'4{"message":"Not authorized"}'
    assert encode_event("/", None, ["foo"]) == (b'2["foo"]', [])
    assert encode_event("/admin", None, ["bar"]) == (b'2/admin,["bar"]', [])
    assert encode_event("/", None, ["baz", b"\1\2\3\4"]) == (f'51-["baz",{HOLE}]'.encode(), [b"\1\2\3\4"])
    assert encode_event("/admin", None, ["baz", b"\1\2", b"\3\4"]) == (
        f'52-/admin,["baz",{HOLE},{HOLE.replace("0", "1")}]'.encode(),
        [b"\1\2", b"\3\4"],
    )
    assert encode_event("/", 12, ["foo"]) == (b'212["foo"]', [])
    assert encode_ack("/admin", 13, ["bar"]) == (b'3/admin,13["bar"]', [])
    assert encode_ack("/", 0, []) == (b"30[]", [])
    assert encode_ack("/", 15, ["bar", b"\1\2\3\4"]) == (f'61-15["bar",{HOLE}]'.encode(), [b"\1\2\3\4"])
    assert encode_disconnect("/") == b"1"
    assert encode_disconnect("/admin") == b"1/admin,"


def test_protocol_4_has_no_session_id_in_connect_and_any_value_in_error() -> None:
    assert (encode_connect_4("/"), encode_connect_4("/admin")) == (b"0", b"0/admin,")
    assert encode_error_4("/", "Not authorized") == b'4"Not authorized"'
    assert encode_error_4("/random", {"code": 7}) == b'4/random,{"code":7}'


# -- what was captured from socket.io 4.8 and its clients ------------------------------------------------------------


def test_captured_connects() -> None:
    assert decode_object(decode_packet('0{"token":"t"}')) == {"token": "t"}
    resumed = '0{"pid":"Q-EU5678901234567890","offset":"Q7u8jcl","token":"t"}'
    assert decode_object(decode_packet(resumed)) == {
        "pid": "Q-EU5678901234567890",
        "offset": "Q7u8jcl",
        "token": "t",
    }
    assert decode_object(decode_packet("0")) == {}
    assert encode_connect_error("/random", "Invalid namespace") == b'4/random,{"message":"Invalid namespace"}'


def test_captured_events() -> None:
    assert arguments('2["ev",1,"Q7u8jck"]') == ["ev", 1, "Q7u8jck"]
    assert arguments(f'51-["bin",{HOLE},"Q7u8jcl"]', b"\xde\xad") == ["bin", b"\xde\xad", "Q7u8jcl"]
    assert arguments('2["m1","Q7u8jeU.0"]') == ["m1", "Q7u8jeU.0"]


def test_a_namespace_without_a_comma_is_all_of_the_rest() -> None:
    assert header("0/random") == (CONNECT, "/random", None, "", 0)
    assert header("1/custom") == (DISCONNECT, "/custom", None, "", 0)
    assert header('0/chat{"a":1}') == (CONNECT, '/chat{"a":1}', None, "", 0)


def test_the_main_namespace_may_be_spelt_out() -> None:
    assert header("0/,") == header("0")
    assert header('2/,7["a"]') == (EVENT, "/", 7, '["a"]', 0)


def test_a_namespace_may_hold_a_query_and_any_letters() -> None:
    assert header("0/abc?a=b,")[1] == "/abc?a=b"
    assert header('2/ünï/1-[x],["a"]')[1:4] == ("/ünï/1-[x]", None, '["a"]')


# -- headers that must not be ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "7", "9[]", "abc", "-1", " 2", "/", "²", "٢", "\ud800", "[", "\x00"])
def test_unknown_types_are_refused(text: str) -> None:
    assert refusal(text) == f"expected a packet type from 0 to 6, not {text[:1]!r}"


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "5-",
        '5["a"]',
        '51["a"]',
        "51",
        "5-1-[]",
        "5+1-[]",
        "5 1-[]",
        "51 -[]",
        "51.0-[]",
        "51e1-[]",
        "50x1-[]",
        "5٣-[]",
        "5²-[]",
        "5a-[]",
        "5/ns,1-[]",
        "6",
        "6-1[]",
        "6a-1[]",
    ],
)
def test_a_binary_packet_begins_with_the_number_of_its_attachments(text: str) -> None:
    assert refusal(text) == "a binary packet begins with the number of its attachments and a dash"


@pytest.mark.parametrize("digits", ["99999", "1" * 17, "9" * 100_000])
def test_a_count_of_too_many_digits_is_refused(digits: str) -> None:
    assert "number of its attachments" in refusal(f'5{digits}-["a"]')


def test_a_large_count_is_given_as_it_came() -> None:
    assert header('59999-["a"]')[4] == 9999
    assert header('50-["a"]')[4] == 0


def test_ack_ids_of_15_digits_are_taken_and_more_are_refused() -> None:
    assert header("3999999999999999[]")[2] == 999_999_999_999_999
    assert header('2/n,000000000000007["a"]')[2] == 7
    for digits in ("1" * 16, "0" * 16, "9" * 1_000_000):
        assert refusal(f"3{digits}[]") == "an ack id has too many digits"


@pytest.mark.parametrize(
    ("text", "id_", "data"),
    [
        ('2-1["a"]', None, '-1["a"]'),
        ("3²[]", None, "²[]"),
        ("31٣[]", 1, "٣[]"),
        ("3 1[]", None, " 1[]"),
        ("31 []", 1, " []"),
        ('2abc["a"]', None, 'abc["a"]'),
    ],
)
def test_an_ack_id_is_ascii_digits_and_what_else_stands_there_is_payload(text: str, id_: int | None, data: str) -> None:
    assert header(text)[2:4] == (id_, data)


# -- payloads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2",
        "2{}",
        "2null",
        '2"a"',
        '2abc["a"]',
        '2-1["a"]',
        '2["a"',
        '2["a"]]',
        '2["a"],',
        '2["a",]',
        '2["a",NaN]',
        "3",
        "31",
        "31{}",
        "31null",
        '31{"length":1}',
    ],
)
def test_the_payload_of_an_event_or_ack_must_be_an_array(text: str) -> None:
    with pytest.raises(ProtocolError):
        arguments(text)


@pytest.mark.parametrize("text", ["2[]", "2[null]", "2[true]", "2[[]]", '2[["a"]]', "2[{}]"])
def test_an_event_begins_with_its_name(text: str) -> None:
    with pytest.raises(ProtocolError, match="an event begins with its name"):
        arguments(text)


@pytest.mark.parametrize("shape", ['{"toString":"foo"}', '{"length":1}', '{"__proto__":{}}'])
def test_cve_2023_32695_an_object_is_no_name(shape: str) -> None:
    with pytest.raises(ProtocolError, match="an event begins with its name"):
        arguments(f"2[{shape}]")


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
def test_reserved_names_are_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match="reserved"):
        arguments(f'2["{name}",1]')
    with pytest.raises(ProtocolError, match="reserved"):
        arguments(f'51-["{name}",{HOLE}]', b"x")
    assert arguments(f'31["{name}"]') == [name]


def test_reserved_are_the_names_that_clients_use_themselves() -> None:
    assert {
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    } == RESERVED_EVENTS


@pytest.mark.parametrize("name", ["error", "", "message", "__subscribe__", "constructor", "é😀", "connection"])
def test_cve_2024_38355_any_other_name_is_an_ordinary_event(name: str) -> None:
    assert arguments(f'2["{name}",1]') == [name, 1]


@pytest.mark.parametrize(
    ("written", "name"), [("42", "42"), ("0", "0"), ("-1", "-1"), ("1.5", "1.5"), ("1e3", "1000"), ("2.0", "2")]
)
def test_a_number_as_name_is_taken_as_text_as_in_node(written: str, name: str) -> None:
    assert arguments(f'2[{written},"x"]') == [name, "x"]


def test_an_ack_may_have_any_values() -> None:
    assert arguments("31[]") == []
    assert arguments('31[null,{"a":[1]},"x"]') == [None, {"a": [1]}, "x"]


def test_a_placeholder_in_a_packet_without_attachments_is_an_ordinary_object() -> None:
    assert arguments(f'2["a",{HOLE}]') == ["a", {"_placeholder": True, "num": 0}]


@pytest.mark.parametrize("num", ["1", "-1", "0.5", '"0"', "null", "true", "[0]", "1e400", str(10**30)])
def test_cve_2022_2421_a_placeholder_must_name_an_attachment(num: str) -> None:
    with pytest.raises(ProtocolError):
        arguments(f'51-["a",{{"_placeholder":true,"num":{num}}}]', b"x")


def test_cve_2022_2421_a_placeholder_is_no_name_and_no_payload() -> None:
    with pytest.raises(ProtocolError, match="an event begins with its name"):
        arguments(f"51-[{HOLE}]", b"name")
    with pytest.raises(ProtocolError, match="must be an array"):
        arguments(f"51-{HOLE}", b'["a"]')


def test_a_broken_payload_with_attachments_is_refused() -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        arguments('51-["a"', b"x")


def test_an_attachment_may_come_without_a_placeholder() -> None:
    assert arguments('51-["a"]', b"unused") == ["a"]
    packet = decode_packet('50-["a"]')
    packet.attachments = []
    assert decode_arguments(packet) == ["a"]


@pytest.mark.parametrize("data", ["[]", "null", '"token"', "-1", "{", '{"a":1}}', ",", "x", "NaN"])
def test_the_payload_of_connect_must_be_an_object(data: str) -> None:
    with pytest.raises(ProtocolError):
        decode_object(decode_packet(f"0/ns,{data}"))


def test_a_connect_error_may_carry_data() -> None:
    assert encode_connect_error("/n", "no", {"code": [1]}) == b'4/n,{"message":"no","data":{"code":[1]}}'
    assert encode_connect_error("/", "cut \ud83d", 0) == '4{"message":"cut \ufffd","data":0}'.encode()


def test_only_events_and_acks_carry_binary_data() -> None:
    with pytest.raises(TypeError, match="bytes cannot be sent"):
        encode_connect_error("/", "no", b"x")


# -- round trips and hostile input -----------------------------------------------------------------------------------

namespaces = st.text(st.characters(codec="utf-8", exclude_characters=","), max_size=8).map(lambda rest: f"/{rest}")
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
names = st.text(max_size=8).filter(lambda name: name not in RESERVED_EVENTS)


def received(text: bytes, attachments: list[bytes]) -> Packet:
    packet = decode_packet(text.decode())
    assert packet.count == len(attachments)
    packet.attachments = attachments if packet.count else None
    return packet


@given(namespaces, st.none() | st.integers(0, 10**15 - 1), names, st.lists(values, max_size=4))
def test_events_round_trip(namespace: str, id_: int | None, name: str, rest: list[Any]) -> None:
    packet = received(*encode_event(namespace, id_, [name, *rest]))
    assert packet.type == (BINARY_EVENT if packet.count else EVENT)
    assert (packet.namespace, packet.id, decode_arguments(packet)) == (namespace, id_, [name, *rest])


@given(namespaces, st.integers(0, 10**15 - 1), st.lists(values, max_size=4))
def test_acks_round_trip(namespace: str, id_: int, rest: list[Any]) -> None:
    packet = received(*encode_ack(namespace, id_, rest))
    assert packet.type == (BINARY_ACK if packet.count else ACK)
    assert (packet.namespace, packet.id, decode_arguments(packet)) == (namespace, id_, rest)


@given(namespaces, st.text(max_size=20))
def test_connects_and_refusals_round_trip(namespace: str, text: str) -> None:
    packet = decode_packet(encode_connect(namespace, text).decode())
    assert (packet.type, packet.namespace, decode_object(packet)) == (CONNECT, namespace, {"sid": text})
    packet = decode_packet(encode_connect_error(namespace, text).decode())
    assert (packet.type, packet.namespace, decode_object(packet)) == (CONNECT_ERROR, namespace, {"message": text})
    packet = decode_packet(encode_disconnect(namespace).decode())
    assert (packet.type, packet.namespace, packet.data) == (DISCONNECT, namespace, "")


likely = st.text(st.sampled_from('0123456-/,[]{}"a:n ٣'), max_size=30)


@given(st.one_of(likely, st.text(st.characters(codec=None))), st.lists(st.binary(max_size=4), max_size=3))
def test_no_text_raises_anything_but_protocol_error(text: str, attachments: list[bytes]) -> None:
    for decode in (decode_arguments, decode_object):
        try:
            packet = decode_packet(text)
            packet.attachments = attachments
            decode(packet)
        except ProtocolError as error:
            assert error.close_code == 1002


@pytest.mark.parametrize(
    ("head", "piece", "tail"),
    [
        ("2", "1", ""),
        ("5", "1", ""),
        ("", "5", ""),
        ("2/", "x", ""),
        ("", "2/,", ""),
        ('2["', "x", '"]'),
        ("2", "[", ""),
    ],
)
def test_cve_2020_36049_a_huge_packet_costs_linear_time(head: str, piece: str, tail: str) -> None:
    def decode(size: int) -> None:
        try:
            arguments(head + piece * (size // len(piece)) + tail)
        except ProtocolError:
            pass  # refused or taken: the time is what counts

    assert is_linear(decode, 1_000_000)
