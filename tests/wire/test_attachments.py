"""Placeholders back to bytes (socket.io-protocol 5, "Packet encoding")."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import is_linear
from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.attachments import join_attachments


def placeholder(number: object) -> dict[str, object]:
    return {"_placeholder": True, "num": number}


def test_attachments_come_to_their_places_at_any_depth() -> None:
    value = ["a", placeholder(1), {"b": [placeholder(0), {"c": placeholder(2)}]}]
    assert join_attachments(value, [b"0", b"1", b"2"]) == ["a", b"1", {"b": [b"0", {"c": b"2"}]}]


def test_a_value_may_be_an_attachment_itself() -> None:
    assert join_attachments(placeholder(0), [b"all"]) == b"all"


@pytest.mark.parametrize("value", [None, 1, "text", True, [], {}])
def test_what_holds_no_placeholder_stays(value: object) -> None:
    assert join_attachments(copy.deepcopy(value), []) == value


def test_an_attachment_may_stand_in_several_places_or_none() -> None:
    assert join_attachments([placeholder(0), placeholder(0)], [b"twice", b"never"]) == [b"twice", b"twice"]


@pytest.mark.parametrize("mark", [False, None, 1, "true", [True]])
def test_only_true_marks_a_placeholder(mark: object) -> None:
    value = [{"_placeholder": mark, "num": 0}]
    assert join_attachments(copy.deepcopy(value), [b"x"]) == value


@pytest.mark.parametrize("number", [-1, 2, 3, 10**30, -(10**30)])
def test_cve_2022_2421_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(ProtocolError, match="must name one of 2 attachments by its number"):
        join_attachments([placeholder(number)], [b"a", b"b"])


@pytest.mark.parametrize("number", ["0", "splice", None, 0.0, 1.5, True, False, [0], {"num": 0}])
def test_cve_2022_2421_a_number_that_is_none_is_refused(number: object) -> None:
    with pytest.raises(ProtocolError):
        join_attachments([placeholder(number)], [b"a", b"b"])


def test_cve_2022_2421_a_missing_number_is_refused() -> None:
    with pytest.raises(ProtocolError):
        join_attachments([{"_placeholder": True}], [b"a"])


def test_deep_nesting_costs_no_stack() -> None:
    value: Any = placeholder(0)
    for _ in range(50_000):
        value = [{"a": value}]
    value = join_attachments(value, [b"deep"])
    for _ in range(50_000):
        value = value[0]["a"]
    assert value == b"deep"


def test_wide_values_cost_linear_time() -> None:
    def join(count: int) -> None:
        value = json.loads(json.dumps([[placeholder(0)] * 3, {"a": {}}] * count))
        assert join_attachments(value, [b"x"])[0] == [b"x"] * 3

    assert is_linear(join, 20_000)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.integers(-1, 3).map(placeholder),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["_placeholder", "num", "a", ""]), inner, max_size=4)
    ),
)


@given(json_like, st.lists(st.binary(max_size=3), max_size=3))
def test_no_value_raises_anything_but_protocol_error(value: Any, attachments: list[bytes]) -> None:
    try:
        join_attachments(value, attachments)
    except ProtocolError as error:
        assert error.close_code == 1002
