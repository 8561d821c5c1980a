"""The README is true: each of its samples runs here as it stands, and what it names exists."""

from __future__ import annotations

import ast
import inspect
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import docutils.nodes
import pytest
import requests

import webpy_socketio
from tests.example.browser import Browser
from tests.readme import document
from tests.readme.person import Person
from tests.readme.serving import Site, serving, serving_application
from tests.support.processes import ROOT
from webpy_socketio import config, events

TIMEOUT = 15.0
covered: set[str] = set()


def runs(**names: str) -> Callable[[Any], Any]:
    """Give a test the text of a sample by the name of its language, and note that the sample is covered."""

    def decorate(test: Any) -> Any:
        for language, name in names.items():
            found = document.sample(name)
            assert found.language == language, found
            covered.add(name)
            test = pytest.mark.parametrize(language, [found.text], ids=[name])(test)
        return test

    return decorate


def completed(text: str, *bodies: str) -> str:
    """Put a reader's own code where a sample has three dots."""
    parts = text.split("...")
    assert len(parts) == len(bodies) + 1, text
    return "".join(part + body for part, body in zip(parts, [*bodies, ""], strict=True))


class Page:
    """A page of a site in the browser, which keeps what its scripts log."""

    KEEP = "window.logged = []; console.log = (...values) => logged.push(...values);"

    def __init__(self, browser: Browser, site: Site) -> None:
        self._page = browser.open(site.page, init=self.KEEP)
        self._page.wait("socket.connected")

    def run(self, script: str) -> None:
        self._page.evaluate(script + "\nundefined")

    def wait_for_log(self, *values: Any) -> None:
        """Wait until the scripts have logged something, which must be these values."""
        self._page.wait(f"logged.length >= {len(values)}")
        assert self._page.evaluate("logged") == [*values]

    def problems(self) -> list[str]:
        """List what the page threw, failed to load, or was refused by its security policy."""
        return self._page.problems()


OpenPage = Callable[[Site], Page]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with Browser(chromium) as started:
        yield started


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    yield lambda site: Page(browser, site)
    browser.close_pages()


# ---------------------------------------------------------------- its form


def test_docutils_has_nothing_to_say_about_it() -> None:
    found = [node.astext() for node in document.document().findall(docutils.nodes.system_message)]
    assert found == []


def test_it_is_the_description_of_the_package() -> None:
    line = 'readme = { file = "README.rst", content-type = "text/x-rst" }'
    assert line in (ROOT / "pyproject.toml").read_text().splitlines()


def test_no_line_of_a_block_runs_out_of_its_frame() -> None:
    blocks = [sample.text for sample in document.samples()] + document.plain_blocks()
    assert [line for block in blocks for line in block.splitlines() if len(line) > 88] == []


def test_every_sample_has_a_test_here_that_runs_it() -> None:
    assert {sample.name for sample in document.samples()} == covered


# ---------------------------------------------------------------- its applications


@runs(python="twelve-lines")
def test_the_twelve_lines_are_a_chat(tmp_path: Path, python: str) -> None:
    assert len(python.splitlines()) == 12
    with serving_application(tmp_path, python) as site, Person(site.url) as ann, Person(site.url) as bob:
        with Person(site.url) as stranger:
            assert [ann.subscribe("room-42"), bob.subscribe("room-42"), stranger.subscribe("room-7")] == [True] * 3
            ann.send_to("room-42", "Hello, room!")
            bob.send_to("room-42", "Hello, Ann!")
            for person in (ann, bob):
                person.wait_for("Hello, room!", "Hello, Ann!")
            assert stranger.send_to("room-42", "Let me in!") is False
            assert stranger.heard == []
        assert site.program.running


@runs(python="twelve-lines", javascript="twelve-lines-client")
def test_a_page_talks_to_the_twelve_lines(tmp_path: Path, open_page: OpenPage, python: str, javascript: str) -> None:
    with_page = "from tests.readme.pages import page_urls\nurls += page_urls\napp ="
    assert python.count("app =") == 1
    with serving_application(tmp_path, python.replace("app =", with_page), script=javascript) as site:
        with Person(site.url) as bob:
            bob.subscribe("room-42")
            ann = open_page(site)
            ann.wait_for_log("Hello, room!")
            bob.wait_for("Hello, room!")
            bob.send_to("room-42", {"from": "Bob"})
            ann.wait_for_log("Hello, room!", {"from": "Bob"})
        assert ann.problems() == []


@runs(python="serving")
def test_the_application_of_running_serves_pages_and_sockets(tmp_path: Path, python: str) -> None:
    with serving_application(tmp_path, python) as site, Person(site.url) as ann:
        assert ann.subscribe("my channel") is True
        assert requests.get(site.url + "/", timeout=TIMEOUT).text == "Hello!"
        assert ann.subscribe("my channel") is False


def test_handlers_go_anywhere_as_long_as_they_are_imported(tmp_path: Path) -> None:
    handlers = "from webpy_socketio import *\n" + document.sample("broadcast-channel").text
    (tmp_path / "handlers.py").write_text(handlers)
    with_handlers = document.sample("serving").text.replace("import web\n", "import web\nimport handlers\n")
    with serving_application(tmp_path, with_handlers) as site, Person(site.url) as ann, Person(site.url) as bob:
        for person in (ann, bob):
            person.subscribe("my channel")
        ann.send("anything")
        bob.wait_for("my message")


@pytest.mark.parametrize(
    ("replaced", "by", "env"),
    [
        ("", "", {"SOCKETIO_PING_INTERVAL": "10"}),
        ("SOCKETIO_HOST =", "SOCKETIO_PING_INTERVAL = 10\nSOCKETIO_HOST =", {}),
        ("urls = (", "web.config.socketio = {'ping_interval': 10}\nurls = (", {}),
        ('resource="socket.io"', 'resource="socket.io", ping_interval=10', {}),
    ],
    ids=["environment", "main module", "web.config", "keyword"],
)
def test_settings_come_from_everywhere(tmp_path: Path, replaced: str, by: str, env: dict[str, str]) -> None:
    changed = document.sample("serving").text.replace(replaced, by) if replaced else document.sample("serving").text
    with serving_application(tmp_path, changed, env=env) as site:
        handshake = requests.get(site.url + "/socket.io/?EIO=4&transport=polling", timeout=TIMEOUT)
        assert '"pingInterval":10000,' in handshake.text


def test_without_a_listener_the_server_listens_where_the_main_module_says(tmp_path: Path) -> None:
    assert "SocketIOServer(application=application)" in document.literals()
    with_listener = 'SocketIOServer(listener, application, resource="socket.io")'
    python = document.sample("serving").text
    assert with_listener in python
    without = python.replace(with_listener, "SocketIOServer(application=application)")
    with serving_application(tmp_path, without) as site:  # which waits for the port
        assert requests.get(site.url + "/", timeout=TIMEOUT).text == "Hello!"


# ---------------------------------------------------------------- its samples


@runs(html="include", python="broadcast-channel", javascript="old-page")
def test_an_old_page_hears_what_is_broadcast(
    tmp_path: Path, open_page: OpenPage, html: str, python: str, javascript: str
) -> None:
    with serving(tmp_path, python, script=javascript) as site, Person(site.url) as bob:
        answer = requests.get(site.page, timeout=TIMEOUT)
        assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
        assert [line.strip() in answer.text for line in html.splitlines()] == [True, False, True, True]
        page = open_page(site)
        page.run("socket.on('message', (message) => console.log(message))")
        bob.subscribe("my channel")
        page.run("socket.emit('resolve', 'socket.channels', (channels) => console.log(channels))")
        page.wait_for_log("['my channel']")
        bob.send("anything")
        page.wait_for_log("['my channel']", "my message")
        assert bob.heard == []
        assert page.problems() == []


@runs(javascript="subscribe")
def test_a_page_is_told_that_it_is_subscribed(tmp_path: Path, open_page: OpenPage, javascript: str) -> None:
    assert "const socket = io();" in document.literals()
    with serving(tmp_path, script="const socket = io();\n" + javascript) as site:
        page = open_page(site)
        page.wait_for_log(True)
        assert page.problems() == []


@runs(python="broadcast-channel")
def test_a_broadcast_to_the_channels_of_a_socket_reaches_the_others(tmp_path: Path, python: str) -> None:
    with serving(tmp_path, python) as site, Person(site.url) as ann, Person(site.url) as bob, Person(site.url) as carl:
        for person in (ann, bob):
            assert person.subscribe("my channel") is True
        ann.send("anything")
        bob.wait_for("my message")
        carl.ask("resolve", "socket.id")  # a round trip: what was sent before has arrived
        assert carl.heard == ann.heard == []


@runs(python="out-of-band")
def test_a_view_sends_or_says_that_nobody_is_there(tmp_path: Path, python: str) -> None:
    with serving(tmp_path, python) as site, Person(site.url) as ann:

        def announce() -> str:
            return requests.post(site.url + "/announce", data={"message": "Grüße"}, timeout=TIMEOUT).text

        assert announce() == "There are no clients on the channel: news"
        ann.subscribe("news")
        assert announce() == "Message sent"
        ann.wait_for("Grüße")


@runs(python="handler")
def test_a_handler_gets_every_message(tmp_path: Path, python: str) -> None:
    with serving(tmp_path, completed(python, "return [message, socket.channel]")) as site, Person(site.url) as ann:
        ann.subscribe("my channel")
        assert ann.send({"a": [1, None]}) == [{"a": [1, None]}, None]
        assert ann.send_to("my channel", "Hello!") == ["Hello!", "my channel"]


@runs(python="acks")
def test_the_value_of_a_handler_is_the_answer(tmp_path: Path, python: str) -> None:
    with serving(tmp_path, python) as site, Person(site.url) as ann:
        assert ann.ask("add", 1, 2) == 3


@runs(python="binding")
def test_handlers_are_bound_to_channels(tmp_path: Path, python: str) -> None:
    python = completed(python, "return 'dashboard'", "return 'room'")
    with serving(tmp_path, python) as site, Person(site.url) as ann:
        for channel in ("room-42", "dashboard"):
            ann.subscribe(channel)
        assert ann.send_to("room-42", "Hello!") == "room"
        assert ann.send_to("dashboard", "Hello!") == "dashboard"
        assert ann.send("Hello!") == "dashboard", "those of all channels run, and the first value is the answer"
        assert ann.send_to("room-43", "Hello!") is False, "refused"


@runs(python="binding", javascript="room")
def test_a_page_talks_in_one_room(tmp_path: Path, open_page: OpenPage, python: str, javascript: str) -> None:
    answer = "socket.send_and_broadcast_channel(message, socket.channel)"
    assert answer in document.literals()
    listening = "const socket = io();\nsocket.on('message', (message) => console.log(message));\n"
    python = completed(python, "raise AssertionError", answer)
    with serving(tmp_path, python, script=listening + javascript) as site, Person(site.url) as bob:
        bob.subscribe("room-42")
        page = open_page(site)
        page.wait_for_log("Hello!")
        bob.wait_for("Hello!")
        page.run("socket.subscribe('room-7'); socket.subscribe('dashboard')")
        page.run("socket.send('only here', 'room-7'); socket.send('back here', 'room-42')")
        page.wait_for_log("Hello!", "only here", "back here")
        bob.wait_for("Hello!", "back here")
        assert page.problems() == []


@runs(python="survey")
def test_many_are_asked_and_those_who_answer_are_counted(tmp_path: Path, python: str) -> None:
    python = python.replace("timeout=5", "timeout=0.5")
    with serving(tmp_path, python) as site, Person(site.url) as ann, Person(site.url) as bob, Person(site.url) as carl:
        for person in (ann, bob, carl):
            person.subscribe("room-42")
        bob.answer("vote", lambda question: f"yes to {question}")
        carl.answer("vote", lambda question: "no")
        assert sorted(ann.ask("start vote", "tea")) == ["no", "yes to tea"]
        with Person(site.url) as dora:
            dora.answer("vote", lambda question: time.sleep(2))
            dora.subscribe("room-42")
            assert sorted(ann.ask("start vote", "tea")) == ["no", "yes to tea"]


@runs(python="class")
def test_a_class_holds_the_handlers_of_a_namespace(tmp_path: Path, python: str) -> None:
    with serving(tmp_path, python) as site, Person(site.url, "/chat") as bob:
        with Person(site.url, "/chat", auth={"nickname": "ann"}) as ann:
            assert ann.ask("user message", "Hello!") == "thank you"
        bob.wait_for(["told", "ann", "Hello!"], ["left", "ann"])


@runs(python="admit")
def test_whoever_has_no_token_of_ours_is_refused(tmp_path: Path, python: str) -> None:
    with serving(tmp_path, python) as site:
        handshake = f"{site.url}/socket.io/?EIO=4&transport=polling"
        for cookies in ({}, {"token": "invented"}):
            refused = requests.get(handshake, cookies=cookies, timeout=TIMEOUT)
            assert (refused.status_code, refused.json()["message"]) == (401, "Log in first")
        known = {"Cookie": 'token="a long random one"'}
        assert requests.get(handshake, headers=known, timeout=TIMEOUT).status_code == 200


@runs(python="limits")
def test_who_sends_too_much_is_told_and_so_are_we(tmp_path: Path, python: str) -> None:
    echo = "\n@on_message\ndef echo(request, socket, context, message):\n    return message\n"
    with serving(tmp_path, completed(python, "print(violation, violation.count, flush=True)") + echo) as site:
        with Person(site.url) as ann:
            answers = [ann.send(number) for number in range(21)]
        assert answers[20]["__error__"] == "rate_limit"
        assert set(answers[20]) == {"__error__", "message", "retry_after"}
        site.program.wait_for_line("rate_limit exceeded by session .*, at most 20 .* 1$")


@runs(python="latest")
def test_of_prices_only_the_latest_waits(tmp_path: Path, python: str) -> None:
    with serving(tmp_path, python) as site, Person(site.url) as ann:
        key = "webpy_socketio.config.current().outbox_policy.key"
        assert ann.ask("resolve", f"{key}('price', ['EUR', 1]), {key}('message', [1])") == "('EUR', None)"


@runs(python="message-log")
def test_the_message_log_is_seen(tmp_path: Path, python: str) -> None:
    with serving(tmp_path, python) as site, Person(site.url) as ann:
        ann.ask("resolve", "'Grüße'")
        time = r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
        line = rf"""127\.0\.0\.1 - - \[{time}\] "Socket\.IO resolve: \['resolve', "'Grüße'"\]"$"""
        site.program.wait_for_line(line)


# ---------------------------------------------------------------- its words


def test_the_names_that_it_mentions_exist(tmp_path: Path) -> None:
    names = [
        text for text, _ in document.expressions(ast.Attribute) if text.split(".")[0] in ("socket", "webpy_socketio")
    ]
    fields = [f"request{text}" for text in document.literals() if re.fullmatch(r"\.(cookies|query|headers|auth)", text)]
    assert len(fields) == 4
    assert {"socket.id", "socket.session.session_id", "socket.reason", "webpy_socketio.NoSocket"} <= set(names)
    with serving(tmp_path) as site, Person(site.url) as ann:
        for name in [*names, *fields]:
            assert isinstance(ann.ask("resolve", name), str), name
        assert ann.ask("resolve", "socket.id") == ann.ask("resolve", "socket.session.session_id") == repr(ann.id)


CALLS = dict(document.expressions(ast.Call))
HANDLERS = [text for text in CALLS if text.startswith("on_")]


@pytest.mark.parametrize("text", sorted(CALLS.keys() - HANDLERS))
def test_a_call_that_it_mentions_fits_the_function(text: str) -> None:
    call = CALLS[text]
    assert isinstance(call, ast.Call)
    owner, _, name = ast.unparse(call.func).rpartition(".")
    of_a_socket = owner == "socket"
    assert of_a_socket or owner in ("", "webpy_socketio")
    function = getattr(webpy_socketio.Socket if of_a_socket else webpy_socketio, name)
    parameters = inspect.signature(function).parameters
    in_place = list(parameters.values())[1 if of_a_socket else 0 :]
    for argument, parameter in zip(call.args, in_place, strict=False):
        if isinstance(argument, ast.Starred):
            assert parameter.kind is parameter.VAR_POSITIONAL
        elif isinstance(argument, ast.Name):
            assert parameter.name == argument.id
    assert len(call.args) <= len(in_place)
    for keyword in call.keywords:
        assert keyword.arg in parameters
        if isinstance(keyword.value, ast.Constant):
            assert parameters[keyword.arg].default == keyword.value.value


@pytest.mark.parametrize("text", HANDLERS)
def test_the_arguments_of_an_event_are_those_that_it_brings(text: str) -> None:
    name, *_, arguments = re.split(r"[()]", text.removesuffix(")"))
    event = events.Event(name)
    function = eval(f"lambda {arguments}: None")
    named = "x" if event is events.Event.NAMED else None
    handler = events.Handler(event, function, named, "/", None)  # an EventError if they do not fit
    assert handler.least == len(arguments.replace("*args", "").rstrip(", ").split(", "))


def test_all_events_are_there() -> None:
    assert sorted(text.split("(")[0] for text in HANDLERS) == sorted(event.value for event in events.Event)


def test_the_table_of_settings_is_right() -> None:
    defaults = {
        '"socket.io"': "socket.io",
        "both": ("polling", "websocket"),
        "True": True,
        "False": False,
        "None": None,
        "()": (),
        '"refuse"': "refuse",
        "same origin": None,
        "25 s": 25,
        "20 s": 20,
        "100 µs": 0.0001,
        "1,000,000 bytes": 1_000_000,
        "16,000,000 bytes": 16_000_000,
        '"disconnect"': "disconnect",
        "see Logging": config.DEFAULT_MESSAGE_LOG_FORMAT,
    }
    table = document.settings_table()
    assert {name: defaults[default] for name, (default, _) in table.items()} == {
        name: getattr(config.Config(), name) for name in table
    }
    assert config.DEFAULT_MESSAGE_LOG_FORMAT in document.plain_blocks()
    (literal, _) = get_args(config.OutboxPolicy)
    policies = {*get_args(literal)} - {config.Config().outbox_policy}
    assert policies == set(re.findall(r'"(\w+)"', table["outbox_policy"][1]))
    assert {"client_file"} <= config.Config.names() & set(document.literals())


def test_the_commands_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = "\n".join(document.plain_blocks() + document.literals())
    assert {"demo", "test", "client"} == set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) & {*targets}
    assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= {*targets}


def test_the_loggers_exist() -> None:
    import logging

    names = [text for text in document.literals() if re.fullmatch(r"\.(server|session|hub|messages)", text)]
    assert len(names) == 4
    known = logging.getLogger().manager.loggerDict
    assert [name for name in names if f"webpy_socketio{name}" not in known] == []


def test_the_files_exist() -> None:
    names = [text for text in document.literals() if re.fullmatch(r"[\w./-]+\.(rst|conf|html)|LICENSE|\w+/", text)]
    names += [image["uri"] for image in document.document().findall(docutils.nodes.image)]
    assert "deploy/nginx/webpy_socketio.conf" in names
    assert [name for name in names if not (ROOT / name).exists()] == []
