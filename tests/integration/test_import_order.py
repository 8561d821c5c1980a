"""Concurrent requests to web.py on gevent, with the imports in the right order and in the wrong ones.

Each order runs as a script of its own, for the process that runs the tests is patched already.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import pytest

from tests.apps.polling_client import PollingClient
from tests.apps.running import Served, run_to_end, serving
from tests.support.ports import free_port

REQUESTS = 20
PLACES = ("ctx", "session", "database")
_batches = count()


@dataclass(frozen=True)
class Answer:
    """What one user got: the status, the names that the page found, the header's name, and the session's cookie."""

    user: str
    status: int
    body: str
    header: str | None
    cookie: str | None

    @property
    def right(self) -> bool:
        return self.status == 200 and self.header == self.user and set(self.body.split()) <= {self.user, "1"}


def ask(app: Served, place: str, user: str, batch: int, cookie: str | None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=30)
    try:
        headers = {"Cookie": cookie} if cookie else {}
        connection.request("GET", f"/{place}?user={user}&batch={batch}&n={REQUESTS}", headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        set_cookie = response.getheader("Set-Cookie")
        return Answer(
            user, response.status, body, response.getheader("X-User"), set_cookie and set_cookie.split(";")[0]
        )
    finally:
        connection.close()


def ask_all_at_once(app: Served, place: str, cookies: dict[str, str | None] | None = None) -> list[Answer]:
    batch = next(_batches)
    known = cookies or {f"user{number}": None for number in range(REQUESTS)}
    with ThreadPoolExecutor(REQUESTS) as pool:
        asked = [pool.submit(ask, app, place, user, batch, cookie) for user, cookie in known.items()]
        return [one.result() for one in asked]


@pytest.fixture(scope="module", params=["order_readme.py", "order_package_first.py", "order_right.py"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(request.param, log_directory=tmp_path_factory.mktemp("log")) as app:
        yield app


@pytest.fixture(scope="module")
def unrepaired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving("order_unrepaired.py", log_directory=tmp_path_factory.mktemp("log")) as app:
        yield app


@pytest.mark.parametrize("place", PLACES)
def test_concurrent_requests_keep_their_own_state(served: Served, place: str) -> None:
    wrong = [answer for answer in ask_all_at_once(served, place) if not answer.right]
    assert wrong == []


def test_every_user_comes_back_to_the_own_session(served: Served) -> None:
    first = {answer.user: answer.cookie for answer in ask_all_at_once(served, "session")}
    assert None not in first.values()
    assert len(set(first.values())) == REQUESTS
    again = ask_all_at_once(served, "session", first)
    assert [answer for answer in again if not answer.right or answer.cookie != first[answer.user]] == []


def test_polls_that_wait_and_pages_leave_each_other_alone(served: Served) -> None:
    clients = [PollingClient(served.port) for _ in range(REQUESTS)]
    with ThreadPoolExecutor(REQUESTS) as pool:
        polls = [pool.submit(client.receive) for client in clients]
        for place in PLACES:
            assert [answer for answer in ask_all_at_once(served, place) if not answer.right] == []
        assert [poll for poll in polls if poll.done()] == []
        for number, client in enumerate(clients):
            client.emit("message", number)
        assert [poll.result() for poll in polls] == [["answer", number] for number in range(REQUESTS)]
    for client in clients:
        client.close()


def test_an_unpatched_process_is_refused_with_the_line_that_mends_it() -> None:
    run = run_to_end("order_unpatched.py", str(free_port()))
    assert run.returncode == 1
    assert "webpy_socketio.errors.UsageError: Serving needs gevent's patches" in run.stderr
    assert "    from gevent import monkey; monkey.patch_all()\n" in run.stderr


@pytest.mark.parametrize("place", PLACES)
def test_without_the_package_the_same_requests_are_mixed_up(unrepaired: Served, place: str) -> None:
    # Each of them, but for the last one to write, reads what another wrote, or is answered with a 500.
    wrong = [answer for answer in ask_all_at_once(unrepaired, place) if not answer.right]
    assert len(wrong) >= REQUESTS - 1
