"""Clients 1.x to 3.x in a real browser: on pages of other origins, and with JSONP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.apps.running import Served, serving
from tests.example.browser import Browser, Page
from tests.support.ports import HOST

TEXTS = ["a\nb", "a\\nb", "+ &=%", "\u2028\u2029", "Grüße 💬", '</script>"\\\\n']
JSONP = {"transports": ["polling"], "forceJSONP": True, "reconnection": False}
XHR = {"transports": ["polling"], "reconnection": False}

Serve = Callable[..., Served]
Connect = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with Browser(chromium) as started:
        yield started


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server with settings of one's own."""
    with ExitStack() as stack:
        count = iter(range(10))

        def start(**settings: object) -> Served:
            folder = tmp_path / str(next(count))
            folder.mkdir()
            return stack.enter_context(serving("old_clients_app.py", json.dumps(settings), log_directory=folder))

        yield start


def url_of(server: Served) -> str:
    return f"http://{HOST}:{server.port}"


@pytest.fixture
def connect(browser: Browser) -> Iterator[Connect]:
    """Open a page of one server, whose client connects to another, or to itself."""

    def start(client: int, home: Served, options: dict[str, object], target: Served | None = None) -> Page:
        query = {"client": client, "options": json.dumps(options), "url": url_of(target) if target else ""}
        return browser.open(f"{url_of(home)}/page?{urlencode(query)}")

    yield start
    browser.close_pages()


def who(page: Page) -> dict[str, object]:
    page.wait("socket.connected")
    page.evaluate("window.answer = null; ask('who').then((answer) => { window.answer = answer; }); undefined")
    page.wait("window.answer !== null")
    found: dict[str, object] = page.evaluate("window.answer")
    return found


def talk(page: Page, texts: list[str]) -> None:
    """Send texts there and back; each also by itself, so that every one begins a form and an answer."""
    page.wait("socket.connected")
    page.evaluate(f"socket.emit('echo', ...{json.dumps(texts)}); undefined")
    page.wait(f"heard.length === {len(texts)}")
    for number, text in enumerate(texts, start=len(texts) + 1):
        page.evaluate(f"socket.emit('echo', {json.dumps(text)}); undefined")
        page.wait(f"heard.length === {number}")
    assert page.evaluate("heard") == texts * 2


# Pages of other origins ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [1, 2, 3])
def test_with_a_star_a_client_of_any_age_connects_and_its_cookies_stay_out(
    serve: Serve, connect: Connect, client: int
) -> None:
    home, target = serve(), serve(cors_allowed_origins="*")
    options = {**XHR, "transports": ["polling", "websocket"]}
    page = connect(client, home, options, target)
    assert who(page)["cookies"] == {}
    page.wait("socket.io.engine.transport.name === 'websocket'")
    talk(page, ["plain"])
    assert page.evaluate("errors") == []
    assert page.problems() == []


@pytest.mark.parametrize("client", [1, 2])
def test_a_listed_origin_is_known_by_its_cookies(serve: Serve, connect: Connect, client: int) -> None:
    home = serve()
    target = serve(cors_allowed_origins=[url_of(home)])
    page = connect(client, home, XHR, target)
    assert who(page) == {"cookies": {"user": "ann"}, "via": "polling", "revision": "3"}
    assert page.problems() == []


def test_another_origin_is_refused(serve: Serve, connect: Connect) -> None:
    page = connect(2, serve(), XHR, serve())
    page.wait("errors.length > 0")
    assert not page.evaluate("socket.connected")


@pytest.mark.parametrize(("setting", "compressed"), [(True, True), (False, False)])
def test_long_answers_reach_a_page_compressed(serve: Serve, connect: Connect, setting: bool, compressed: bool) -> None:
    page = connect(3, serve(http_compression=setting), XHR)
    talk(page, ["x" * 20_000, "ü" * 20_000])
    saved = (
        "performance.getEntriesByType('resource').some((entry) => entry.encodedBodySize < entry.decodedBodySize / 10)"
    )
    assert page.evaluate(saved) is compressed


# JSONP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [1, 2, 3])
def test_a_client_of_jsonp_sends_and_hears_all_kinds_of_text(serve: Serve, connect: Connect, client: int) -> None:
    page = connect(client, serve(jsonp=True), JSONP)
    assert who(page) == {"cookies": {"user": "ann"}, "via": "polling", "revision": "4" if client == 3 else "3"}
    # 1.x encodes twice what is not ASCII, as it does without JSONP.
    talk(page, [text for text in TEXTS if client > 1 or text.isascii()])
    assert page.evaluate(
        "Array.isArray(window.___eio) && performance.getEntriesByType('resource')"
        ".some((entry) => entry.initiatorType === 'script' && entry.name.includes('&j=0'))"
    )
    assert page.problems() == []


@pytest.mark.parametrize("client", [2, 3])
def test_it_changes_to_a_websocket(serve: Serve, connect: Connect, client: int) -> None:
    page = connect(client, serve(jsonp=True), {**JSONP, "transports": ["polling", "websocket"]})
    page.wait("socket.connected && socket.io.engine.transport.name === 'websocket'")
    talk(page, TEXTS)


def test_without_the_setting_it_is_refused(serve: Serve, connect: Connect) -> None:
    page = connect(2, serve(), JSONP)
    page.wait("errors.length > 0")
    assert not page.evaluate("socket.connected")


@pytest.mark.parametrize("rule", [None, "*", "listed"])
def test_pages_of_other_origins_are_told_by_their_address(serve: Serve, connect: Connect, rule: str | None) -> None:
    home = serve()
    target = serve(jsonp=True, cors_allowed_origins=[url_of(home)] if rule == "listed" else rule)
    page = connect(2, home, JSONP, target)
    if rule is None:
        page.wait("errors.length > 0")
        assert not page.evaluate("socket.connected")
    else:
        assert who(page)["cookies"] == ({} if rule == "*" else {"user": "ann"})
        talk(page, TEXTS)
