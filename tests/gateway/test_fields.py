"""The header fields of a request: what two readers could read differently is refused."""

from __future__ import annotations

import io
from typing import Any

import pytest

from webpy_socketio.gateway.fields import HeadRefused, read_fields
from webpy_socketio.wire.request_head import MAX_FIELDS

LINE = 16
"""Bytes of the request line before them."""


def read(data: bytes, most: int = 1_000) -> Any:
    return read_fields(io.BytesIO(data + b"\r\nrest"), LINE, most)


def status_of(data: bytes, most: int = 1_000) -> str:
    with pytest.raises(HeadRefused) as refused:
        read(data, most)
    return refused.value.status[:3]


def test_fields_end_with_an_empty_line() -> None:
    reader = io.BytesIO(b"Host: x\r\nA_B:\t c \n\nrest")
    fields = read_fields(reader, LINE, 1_000)
    assert (fields.get("host"), fields.get("a_b"), reader.read()) == ("x", "c", b"rest")


def test_values_may_have_any_byte_but_those_that_end_lines() -> None:
    assert read(b"A: \xe9\x7f\r\n").get("a") == "\xe9\x7f"


@pytest.mark.parametrize("line", [b"no colon", b": b", b"A : b", b"A: b\rC: d", b"A: b\0", b" folded"])
def test_a_line_that_is_no_field_is_refused(line: bytes) -> None:
    assert status_of(line + b"\r\n") == "400"


def test_a_head_that_breaks_off_is_refused() -> None:
    with pytest.raises(HeadRefused, match="broke off"):
        read_fields(io.BytesIO(b"Host: x\r\nA: b"), LINE, 1_000)


def test_the_line_of_the_request_counts_for_the_limit_too() -> None:
    data = b"A: " + b"b" * 50 + b"\r\n"
    size = LINE + len(data) + 2
    assert read(data, size).get("a") == "b" * 50
    assert status_of(data, size - 1) == "431"


def test_there_are_not_too_many() -> None:
    assert read(b"A: b\r\n" * MAX_FIELDS, 10_000) is not None
    assert status_of(b"A: b\r\n" * (MAX_FIELDS + 1), 10_000) == "431"


def test_a_request_is_for_one_host() -> None:
    assert status_of(b"Host: x\r\nHost: x\r\n") == "400"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Content-Length: 2\r\nContent-Length: 3\r\n", "400"),
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "400"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "400"),
        (b"Content-Length: +2\r\n", "400"),
        (b"Content-Length: \xb2\r\n", "400"),
        (b"Content-Length:\r\n", "400"),
        (b"Transfer-Encoding: gzip\r\n", "501"),
    ],
)
def test_a_body_has_one_end(fields: bytes, status: str) -> None:
    assert status_of(fields) == status


@pytest.mark.parametrize("fields", [b"Content-Length: 2\r\n" * 2, b"Transfer-Encoding: Chunked\r\n", b""])
def test_what_tells_it_in_one_way_is_taken(fields: bytes) -> None:
    assert read(fields) is not None
