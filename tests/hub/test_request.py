"""The handshake's request, as handlers see it."""

from __future__ import annotations

from io import BytesIO

import pytest

from webpy_socketio.hub.request import MAX_LENGTH, MAX_VALUES, Request, known_values


def fresh(text: str) -> str:
    """Give a text as a parser does: a new object."""
    return text[:1] + text[1:]


def test_it_is_the_environ_as_far_as_that_is_text() -> None:
    environ = {"REMOTE_ADDR": "192.0.2.1", "wsgi.input": BytesIO(), "wsgi.version": (1, 0), "HTTP_HOST": "h"}
    request = Request(environ)
    assert isinstance(request, dict)
    assert request == {"REMOTE_ADDR": "192.0.2.1", "HTTP_HOST": "h"}


def test_it_does_not_change_with_the_environ() -> None:
    environ = {"A": "1"}
    request = Request(environ)
    environ["A"] = "2"
    assert request["A"] == "1"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("HTTP_USER_AGENT", "Mozilla/5.0 (X11)"),
        ("HTTP_HOST", "example.org"),
        ("QUERY_STRING", "EIO=4&transport=websocket"),
    ],
)
def test_what_many_clients_send_alike_is_kept_once(key: str, value: str) -> None:
    first, second = Request({key: fresh(value)}), Request({key: fresh(value)})
    assert first[key] == value
    assert first[key] is second[key]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("HTTP_COOKIE", "session=secret"),
        ("HTTP_AUTHORIZATION", "Bearer secret"),
        ("HTTP_SEC_WEBSOCKET_KEY", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("REMOTE_ADDR", "192.0.2.1"),
        ("QUERY_STRING", "EIO=4&transport=websocket&token=secret"),
        ("HTTP_USER_AGENT", "x" * (MAX_LENGTH + 1)),
    ],
)
def test_what_is_a_clients_own_or_long_is_not_kept(key: str, value: str) -> None:
    request = Request({key: value})
    assert request[key] == value
    assert value not in known_values


def test_clients_cannot_make_up_more_values_than_are_kept() -> None:
    for number in range(2 * MAX_VALUES + 1):
        assert Request({"HTTP_USER_AGENT": f"agent {number}"}) == {"HTTP_USER_AGENT": f"agent {number}"}
        assert len(known_values) <= MAX_VALUES
    common = Request({"HTTP_USER_AGENT": fresh("common")})["HTTP_USER_AGENT"]
    assert Request({"HTTP_USER_AGENT": fresh("common")})["HTTP_USER_AGENT"] is common


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {}),
        ("a=1&b=%C3%BC&c=x+y", {"a": "1", "b": "ü", "c": "x y"}),
        ("a=1&a=2", {"a": "2"}),
        ("a=&b", {"a": "", "b": ""}),
    ],
)
def test_the_query(query: str, fields: dict[str, str]) -> None:
    assert Request({"QUERY_STRING": query}).query == fields


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ('quoted="x y"; plain=z', {"quoted": "x y", "plain": "z"}),
        ("good=1; b[a]d=2; also=3", {"good": "1", "also": "3"}),
        ("good=1; expires=2; path=/; also=3", {"good": "1", "also": "3"}),
        ("good=1; ü=2; =x", {"good": "1"}),
        ("", {}),
        ("=;;;", {}),
        ("sid=abc==", {"sid": "abc=="}),
    ],
)
def test_the_cookies(header: str, cookies: dict[str, str]) -> None:
    assert Request({"HTTP_COOKIE": header}).cookies == cookies


def test_the_headers_have_the_names_of_http() -> None:
    environ = {"HTTP_USER_AGENT": "x", "HTTP_X_FORWARDED_FOR": "y", "CONTENT_TYPE": "z", "CONTENT_LENGTH": "", "A": "b"}
    assert Request(environ).headers == {"User-Agent": "x", "X-Forwarded-For": "y", "Content-Type": "z"}


def test_the_auth_payload_is_empty_until_the_client_connects() -> None:
    assert Request({}).auth == {}
    assert Request({}, {"token": "t"}).auth == {"token": "t"}


def test_without_anything_all_parts_are_empty() -> None:
    request = Request({})
    assert (request.query, request.cookies, request.headers) == ({}, {}, {})
