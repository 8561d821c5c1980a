"""Every line about values in the public contract, both ways."""

from __future__ import annotations

import dataclasses
import enum
import json
import uuid
from collections import OrderedDict, defaultdict, namedtuple
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import is_linear
from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.attachments import join_attachments
from webpy_socketio.wire.values import decode_value, encode_value

HIGH, LOW = "\ud83d", "\ude00"  # the halves of an emoji
BIG = 2**64


def encoded(value: object) -> tuple[str, list[bytes]]:
    attachments: list[bytes] = []
    return encode_value(value, attachments).decode(), attachments


def hole(number: int) -> str:
    return f'{{"_placeholder":true,"num":{number}}}'


# -- plain JSON ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (-1.5, "-1.5"),
        ("", '""'),
        ("naïve 日本 😀", '"naïve 日本 😀"'),
        ([], "[]"),
        ({}, "{}"),
        ((1, (2,)), "[1,[2]]"),
        ([1, "two", {"three": [4.5, None, True]}], '[1,"two",{"three":[4.5,null,true]}]'),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (defaultdict(list, a=[1]), '{"a":[1]}'),
    ],
)
def test_json_values_are_written_as_compact_utf8(value: object, text: str) -> None:
    assert encode_value(value) == text.encode()


def test_control_characters_are_escaped_so_that_a_payload_cannot_be_split() -> None:
    assert encode_value("a\x1eb\x00\n") == b'"a\\u001eb\\u0000\\n"'


@pytest.mark.parametrize("number", [2**53, -(2**53) - 1, 2**63 - 1, -(2**63), 2**64 - 1])
def test_integers_of_64_bits_are_exact_both_ways(number: int) -> None:
    assert encode_value(number) == str(number).encode()
    assert decode_value(str(number)) == number


# -- what JavaScript does --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("kind", [float, Decimal])
def test_nan_and_infinities_become_null(kind: type, number: float) -> None:
    assert encode_value([kind(number)]) == b"[null]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HIGH, "\ufffd"),
        (LOW, "\ufffd"),
        (f"a{HIGH}b", "a\ufffdb"),
        (f"{LOW}{HIGH}", "\ufffd\ufffd"),
        (f"{HIGH}{HIGH}😀{LOW}", "\ufffd\ufffd😀\ufffd"),
    ],
)
def test_a_lone_surrogate_becomes_a_replacement_character_on_the_way_out(text: str, expected: str) -> None:
    assert encode_value(text) == f'"{expected}"'.encode()
    assert encode_value({text: [text]}) == f'{{"{expected}":["{expected}"]}}'.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\ud83d", "\ufffd"),
        (r"\uDE00", "\ufffd"),
        (r"\ud83d\ude00", "😀"),
        (r"\uD83D\uDE00", "😀"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\ud83d\ude00\ude00", "😀\ufffd"),
        (r"\ud83dx", "\ufffdx"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\ud83d\n", "\ufffd\n"),
        (r"\ud83d\\ude00", "\ufffd\\ude00"),
        (r"\\ud83d\ude00", "\\ud83d\ufffd"),
        (r"\\\ud83d\"\/", '\\\ufffd"/'),
        (r"\uda00" * 3 + r"\t" * 200 + r"\udc00", "\ufffd" * 3 + "\t" * 200 + "\ufffd"),
        (HIGH + "x", "\ufffdx"),
        (HIGH + LOW, "\ufffd\ufffd"),
        (r"\ufffd\ue000", "\ufffd\ue000"),
    ],
)
def test_a_lone_surrogate_becomes_a_replacement_character_on_the_way_in(text: str, expected: str) -> None:
    assert decode_value(f'"{text}"') == expected
    assert decode_value(f'{{"{text}":["{text}"]}}') == {expected: [expected]}


@given(st.text(st.characters(codec=None), max_size=30))
def test_surrogates_are_replaced_as_a_browser_would(text: str) -> None:
    # What U+FFFD stands for is defined by UTF-16, in which JavaScript holds its strings.
    expected = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert decode_value(json.dumps(text)) == expected


def test_a_surrogate_changes_nothing_else_in_a_message() -> None:
    text = r'["\ud83d",18446744073709551615,18446744073709551616,1.0,-0,{"a":[null,true]}]'
    values = decode_value(text)
    assert values == ["\ufffd", 18446744073709551615, 18446744073709551616.0, 1.0, 0, {"a": [None, True]}]
    assert [type(value) for value in values] == [str, int, float, float, int, dict]


def test_integers_above_64_bits_arrive_as_floats_as_in_javascript() -> None:
    assert decode_value("[18446744073709551616,-9223372036854775809]") == [2.0**64, -(2.0**63)]


# -- what JSON cannot say by itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", ["0", "-0", "1.10", "0.1", "1E+3", "0E-7", "-1.23E-50", "3.141592653589793238462643383279502884197"]
)
def test_decimals_are_exact_numbers(number: str) -> None:
    assert encode_value([Decimal(number)]) == f"[{number}]".encode()
    assert Decimal(json.loads(encode_value(Decimal(number)), parse_float=str, parse_int=str)) == Decimal(number)


def test_decimals_are_exact_beside_what_has_to_be_rewritten() -> None:
    assert encode_value([Decimal("1.10"), BIG, HIGH]) == f'[1.10,{BIG},"\ufffd"]'.encode()


@pytest.mark.parametrize("number", [BIG, -BIG, -(2**63) - 1, 10**400])
def test_integers_above_64_bits_are_written_out(number: int) -> None:
    assert encode_value({"n": [number]}) == f'{{"n":[{number}]}}'.encode()


def test_an_integer_too_long_to_be_written_is_an_error() -> None:
    with pytest.raises(ValueError, match="digits"):
        encode_value(10**5000)


class Colour(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("key", "text"),
    [(1, "1"), (1.5, "1.5"), (True, "true"), (None, "null"), (BIG, str(BIG)), (Colour.RED, "red"), (Level.HIGH, "3")],
)
def test_keys_that_are_no_strings_are_written_as_javascript_does(key: object, text: str) -> None:
    assert encode_value({key: 1}) == f'{{"{text}":1}}'.encode()


@pytest.mark.parametrize("key", [(1, 2), b"bytes", Decimal(1), frozenset(), date(2026, 1, 2)])
def test_other_keys_are_an_error_that_names_them(key: object) -> None:
    with pytest.raises(TypeError, match=f"Keys of objects must be strings or numbers, not {type(key).__name__}"):
        encode_value([{key: 1}])


def test_dates_and_uuids_become_strings() -> None:
    zone = timezone(timedelta(hours=2))
    values = [datetime(2026, 1, 2, 3, 4, 5, 678, zone), date(2026, 1, 2), uuid.UUID(int=1), Colour.RED, Level.HIGH]
    assert encode_value(values) == (
        b'["2026-01-02T03:04:05.000678+02:00","2026-01-02","00000000-0000-0000-0000-000000000001","red",3]'
    )


@dataclasses.dataclass
class Point:
    x: int
    label: str = "p"
    data: Any = None
    _private: int = 0


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("name", "_private")
    name: str
    _private: int


Named = namedtuple("Named", "first second")


def test_dataclasses_become_objects_and_keep_private_fields_to_themselves() -> None:
    assert encoded([Point(1), Slotted("s", 2)]) == ('[{"x":1,"label":"p","data":null},{"name":"s"}]', [])


@pytest.mark.parametrize("awkward", [HIGH, BIG, {1: 2}])
def test_dataclasses_are_the_same_beside_what_has_to_be_rewritten(awkward: object) -> None:
    rest, _ = encoded(awkward)
    point = Point(1, HIGH, data=[Slotted(HIGH, 1), b"x"])
    assert encoded([awkward, point]) == (
        f'[{rest},{{"x":1,"label":"\ufffd","data":[{{"name":"\ufffd"}},{hole(0)}]}}]',
        [b"x"],
    )


def test_named_tuples_become_arrays() -> None:
    assert encode_value(Named(1, Named("a", None))) == b'[1,["a",null]]'
    assert encode_value([Named(HIGH, 2)]) == '[["\ufffd",2]]'.encode()


# -- binary data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_binary_data_becomes_an_attachment_of_bytes(kind: Any) -> None:
    text, attachments = encoded(["a", kind(b"\x00\xff")])
    assert text == f'["a",{hole(0)}]'
    assert attachments == [b"\x00\xff"]
    assert type(attachments[0]) is bytes


def test_an_attachment_does_not_change_when_its_source_does() -> None:
    source = bytearray(b"before")
    _, attachments = encoded([source])
    source[:] = b"after!"
    assert attachments == [b"before"]


def test_attachments_are_numbered_in_the_order_of_the_text() -> None:
    value = [b"0", {"a": b"1", "b": [b"2", Point(1, data=b"3")]}, (b"4",), Named(b"5", b"6")]
    text, attachments = encoded(value)
    assert attachments == [b"0", b"1", b"2", b"3", b"4", b"5", b"6"]
    assert [text.index(hole(number)) for number in range(7)] == sorted(text.index(hole(number)) for number in range(7))


@pytest.mark.parametrize("awkward", [HIGH, BIG, {1: 2}])
def test_attachments_are_numbered_afresh_when_a_value_is_encoded_again(awkward: object) -> None:
    rest, _ = encoded(awkward)
    assert encoded([b"0", b"1", awkward, b"2"]) == (f"[{hole(0)},{hole(1)},{rest},{hole(2)}]", [b"0", b"1", b"2"])


@pytest.mark.parametrize("awkward", [None, HIGH])
def test_attachments_that_are_there_already_stay(awkward: object) -> None:
    attachments = [b"already"]
    text = encode_value([b"new", awkward], attachments).decode()
    assert text.startswith(f"[{hole(1)},")
    assert attachments == [b"already", b"new"]


@pytest.mark.parametrize("value", [b"x", bytearray(b"x"), memoryview(b"x")])
def test_binary_data_outside_of_events_is_an_error(value: object) -> None:
    with pytest.raises(TypeError, match=f"{type(value).__name__} cannot be sent: .* or, in events, bytes"):
        encode_value({"a": value})


# -- what cannot be sent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beside", [None, HIGH, BIG])
@pytest.mark.parametrize("value", [object(), 1j, len, Point, range(3), iter([]), Exception("x")])
def test_what_cannot_be_sent_is_an_error_that_names_it(value: object, beside: object) -> None:
    with pytest.raises(
        TypeError, match=f"^{type(value).__name__} cannot be sent: expected JSON values, Decimal"
    ) as caught:
        encode_value([beside, {"a": value}], [])
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("beside", [None, HIGH])
@pytest.mark.parametrize("value", [{1, 2}, frozenset("a")])
def test_sets_have_no_order(value: object, beside: object) -> None:
    with pytest.raises(
        TypeError, match=f"A {type(value).__name__} has no order and cannot be sent; make it a list first"
    ):
        encode_value([beside, value])


def test_a_value_that_contains_itself_is_an_error() -> None:
    endless: list[Any] = [1]
    endless += [endless, endless]
    with pytest.raises(ValueError, match="deeper than 200 levels, or contains itself"):
        encode_value(endless)
    circle: dict[str, Any] = {}
    circle["self"] = [Point(1, data=circle)]
    with pytest.raises(ValueError, match="contains itself"):
        encode_value(circle, [])


@dataclasses.dataclass
class Node:
    parent: Any = None
    children: Any = ()


@pytest.mark.parametrize(
    "hold", [lambda node: [node], lambda node: {"a": node}, lambda node: (node,), lambda node: node]
)
@pytest.mark.parametrize("beside", [None, HIGH, b"x"])
def test_cve_2025_67221_a_tree_that_knows_its_parents_is_an_error_and_no_crash(hold: Any, beside: object) -> None:
    root = Node()
    root.children = hold(Node(parent=root))
    with pytest.raises(ValueError, match="contains itself"):
        encode_value([beside, root], [])


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_values_may_be_nested_deeply_but_not_without_end() -> None:
    assert encode_value(nested(200)) == b"[" * 200 + b"]" * 200
    assert encode_value([HIGH, nested(200)])
    with pytest.raises(ValueError, match="deeper than 200 levels"):
        encode_value([HIGH, nested(201)])
    objects: dict[str, Any] = {}
    for _ in range(199):
        objects = {"a": objects}
    assert encode_value([HIGH, objects])
    with pytest.raises(ValueError, match="deeper than 200 levels"):
        encode_value([HIGH, {"a": objects}])
    for depth in (300, 5_000, 100_000):
        with pytest.raises(ValueError, match="deeper than 200 levels"):
            encode_value(nested(depth))


def test_a_released_view_is_an_error() -> None:
    view = memoryview(b"x")
    view.release()
    with pytest.raises((TypeError, ValueError)):
        encode_value([view], [])


# -- decoding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["null", "true", "1", "-0.5e3", '"é"', "[]", '{"a":[{}]}', " \t\r\n[1 , 2]\n"])
def test_json_is_decoded_from_text_and_from_bytes(text: str) -> None:
    assert decode_value(text) == decode_value(text.encode()) == json.loads(text)


BROKEN = [
    "",
    " ",
    "[",
    "]",
    "[1,]",
    "[1 2]",
    '{"a"}',
    '{"a":1,}',
    "{a:1}",
    "{1:1}",
    "'a'",
    '"a',
    '"\\x41"',
    '"\\u12"',
    '"\\ud8"',
    '"\\ud83d',
    '"\n"',
    '"\x00"',
    "01",
    "+1",
    "1.",
    ".5",
    "0x1",
    "1 1",
    "NaN",
    "Infinity",
    "-Infinity",
    '["\\ud800",NaN]',
    '["\\ud800",Infinity]',
    "undefined",
    "True",
    "nul",
    "\ufeff1",
    "\x0b1",
    "\ud800",
    "// comment",
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match=r"^not JSON: "):
        decode_value(text)


@pytest.mark.parametrize(
    "data",
    [
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
        '"a"'.encode("utf-16"),
        '"a"'.encode("utf-16-le"),
        '"a"'.encode("utf-32"),
    ],
)
def test_json_is_utf8_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_value(data)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400])
@pytest.mark.parametrize("beside", ["1", r'"\ud800"'])
def test_a_number_that_no_float_can_hold_is_refused(number: str, beside: str) -> None:
    with pytest.raises(ProtocolError):
        decode_value(f"[{beside},{number}]")


@pytest.mark.parametrize("beside", ["1", r'"\ud800"'])
@pytest.mark.parametrize("depth", [1_100, 100_000, 400_000])
def test_cve_2024_27454_nesting_that_is_too_deep_is_refused(beside: str, depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        with pytest.raises(ProtocolError):
            decode_value(f"[{beside}," + opening * depth + "1" + closing * depth + "]")
        with pytest.raises(ProtocolError):
            decode_value(f"[{beside}," + opening * depth)


@pytest.mark.parametrize("depth", [100, 1_000])
def test_nesting_that_is_merely_deep_is_taken(depth: int) -> None:
    value = decode_value('{"\\ud800":' + "[" * depth + "]" * depth + "}")["\ufffd"]
    for _ in range(depth - 1):
        (value,) = value
    assert value == []


@pytest.mark.parametrize(
    ("head", "piece", "tail"),
    [
        ('["\\ud800', "\\n", '"]'),
        ('["\\ud800', "\\na", '"]'),
        ('["', "\\ud800", '"]'),
        ('["\\udc00', "\\ud83d\\ude00", '"]'),
        ('["\\ud800', "\\\\", '"]'),
        ('["\\ud800"', ",1", "]"),
        ('["\\ud800",', "9", "]"),
        ("", "\\ud83d\\u", ""),
        ("", "\\", ""),
        ("", "[", ""),
    ],
)
def test_hostile_text_costs_linear_time(head: str, piece: str, tail: str) -> None:
    def decode(size: int) -> None:
        try:
            decode_value(head + piece * (size // len(piece)) + tail)
        except ProtocolError:
            pass  # refused or taken: the time is what counts

    assert is_linear(decode, 960_000)


@given(st.one_of(st.text(st.characters(codec=None)), st.binary(), st.text(r'[]{},:"\udDcC80aA1eE+-. tn').map(str)))
def test_no_text_raises_anything_but_protocol_error(text: str | bytes) -> None:
    try:
        decode_value(text)
    except ProtocolError as error:
        assert error.close_code == 1002


# -- round trips -----------------------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
json_values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
binary_values = st.recursive(
    scalars | st.binary() | st.text(st.characters(codec=None), max_size=5).map(lambda text: text + HIGH),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_values_round_trip(value: Any) -> None:
    assert decode_value(encode_value(value)) == value
    assert json.loads(encode_value(value)) == value


def as_received(value: Any) -> Any:
    """Say what arrives when ``value`` is sent: the same, with U+FFFD in place of surrogates."""
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    if isinstance(value, list):
        return [as_received(item) for item in value]
    if isinstance(value, dict):
        return {key: as_received(item) for key, item in value.items()}
    return value


@given(binary_values)
def test_values_with_binary_data_round_trip(value: Any) -> None:
    attachments: list[bytes] = []
    text = encode_value(value, attachments)
    assert join_attachments(decode_value(text), attachments) == as_received(value)
