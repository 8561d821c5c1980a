"""The answers, the forms and the origins of JSONP."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from webpy_socketio.errors import ProtocolError
from webpy_socketio.gateway.jsonp import asked_by, encode_answer, number_of, post_limit, read_form
from webpy_socketio.gateway.origins import is_allowed


def sent_by_the_client(payload: str) -> bytes:
    """Write a payload as engine.io-client does: what was an escaped line's end gets another backslash."""
    escaped = payload.replace("\\n", "\\\n").replace("\n", "\\n")
    return urlencode({"d": escaped}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        "40",
        '42["a","b c+d&e=f%20"]',
        '42["line\\nline"]',
        '42["a backslash and n: \\\\n"]',
        '42["more: \\\\\\n\\\\\\\\n"]',
        "4a\nb\n",
        "Grüße, 世界, 💬",
        "4a\x1e4b\x1ebAAAA",
        "",
    ],
)
def test_a_form_gives_what_the_client_wrote(payload: str) -> None:
    assert read_form(sent_by_the_client(payload)) == payload.encode()


@pytest.mark.parametrize("body", [b"", b"x=1", b"\xff\xfe", b"a=1&b=2&c=3&d=4", b"D=40"])
def test_a_form_without_its_field_is_a_fault(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="the field d"):
        read_form(body)


def test_bytes_of_a_form_that_are_no_text_are_left_to_who_reads_the_payload() -> None:
    assert read_form(b"d=4%FF\xfe") == b"4\xff\xfe"


def test_a_form_may_be_as_long_as_its_payload_can_make_it() -> None:
    payload = "\x1e" * 1000
    assert len(sent_by_the_client(payload)) <= post_limit(1000)


@pytest.mark.parametrize("text", ["40", '42["\\"\\\\"]', "Grüße 💬", "a\u2028b\u2029c", "</script>\n\x1e"])
def test_an_answer_is_a_call_with_one_string(text: str) -> None:
    answer = encode_answer("7", text.encode()).decode()
    match = re.fullmatch(r'___eio\[7\]\((".*")\);', answer)
    assert match is not None, "no character in it ends a line, in a JavaScript of any age"
    assert json.loads(match[1]) == text
    assert not {"\u2028", "\u2029", "\n"} & set(answer)


@pytest.mark.parametrize(
    ("query", "number"),
    [({}, None), ({"j": "0"}, "0"), ({"j": "12"}, "12"), ({"j": "0];alert(1)//"}, "01"), ({"j": ""}, "")],
)
def test_only_digits_of_the_number_are_kept(query: dict[str, str], number: str | None) -> None:
    assert number_of(query) == number


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"HTTP_REFERER": "http://chat.example/page?x"}, True),
        ({"HTTP_REFERER": "http://evil.example/chat.example"}, False),
        ({"HTTP_REFERER": "http://chat.example@evil.example/"}, False),
        ({"HTTP_REFERER": "http://["}, False),
        ({"HTTP_REFERER": "about:blank"}, False),
        ({"HTTP_REFERER": ""}, False),
        ({}, False),
        ({"HTTP_SEC_FETCH_SITE": "same-origin"}, True),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, False),
        ({"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_REFERER": "http://chat.example/"}, True),
        ({"HTTP_ORIGIN": "http://evil.example", "HTTP_REFERER": "http://chat.example/"}, False),
        ({"HTTP_ORIGIN": "http://chat.example"}, True),
    ],
)
def test_a_script_is_asked_for_by_the_page_of_its_referer(fields: dict[str, Any], allowed: bool) -> None:
    environ: dict[str, object] = {"HTTP_HOST": "chat.example", "wsgi.url_scheme": "http", **fields}
    before = dict(environ)
    assert is_allowed(asked_by(environ), None) is allowed
    assert environ == before, "handlers must not see an Origin that nobody sent"


def test_listed_and_asked_for_origins_work_as_without_jsonp() -> None:
    environ: dict[str, object] = {"HTTP_HOST": "chat.example", "HTTP_REFERER": "https://friend.example/page"}
    assert is_allowed(asked_by(environ), ["https://friend.example"])
    assert is_allowed(asked_by(environ), lambda origin, environ: origin == "https://friend.example")
    assert is_allowed(asked_by({"HTTP_HOST": "chat.example"}), "*")
