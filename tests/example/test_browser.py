"""The chat as people meet it: two and more pages in a real browser, and the server coming and going."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.example.browser import Browser, Page
from tests.example.chat_server import PASSWORD, ChatServer

OpenPage = Callable[..., Page]

# Keeps the page's WebSockets, so that a test can break one as a network does.
KEEP_SOCKETS = """window.sockets = [];
    window.WebSocket = class extends WebSocket { constructor(...all) { super(...all); window.sockets.push(this); } };"""
NO_WEBSOCKET = "delete window.WebSocket;"

#: What a browser itself says of a server that is away, and of a page (not of its parts) whose status is an error's.
EXPECTED = re.compile(
    "ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET|WebSocket connection to"
    r"|the server responded with a status of 4\d\d .*:\d+/(sysmsg|nowhere)?\)$"
)

# Stands for what the package's script puts in the place of a client that could not be loaded.
NO_CLIENT = """const missing = new Proxy(function () {}, {
        get: (target, name) => (name === "connected" ? undefined : missing), apply: () => missing });
    Object.defineProperty(window, "io", { get: () => missing, set() {} });"""


@pytest.fixture
def open_page(browser: Browser, chat: ChatServer) -> Iterator[OpenPage]:
    """Open pages of the chat; at the end none may have logged an error or violated its security policy."""
    pages: list[Page] = []

    def open_at(path: str = "/", **options: Any) -> Page:
        pages.append(browser.open(chat.url + path, **options))
        return pages[-1]

    yield open_at
    problems = [each for page in pages if not page.gone for each in page.problems()]
    browser.close_pages()
    assert [each for each in problems if not EXPECTED.search(each)] == []
    assert "Traceback" not in chat.output()


@pytest.fixture
def join(open_page: OpenPage) -> OpenPage:
    """Open the room and join it under a name."""

    def join_as(name: str, path: str = "/room/welcome", **options: Any) -> Page:
        page = open_page(path, **options)
        page.fill("#name", name)
        page.click("#join button")
        # Not necessarily seen: a low window leaves no room for the list of people.
        page.wait(f"!talk.hidden && people.textContent.includes({json.dumps(name + ' (you)')})")
        return page

    return join_as


def say(page: Page, text: str) -> None:
    page.fill("#message", text)
    page.press("#message", "Enter")


def wait_message(page: Page, name: str, text: str) -> None:
    """Wait until a message is shown, under the name of who wrote it."""
    page.wait_text(f'#log .message[data-name="{name}"] .text', text)


def lines(page: Page) -> list[str]:
    """Return what the log says between the messages: who came and went."""
    found: list[str] = page.evaluate("Array.from(log.querySelectorAll('.line-note'), (each) => each.textContent)")
    return found


def texts(page: Page) -> list[str]:
    found: list[str] = page.evaluate("Array.from(log.querySelectorAll('.text'), (each) => each.textContent)")
    return found


def wait_delivered(page: Page, text: str) -> None:
    page.wait(
        "Array.from(document.querySelectorAll('.message[data-state=delivered]'))"
        f".some((each) => each.querySelector('.text').textContent === {text!r})"
    )


# ---------------------------------------------------------------- talking


def test_two_people_talk(join: OpenPage) -> None:
    ann = join("Ann")
    bob = join("Bob")
    ann.wait_text("#log", "Bob joined")
    ann.wait_text("#people-title", "(2)")
    say(ann, "Hello Bob")
    wait_message(bob, "Ann", "Hello Bob")
    say(bob, "Hello Ann")
    wait_message(ann, "Bob", "Hello Ann")
    wait_delivered(ann, "Hello Bob")
    assert texts(ann) == texts(bob) == ["Hello Bob", "Hello Ann"]
    assert ann.evaluate("document.querySelector('.mine .text').textContent") == "Hello Bob"
    assert bob.evaluate("document.querySelector('.mine .text').textContent") == "Hello Ann"


def test_whatever_is_typed_is_shown_as_text(join: OpenPage) -> None:
    name = "<b>Bo</b>&amp;'\""
    ann, bob = join("Ann"), join(name)
    markup = "<img src=x onerror=\"document.title='gotcha'\"> </p> &lt; <script>document.title='gotcha'</script>"
    say(bob, markup)
    ann.wait("document.querySelector('.message .text')")
    assert texts(ann) == texts(bob) == [markup]
    assert ann.evaluate("document.querySelector('.message b').textContent") == name
    assert ann.evaluate("document.querySelectorAll('#log img, #log script, #people b').length") == 0
    assert ann.evaluate("document.title") == "Welcome · Chat"


def test_lines_and_languages_arrive_as_they_were_written(join: OpenPage) -> None:
    ann, bob = join("Ann"), join("Bob")
    ann.call("focus", "#message")
    ann.type("one")
    ann.key("Shift+Enter")
    ann.type("two 你好 🙂 مرحبا")
    ann.key("Enter")
    bob.wait("document.querySelector('.message .text')")
    assert texts(bob) == ["one\ntwo 你好 🙂 مرحبا"]


def test_who_comes_later_sees_what_was_said(join: OpenPage) -> None:
    ann = join("Ann")
    for text in ("first", "second"):
        say(ann, text)
        wait_delivered(ann, text)
    bob = join("Bob")
    bob.wait_text("#log", "second")
    assert texts(bob) == ["first", "second"]
    assert "Ann joined" not in lines(bob)


def test_a_name_in_use_is_explained_and_another_one_works(join: OpenPage, open_page: OpenPage) -> None:
    join("Ann")
    other = open_page("/room/welcome")
    other.fill("#name", "ANN")
    other.click("#join button")
    other.wait_text("#join-error", "“ANN” is taken in this room. Please choose another name.")
    assert other.evaluate("document.activeElement.id") == "name"
    assert other.evaluate("document.getElementById('name').getAttribute('aria-invalid')") is not None
    other.type("Anna")  # the old name is selected, so that typing replaces it
    other.key("Enter")
    other.wait_text("#people", "Anna (you)")


def test_the_tick_comes_with_the_acknowledgement(chat: ChatServer, join: OpenPage) -> None:
    ann = join("Ann")
    with chat.frozen():
        say(ann, "are you there")
        ann.wait("log.querySelector('[data-state=pending] .tick').getAttribute('aria-label') === 'Sending'")
    wait_delivered(ann, "are you there")
    assert ann.evaluate("log.querySelector('.tick').getAttribute('aria-label')") == "Delivered"


def test_a_message_that_is_not_delivered_can_be_sent_again(chat: ChatServer, join: OpenPage) -> None:
    ann, bob = join("Ann"), join("Bob")
    chat.stop()
    ann.wait_text("#connection", "No connection")
    say(ann, "is anybody there")
    ann.wait_text(".message[data-state=failed] .failure", "Not delivered.")
    chat.start()
    ann.wait_text("#connection", "Connected")
    ann.click(".failure button")
    wait_delivered(ann, "is anybody there")
    wait_message(bob, "Ann", "is anybody there")
    assert ann.evaluate("document.querySelectorAll('.failure').length") == 0
    assert texts(ann) == texts(bob) == ["is anybody there"]


def test_who_is_too_fast_is_told_so(join: OpenPage) -> None:
    ann, bob = join("Ann"), join("Bob")
    for number in range(14):
        say(ann, f"message {number}")
    ann.wait_text(".failure", "That was too fast. Please wait a moment.")
    ann.wait("!document.querySelector('[data-state=pending]')")
    delivered = ann.evaluate("document.querySelectorAll('[data-state=delivered]').length")
    bob.wait(f"document.querySelectorAll('.message').length === {delivered}")
    assert delivered < 14


def test_typing_is_seen_and_ends_with_the_message_or_by_itself(join: OpenPage) -> None:
    ann, bob, cid = join("Ann"), join("Bob"), join("Cid")
    bob.call("focus", "#message")
    bob.type("I th")
    ann.wait_text("#typing", "Bob is typing…")
    cid.call("focus", "#message")
    cid.type("Me")
    ann.wait_text("#typing", "Bob and Cid are typing…")
    cid.key("Enter")
    ann.wait("document.getElementById('typing').textContent === 'Bob is typing…'")
    ann.wait("document.getElementById('typing').textContent === ''")
    assert bob.evaluate("document.getElementById('typing').textContent") == ""


def test_reading_old_messages_is_not_disturbed_by_new_ones(join: OpenPage) -> None:
    ann, bob = join("Ann", viewport={"width": 500, "height": 320}), join("Bob")
    for number in range(5):
        say(bob, f"line {number}\n\nof several")
        wait_message(ann, "Bob", f"line {number}")
    ann.wait("log.scrollTop + log.clientHeight >= log.scrollHeight - 1")
    ann.evaluate("log.scrollTop = 0")
    ann.wait("log.scrollTop === 0")
    say(bob, "the newest")
    ann.wait_text("#newer", "New messages")
    assert ann.evaluate("log.scrollTop") == 0
    ann.click("#newer")
    ann.wait("newer.hidden && log.scrollTop + log.clientHeight >= log.scrollHeight - 1")


# ---------------------------------------------------------------- leaving and coming back


def test_who_leaves_is_seen_to_leave_at_once(join: OpenPage) -> None:
    ann, bob = join("Ann"), join("Bob")
    bob.click("#leave")
    bob.wait_text("h1", "Rooms")
    ann.wait_text("#log", "Bob left")
    ann.wait_text("#people-title", "(1)")


def test_a_page_that_goes_elsewhere_has_left(join: OpenPage) -> None:
    ann, bob = join("Ann"), join("Bob")
    bob.call("goto", "about:blank")
    ann.wait_text("#log", "Bob left")


# Over polling the page's goodbye may be lost with the page; then the server's heartbeat notices it.
@pytest.mark.timeout(150)
@pytest.mark.parametrize(("init", "patience"), [("", 20.0), (NO_WEBSOCKET, 90.0)], ids=["websocket", "polling"])
def test_a_page_that_is_closed_has_left(join: OpenPage, init: str, patience: float) -> None:
    ann, bob = join("Ann"), join("Bob", init=init)
    bob.drop()
    ann.wait_text("#log", "Bob left", timeout=patience)
    assert lines(ann).count("Bob left") == 1


def test_a_second_tab_of_the_same_browser_asks_for_a_name_of_its_own(join: OpenPage, open_page: OpenPage) -> None:
    ann = join("Ann")
    tab = open_page("/room/welcome", beside=ann)
    tab.wait_text("#join", "Your name in this room")
    assert tab.evaluate("people.textContent") == ""


def test_a_reload_is_silent(join: OpenPage) -> None:
    ann, bob, cid = join("Ann"), join("Bob"), join("Cid")
    say(ann, "before")
    wait_message(bob, "Ann", "before")
    bob.call("reload")
    bob.wait_text("#people", "Bob (you)")
    wait_message(bob, "Ann", "before")
    say(bob, "here again")
    wait_message(ann, "Bob", "here again")
    cid.call("goto", "about:blank")
    ann.wait_text("#log", "Cid left")  # later than Bob would have left, had he not come back
    assert lines(ann) == ["You joined", "Bob joined", "Cid joined", "Cid left"]


def test_a_connection_that_breaks_off_is_silent_and_nothing_is_missed(join: OpenPage) -> None:
    ann, bob = join("Ann"), join("Bob", init=KEEP_SOCKETS)
    bob.wait_text("#connection", "websocket")
    bob.evaluate("sockets.at(-1).close()")
    bob.wait_text("#connection", "Connection lost")
    say(ann, "meanwhile")
    say(bob, "from the dark")
    bob.wait_text("#connection", "Connected")
    wait_message(bob, "Ann", "meanwhile")
    wait_message(ann, "Bob", "from the dark")
    wait_delivered(bob, "from the dark")
    assert sorted(texts(ann)) == sorted(texts(bob)) == ["from the dark", "meanwhile"]
    assert lines(ann) == ["You joined", "Bob joined"]
    assert lines(bob) == ["You joined"]


@pytest.mark.parametrize("ending", ["interrupt", "kill"])
def test_everybody_survives_a_restart_of_the_server(chat: ChatServer, join: OpenPage, ending: str) -> None:
    ann, bob = join("Ann"), join("Bob")
    say(ann, "before")
    wait_message(bob, "Ann", "before")
    getattr(chat, ending)()
    for page in (ann, bob):
        page.wait("document.getElementById('connection').dataset.state !== 'connected'")
    say(bob, "while it was away")
    chat.start()
    for page in (ann, bob):
        page.wait_text("#connection", "Connected")
    wait_message(ann, "Bob", "while it was away")
    wait_delivered(bob, "while it was away")
    say(ann, "after")
    wait_message(bob, "Ann", "after")
    assert texts(ann) == texts(bob) == ["before", "while it was away", "after"]
    assert lines(ann) == ["You joined", "Bob joined"]
    assert lines(bob) == ["You joined"]


def test_a_room_that_is_gone_is_explained(chat: ChatServer, join: OpenPage) -> None:
    ann = join("Ann")
    chat.stop()
    for table in ("seats", "messages", "rooms"):
        chat.execute(f"DELETE FROM {table}")
    chat.start()
    ann.wait_text("#notice", "There is no such room.")
    ann.wait("talk.hidden && document.getElementById('join').hidden")


# ---------------------------------------------------------------- the top line


def test_the_top_line_says_how_we_are_connected(chat: ChatServer, open_page: OpenPage) -> None:
    page = open_page("/")
    page.wait("document.getElementById('connection').innerText === 'Connected · websocket'")
    assert page.evaluate("document.getElementById('connection').getAttribute('role')") == "status"
    polling = open_page("/", init=NO_WEBSOCKET)
    polling.wait("document.getElementById('connection').innerText === 'Connected · polling'")
    chat.stop()
    for each in (page, polling):
        each.wait("document.getElementById('connection').dataset.state !== 'connected'")
        each.wait_text("#connection", "No connection")


def test_two_people_talk_over_polling(join: OpenPage) -> None:
    ann, bob = join("Ann", init=NO_WEBSOCKET), join("Bob", init=NO_WEBSOCKET)
    ann.wait_text("#connection", "polling")
    say(ann, "Hello Bob")
    wait_message(bob, "Ann", "Hello Bob")
    say(bob, "Hello Ann")
    wait_message(ann, "Bob", "Hello Ann")
    wait_delivered(ann, "Hello Bob")


# ---------------------------------------------------------------- rooms and the system message


def test_the_list_of_rooms_counts_heads(open_page: OpenPage, join: OpenPage) -> None:
    index = open_page("/")
    index.wait_text("#connection", "Connected")
    index.wait_text("[data-room='1'] .count", "nobody")
    join("Ann")
    index.wait_text("[data-room='1'] .count", "1 person")
    bob = join("Bob")
    index.wait_text("[data-room='1'] .count", "2 people")
    bob.click("#leave")
    index.wait_text("[data-room='1'] .count", "1 person")
    assert index.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_the_counts_are_right_again_after_a_restart(chat: ChatServer, open_page: OpenPage, join: OpenPage) -> None:
    index = open_page("/")
    join("Ann")
    index.wait_text("[data-room='1'] .count", "1 person")
    chat.stop()
    chat.execute("DELETE FROM seats")
    index.wait_text("#connection", "No connection")
    chat.start()
    index.wait_text("#connection", "Connected")
    index.wait_text("[data-room='1'] .count", "1 person")


def test_a_room_that_somebody_makes_appears_in_the_list(open_page: OpenPage) -> None:
    index, maker = open_page("/"), open_page("/")
    index.wait_text("#connection", "Connected")
    maker.fill("#name", "Tea & <b>Cake</b>")
    maker.click("form button")
    maker.wait_text("h1", "Tea & <b>Cake</b>")
    index.wait_text(".room-name", "Tea & <b>Cake</b>")
    index.click("[data-room='2']")
    index.wait_text("h1", "Tea & <b>Cake</b>")


def test_a_room_that_cannot_be_made_is_explained(open_page: OpenPage) -> None:
    page = open_page("/")
    page.fill("#name", "welcome")
    page.click("form button")
    page.wait_text("[role=alert]", "There is a room of that name already.")
    assert page.call("inputValue", "#name") == "welcome"


def test_a_system_message_is_sent_or_the_page_says_why_not(open_page: OpenPage, join: OpenPage) -> None:
    operator = open_page("/sysmsg")
    operator.fill("#password", "a guess")
    operator.click("form button")
    operator.wait_text("[role=alert]", "That is not the password.")
    operator.fill("#password", PASSWORD)
    operator.click("form button")
    operator.wait_text("label", "Message")
    operator.fill("#message", "Is anybody there?")
    operator.click("text=Send")
    operator.wait_text("[role=alert]", "There are no clients.")
    assert operator.call("inputValue", "#message") == "Is anybody there?"

    ann, index = join("Ann"), open_page("/")
    index.wait_text("#connection", "Connected")
    operator.click("text=Send")
    operator.wait_text("[role=status]", "Message sent")
    ann.wait_text(".line-note.system", "Is anybody there?")
    index.wait_text("#notice", "Is anybody there?")

    operator.call("selectOption", "#room", "welcome")
    operator.fill("#message", "To the room")
    operator.click("text=Send")
    ann.wait_text(".line-note.system", "To the room")
    assert "To the room" not in index.evaluate("document.body.innerText")
    ann.click("#leave")
    ann.wait_text("h1", "Rooms")
    operator.fill("#message", "To the room again")
    operator.click("text=Send")
    operator.wait_text("[role=alert]", "There are no clients on the channel: room-1")


# ---------------------------------------------------------------- for everybody


def test_everything_works_from_the_keyboard(join: OpenPage, open_page: OpenPage) -> None:
    bob = join("Bob")
    ann = open_page("/")
    focus = "document.activeElement.innerText || document.activeElement.id"
    outlined = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
    seen = []
    for _ in range(3):
        ann.key("Tab")
        seen.append(ann.evaluate(focus).strip())
        assert ann.evaluate(outlined), seen
        assert ann.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    assert seen[:2] == ["Skip to the content", "Chat"]
    assert seen[2].startswith("Welcome")
    ann.key("Enter")
    ann.wait("document.activeElement.id === 'name'")
    ann.type("Ann")
    ann.key("Enter")
    ann.wait("document.activeElement.id === 'message'")
    ann.type("no mouse")
    ann.key("Enter")
    wait_message(bob, "Ann", "no mouse")
    ann.key("Shift+Tab")
    assert ann.evaluate("document.activeElement.id") == "log", "which can be scrolled by the keys"
    assert ann.evaluate(outlined)
    ann.key("Shift+Tab")
    assert ann.evaluate("document.activeElement.id") == "leave"
    ann.key("Enter")
    ann.wait_text("h1", "Rooms")
    bob.wait_text("#log", "Ann left")


LONG = "Donaudampfschifffahrtsgesellschaftskapitän"


@pytest.fixture
def crowded(chat: ChatServer, join: OpenPage, open_page: OpenPage) -> OpenPage:
    """Open a room with long names and long words in it, as a window of the given kind shows it."""
    chat.execute(f"INSERT INTO rooms (slug, name, name_key) VALUES ('long', '{(LONG * 2)[:40]}', 'long')")

    def open_crowded(**options: Any) -> Page:
        ann = join("A" * 24, path="/room/long", **options)
        bob = join("b" * 24, path="/room/long")
        for page, text in ((bob, LONG * 4), (ann, "W" * 300), (ann, "ok"), (bob, "short")):
            say(page, text)
            wait_delivered(page, text)
        bob.type("typing")
        ann.wait_text("#typing", "is typing")
        return ann

    return open_crowded


SMALL = {"width": 320, "height": 568}
FITS = "document.documentElement.scrollWidth <= innerWidth"


def test_a_room_fits_into_320_pixels(crowded: OpenPage) -> None:
    page = crowded(viewport=SMALL)
    assert page.evaluate(FITS)
    assert page.evaluate("log.scrollWidth <= log.clientWidth")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight"), "the log scrolls, not the page"
    for part in ("#leave", "#send", "#message", "#connection"):
        box = f"document.querySelector('{part}').getBoundingClientRect()"
        assert page.evaluate(f"{box}.left >= 0 && {box}.right <= innerWidth && {box}.bottom <= innerHeight"), part
    assert page.evaluate("log.clientHeight") > 150


@pytest.mark.parametrize("path", ["/", "/room/welcome", "/sysmsg", "/nowhere"])
def test_every_page_fits_into_320_pixels(chat: ChatServer, open_page: OpenPage, path: str) -> None:
    chat.execute(f"INSERT INTO rooms (slug, name, name_key) VALUES ('long', '{(LONG * 2)[:40]}', 'long')")
    page = open_page(path, viewport=SMALL)
    page.wait_text("h1", "")
    assert page.evaluate(FITS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [SMALL, {"width": 1100, "height": 720}], ids=["small", "large"])
def test_no_barrier_is_found(
    crowded: OpenPage, open_page: OpenPage, chat: ChatServer, scheme: str, viewport: dict[str, int]
) -> None:
    room = crowded(viewport=viewport, colorScheme=scheme)
    assert room.barriers() == []
    for path in ("/", "/room/welcome", "/sysmsg", "/nowhere"):
        page = open_page(path, viewport=viewport, colorScheme=scheme)
        if path in ("/", "/room/welcome"):
            page.wait_text("#connection", "Connected")
        assert page.barriers() == [], path


def test_the_search_for_barriers_finds_one(open_page: OpenPage) -> None:
    page = open_page("/nowhere")
    page.evaluate("document.querySelector('main').append(document.createElement('select'))")
    assert [barrier.split(":")[0] for barrier in page.barriers()] == ["select-name"]


def test_a_violation_of_the_policy_is_noticed(chat: ChatServer, browser: Browser) -> None:
    page = browser.open(chat.url + "/nowhere")
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.wait("document.body.style.color === ''")
    assert any("Content-Security-Policy: style-src-attr" in problem for problem in page.problems())
    browser.close_pages()


def test_the_colours_follow_the_system(open_page: OpenPage) -> None:
    back = "getComputedStyle(document.documentElement).backgroundColor"
    light, dark = (open_page("/nowhere", colorScheme=scheme).evaluate(back) for scheme in ("light", "dark"))
    assert sum(map(int, light[4:-1].split(","))) > 700
    assert sum(map(int, dark[4:-1].split(","))) < 100


@pytest.mark.parametrize(("wish", "moves"), [("reduce", False), ("no-preference", True)])
def test_nothing_moves_for_those_who_do_not_want_it(open_page: OpenPage, wish: str, moves: bool) -> None:
    page = open_page("/", reducedMotion=wish)
    page.wait_text("#connection", "Connected")
    moving = "parseFloat(getComputedStyle(document.querySelector('.rooms a')).transitionDuration) > 0"
    assert page.evaluate(moving) is moves


def test_without_the_client_the_page_says_so(open_page: OpenPage) -> None:
    open_page("/room/welcome", init=NO_CLIENT).wait_text("#connection", "The Socket.IO client is missing")
