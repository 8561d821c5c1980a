"""Who may connect from a browser, as a table of origins and rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gevent
import pytest

from webpy_socketio.gateway.forwarding import HOST
from webpy_socketio.gateway.origins import cors_headers, is_allowed, is_foreign, own_origin


def environ(origin: str | None = None, host: str = "chat.example", scheme: str = "http") -> dict[str, object]:
    found: dict[str, object] = {"HTTP_HOST": host, "wsgi.url_scheme": scheme}
    if origin is not None:
        found["HTTP_ORIGIN"] = origin
    return found


@pytest.mark.parametrize("rule", [None, "*", [], ["http://a.example"], lambda origin, environ: False])
def test_what_is_no_page_may_connect(rule: Any) -> None:
    assert is_allowed(environ(), rule)


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "allowed"),
    [
        ("http://chat.example", "chat.example", "http", True),
        ("http://chat.example:80", "chat.example", "http", True),
        ("http://chat.example", "chat.example:80", "http", True),
        ("HTTP://CHAT.EXAMPLE", "chat.example", "http", True),
        ("http://chat.example", "Chat.Example", "http", True),
        ("http://chat.example:8000", "chat.example:8000", "http", True),
        ("https://chat.example", "chat.example", "http", True),  # TLS ends at a proxy
        ("https://chat.example", "chat.example:443", "http", True),
        ("https://chat.example:8443", "chat.example:8443", "http", True),
        ("http://[::1]:8000", "[::1]:8000", "http", True),
        ("https://chat.example", "chat.example", "https", True),
        ("http://chat.example", "chat.example", "https", False),  # a page that anybody on the way may have changed
        ("http://chat.example:8001", "chat.example:8000", "http", False),
        ("http://chat.example", "chat.example:8000", "http", False),
        ("http://chat.example:8000", "chat.example", "http", False),
        ("http://evil.example", "chat.example", "http", False),
        ("http://chat.example.evil.example", "chat.example", "http", False),
        ("http://evil-chat.example", "chat.example", "http", False),
        ("http://chat.example@evil.example", "chat.example", "http", False),
        ("ws://chat.example", "chat.example", "http", False),
        ("null", "chat.example", "http", False),
        ("", "chat.example", "http", False),
        ("http://", "", "http", False),
        ("http://chat.example:port", "chat.example", "http", False),
        ("http://chat.example", "chat.example:port", "http", False),
        ("http://[", "chat.example", "http", False),
    ],
)
def test_the_same_origin_is_scheme_host_and_port(origin: str, host: str, scheme: str, allowed: bool) -> None:
    for rule in (None, [], ["http://other.example"]):
        assert is_allowed(environ(origin, host, scheme), rule) is allowed


@pytest.mark.parametrize(
    "rule", ["http://a.example", ["http://a.example/", "x"], ("http://a.example",), {"http://A.example"}]
)
def test_listed_origins_are_compared_without_case_or_final_slash(rule: str | Iterable[str]) -> None:
    assert is_allowed(environ("http://a.example"), rule)
    assert is_allowed(environ("http://A.Example"), rule)
    assert not is_allowed(environ("https://a.example"), rule)
    assert not is_allowed(environ("http://a.example.evil.example"), rule)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_has_a_browser_ask_for_without_an_origin_is_of_no_known_origin(site: str) -> None:
    asked = {**environ(), "HTTP_SEC_FETCH_SITE": site}
    assert is_foreign(asked)
    assert not is_allowed(asked, None)
    assert not is_allowed(asked, ["http://a.example"])
    assert is_allowed(asked, "*")
    assert is_allowed(asked, lambda origin, environ: origin == "null")
    named = {**environ("http://a.example"), "HTTP_SEC_FETCH_SITE": site}
    assert is_allowed(named, ["http://a.example"])


@pytest.mark.parametrize("site", ["same-origin", "none", ""])
def test_own_pages_and_typed_addresses_have_no_origin_either(site: str) -> None:
    asked = {**environ(), "HTTP_SEC_FETCH_SITE": site}
    assert is_allowed(asked, None)
    assert not is_foreign(asked)


def test_a_callable_decides_alone() -> None:
    asked: list[tuple[str, object]] = []

    def rule(origin: str, environ: dict[str, object]) -> bool:
        asked.append((origin, environ["HTTP_HOST"]))
        return origin == "http://a.example"

    assert is_allowed(environ("http://a.example"), rule)
    assert not is_allowed(environ("http://chat.example"), rule)  # even the same origin
    assert asked == [("http://a.example", "chat.example"), ("http://chat.example", "chat.example")]


@pytest.mark.parametrize("failure", [LookupError("trouble"), gevent.Timeout(1), SystemExit(3)])
def test_a_callable_that_raises_lets_nobody_in_and_is_logged(
    failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def rule(origin: str, environ: dict[str, object]) -> bool:
        raise failure

    assert not is_allowed(environ("http://chat.example"), rule)
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [failure]


def test_without_a_rule_there_are_no_cors_headers() -> None:
    assert cors_headers(environ("http://chat.example"), None, True) == []


def test_a_star_is_for_everybody_in_a_form_that_old_clients_can_use() -> None:
    # They ask with credentials, which "*" itself does not cover.
    assert cors_headers(environ("http://a.example"), "*", True) == [
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", "http://a.example"),
        ("Access-Control-Allow-Credentials", "true"),
    ]
    assert cors_headers(environ(), "*", True) == [("Vary", "Origin")]


@pytest.mark.parametrize(
    ("origin", "foreign"),
    [(None, False), ("http://chat.example", False), ("http://a.example", True), ("null", True), ("", True)],
)
def test_only_a_page_of_another_origin_is_foreign(origin: str | None, foreign: bool) -> None:
    assert is_foreign(environ(origin)) is foreign


def test_the_own_origin_is_that_of_the_sites_pages() -> None:
    assert own_origin(environ()) == "http://chat.example"
    assert own_origin({**environ(scheme="https"), HOST: "outer.example:8443"}) == "https://outer.example:8443"


def test_an_allowed_origin_is_reflected_with_credentials() -> None:
    assert cors_headers(environ("http://a.example"), ["http://a.example"], True) == [
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", "http://a.example"),
        ("Access-Control-Allow-Credentials", "true"),
    ]


@pytest.mark.parametrize("origin", [None, "http://evil.example"])
def test_caches_are_told_that_the_answer_depends_on_the_origin(origin: str | None) -> None:
    assert cors_headers(environ(origin), ["http://a.example"], False) == [("Vary", "Origin")]
