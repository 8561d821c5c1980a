"""What web.py does with a handler that returns a generator: the facts on which the endpoint's GET and POST stand."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import pytest
import web
import web.session
from gevent.event import Event
from gevent.pywsgi import WSGIServer

TIMEOUT = 10.0
"""Seconds after which something that should have happened has not."""


@dataclass
class Story:
    """What happened in the application, in order, and the events by which a test moves a waiting request on."""

    lines: list[str] = field(default_factory=list)
    waits: Event = field(default_factory=Event)
    release: Event = field(default_factory=Event)

    def wait(self) -> None:
        self.lines.append("waits")
        self.waits.set()
        assert self.release.wait(TIMEOUT)


@dataclass(frozen=True)
class Served:
    """The application on a port, and its story."""

    port: int
    story: Story

    def get(self, path: str, cookie: str = "") -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def cookie(self) -> str:
        return self.get("/name")[1]["Set-Cookie"].split(";")[0]


class Recording(web.session.DiskStore):
    """A session store that tells when a session is written."""

    def __init__(self, directory: str, story: Story) -> None:
        super().__init__(directory)
        self.story = story

    def __setitem__(self, key: str, value: dict[str, Any]) -> None:
        self.story.lines.append("session saved")
        super().__setitem__(key, value)


def build(story: Story, directory: Path) -> web.application:
    class Generator:
        def GET(self) -> Iterator[bytes]:
            return self.wait_and_answer()

        def wait_and_answer(self) -> Iterator[bytes]:
            story.wait()
            web.ctx.status = "299 Set while generating"
            web.header("X-Path", web.ctx.path)
            story.lines.append("first chunk")
            yield b"one "
            web.header("X-Too-Late", "1")
            yield web.ctx.path.encode()
            story.lines.append("last chunk")

    class Blocking:
        def GET(self) -> bytes:
            story.wait()
            return b""

    class Name:
        def GET(self) -> str:
            session.name = web.input(name=session.get("name", "nobody")).name
            return str(session.name)

    urls = ("/generator", Generator, "/blocking", Blocking, "/name", Name)
    app = web.application(urls, {}, autoreload=False)

    def processor(handler: Any) -> Any:
        try:
            return handler()
        finally:
            story.lines.append("processor left")

    app.add_processor(web.unloadhook(lambda: story.lines.append("unload hook")))
    app.add_processor(processor)
    session = web.session.Session(app, Recording(str(directory), story))
    return app


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    story = Story()
    server = WSGIServer(("127.0.0.1", 0), build(story, tmp_path).wsgifunc(), log=None)
    server.start()
    try:
        yield Served(server.server_port, story)
    finally:
        story.release.set()
        server.stop()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def begin(served: Served, pool: ThreadPoolExecutor, path: str, cookie: str) -> Future[Any]:
    """Send a request, and return when its handler waits."""
    request = pool.submit(served.get, path, cookie)
    assert served.story.waits.wait(TIMEOUT)
    return request


def test_session_and_processors_are_done_before_the_generator_waits(served: Served, pool: ThreadPoolExecutor) -> None:
    cookie = served.cookie()
    served.story.lines.clear()
    request = begin(served, pool, "/generator", cookie)
    assert served.story.lines == ["session saved", "processor left", "waits"]
    served.story.release.set()
    request.result(TIMEOUT)
    assert served.story.lines.count("session saved") == 1


def test_unload_hooks_run_after_the_last_chunk(served: Served, pool: ThreadPoolExecutor) -> None:
    # web.unloadhook follows a generator to its end: what a hook releases is held as long as the request waits.
    request = begin(served, pool, "/generator", "")
    assert "unload hook" not in served.story.lines
    served.story.release.set()
    request.result(TIMEOUT)
    assert served.story.lines[-3:] == ["first chunk", "last chunk", "unload hook"]


def test_status_and_headers_can_be_set_until_the_first_chunk(served: Served, pool: ThreadPoolExecutor) -> None:
    request = begin(served, pool, "/generator", "")
    served.story.release.set()
    status, headers, body = request.result(TIMEOUT)
    assert status == 299
    assert headers["X-Path"] == "/generator"
    assert "X-Too-Late" not in headers
    assert body == b"one /generator"  # web.ctx is still this request's, in the second chunk too


def test_a_generator_does_not_undo_what_other_requests_write_meanwhile(
    served: Served, pool: ThreadPoolExecutor
) -> None:
    cookie = served.cookie()
    request = begin(served, pool, "/generator", cookie)
    assert served.get("/name?name=Ada", cookie)[2] == b"Ada"
    served.story.release.set()
    request.result(TIMEOUT)
    assert served.get("/name", cookie)[2] == b"Ada"


def test_a_blocking_handler_does_undo_it(served: Served, pool: ThreadPoolExecutor) -> None:
    # The reason for the generators; when web.py mends this, they may go.
    cookie = served.cookie()
    request = begin(served, pool, "/blocking", cookie)
    assert served.get("/name?name=Ada", cookie)[2] == b"Ada"
    served.story.release.set()
    request.result(TIMEOUT)
    assert served.get("/name", cookie)[2] == b"nobody"


def test_the_context_of_a_waiting_generator_is_its_own(served: Served, pool: ThreadPoolExecutor) -> None:
    request = begin(served, pool, "/generator", "")
    for _ in range(5):
        gevent.joinall([gevent.spawn(served.get, "/name") for _ in range(4)], raise_error=True)
    served.story.release.set()
    assert request.result(TIMEOUT)[2] == b"one /generator"
