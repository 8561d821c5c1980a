"""PEP 3333 over a real server: requests for the endpoint, with and without pywsgi's handler, which do the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest
from gevent.hub import Hub as GeventHub

from tests.support.raw import POLLING, WEBSOCKET, Connection, Response, head, upgrade_headers
from tests.support.waiting import wait_until
from webpy_socketio import SocketIOServer
from webpy_socketio.gateway.endpoint_request import EndpointRequest
from webpy_socketio.gateway.handoff import connection_of

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
GET = head("GET", POLLING)
LARGE = b"x" * 4_000_000


class OwnTrouble(Exception):
    pass


class Log:
    def write(self, text: str) -> None:
        """Drop a line."""


class Serving:
    """A server of one application, and what it reports."""

    def __init__(self, kind: str, reports: list[tuple[str, BaseException]]) -> None:
        self.options: dict[str, Any] = {"log": Log()} if kind == "pywsgi" else {}
        self.reports = reports
        self.server: Any = None

    def start(self, application: Application, **options: Any) -> None:
        self.server = SocketIOServer(("127.0.0.1", 0), application, **self.options, **options)
        self.server.start()

    def connect(self, **options: Any) -> Connection:
        return Connection(self.server.server_port, **options)

    def ask(self, application: Application, **fields: object) -> Response:
        """Serve one request of a new connection; the answer ends where it says so."""
        self.start(application)
        with self.connect() as connection:
            response: Response = connection.request("GET", POLLING, headers=fields)
            if response.closes:
                assert connection.is_closed_by_server()
            else:
                again = connection.request("GET", POLLING, headers=fields)
                assert (again.status, again.body) == (response.status, response.body)
            return response

    def is_at_rest(self) -> bool:
        return not self.server._handlers and not self.server.lines


@pytest.fixture(params=["brief", "pywsgi"])
def serving(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    reports: list[tuple[str, BaseException]] = []
    monkeypatch.setattr(
        GeventHub, "handle_error", lambda self, context, *rest: reports.append((repr(context), rest[1]))
    )
    serving = Serving(request.param, reports)
    yield serving
    serving.server.stop(1)
    wait_until(serving.is_at_rest, what="the end of its connections")


def answering(*pieces: bytes, status: str = "200 OK", headers: tuple[tuple[str, str], ...] = ()) -> Application:
    """Make an application whose answer is a list of pieces."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, list(headers))
        return list(pieces)

    return application


def streaming(*pieces: bytes, **options: Any) -> Application:
    """Make an application whose answer is an iterator, so that nobody knows its length."""
    make = answering(*pieces, **options)
    return lambda environ, start_response: iter(make(environ, start_response))


def test_which_requests_are_served_without_pywsgis_handler() -> None:
    seen: list[bool] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(isinstance(connection_of(environ), EndpointRequest))
        start_response("200 OK", [])
        return [b""]

    for options in ({}, {"log": Log()}, {"spawn": gevent.spawn}):
        server: Any = SocketIOServer(("127.0.0.1", 0), application, **options)
        server.start()
        with Connection(server.server_port) as connection:
            connection.request("GET", POLLING)
            connection.request("GET", "/page")
            connection.request("POST", POLLING, b"")
            connection.send(GET[:20])
            gevent.sleep(0.01)
            connection.send(GET[20:])
            connection.read_response()
        server.stop(1)
    assert seen == [True, *[False] * 11]


class TestTheAnswer:
    def test_of_a_list_has_a_length(self, serving: Serving) -> None:
        response = serving.ask(answering(b"one", b"", b"two"))
        assert (response.status, response.body, response.headers["content-length"]) == (200, b"onetwo", "6")
        assert response.headers["date"].endswith(" GMT")

    def test_of_an_iterator_is_sent_in_chunks(self, serving: Serving) -> None:
        response = serving.ask(streaming(b"", b"one", b"", b"two"))
        assert (response.body, response.headers["transfer-encoding"]) == (b"onetwo", "chunked")
        assert "content-length" not in response.headers

    def test_has_the_fields_that_it_was_given(self, serving: Serving) -> None:
        fields = (("X-A", "caf\xe9"), ("content-length", "3"), ("date", "now"))
        response = serving.ask(streaming(b"one", status="404 Not Here", headers=fields))
        assert (response.status, response.body) == (404, b"one")
        assert response.headers == {"x-a": "café", "content-length": "3", "date": "now"}

    @pytest.mark.parametrize("application", [answering(), streaming()], ids=["list", "iterator"])
    def test_may_be_empty(self, serving: Serving, application: Application) -> None:
        assert serving.ask(application).body == b""

    @pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
    def test_of_some_statuses_has_no_body(self, serving: Serving, status: str) -> None:
        response = serving.ask(streaming(status=status))
        assert "transfer-encoding" not in response.headers
        assert "content-length" not in response.headers

    def test_may_be_written_before_the_iterable(self, serving: Serving) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            write = start_response("200 OK", [("Content-Length", "9")])
            write(b"one")
            write(b"two")
            return [b"end"]

        assert serving.ask(application).body == b"onetwoend"

    def test_may_be_replaced_after_an_error_as_long_as_it_has_not_begun(self, serving: Serving) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [("X-A", "a")])
            try:
                raise OwnTrouble
            except OwnTrouble as error:
                start_response("503 Busy", [("X-B", "b")], (OwnTrouble, error, error.__traceback__))
            yield b"busy"

        response = serving.ask(application)
        assert (response.status, response.body, "x-a" in response.headers) == (503, b"busy", False)

    def test_is_closed_after_its_last_piece(self, serving: Serving) -> None:
        events: list[str] = []

        class Result:
            def __iter__(self) -> Iterator[bytes]:
                yield b"one"
                events.append("end")

            def close(self) -> None:
                events.append("close")

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Connection", "close")])
            return Result()

        assert serving.ask(application).body == b"one"
        assert events == ["end", "close"]

    def test_arrives_whole_at_a_slow_reader(self, serving: Serving) -> None:
        serving.start(answering(LARGE, LARGE))
        with serving.connect(receive_buffer=20_000) as connection:
            connection.send(GET)
            gevent.sleep(0.1)
            assert connection.read_response().body == LARGE + LARGE
            assert len(connection.request("GET", POLLING).body) == 2 * len(LARGE)

    def test_is_given_up_if_nobody_reads_it(self, serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "webpy_socketio.server")
        serving.start(answering(LARGE), body_timeout=0.2, close_timeout=0.2)
        with serving.connect(receive_buffer=20_000) as connection:
            connection.send(GET)
            wait_until(lambda: "the client does not read it" in caplog.text)
            wait_until(serving.is_at_rest)
        assert serving.reports == []


class TestTheConnection:
    def test_takes_requests_that_come_together(self, serving: Serving) -> None:
        serving.start(lambda environ, start: answering(environ["QUERY_STRING"].encode())(environ, start))
        with serving.connect() as connection:
            connection.send(head("GET", "/socket.io/?a") + head("GET", "/socket.io/?b"))
            assert [connection.read_response().text for _ in "ab"] == ["a", "b"]

    def test_ends_if_the_client_wants_that(self, serving: Serving) -> None:
        assert serving.ask(answering(b"one"), Connection="Close").closes

    @pytest.mark.parametrize("value", ["close", "Close"])
    def test_ends_if_the_application_wants_that(self, serving: Serving, value: str) -> None:
        response = serving.ask(answering(b"one", headers=(("Connection", value),)))
        assert response.headers["connection"] == value

    def test_ends_with_the_server(self, serving: Serving) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            gevent.spawn(serving.server.stop, 2)
            wait_until(lambda: serving.server.is_last)
            start_response("200 OK", [])
            return [b"last"]

        response = serving.ask(application)
        assert (response.body, response.closes) == (b"last", True)

    def test_may_be_gone(self, serving: Serving) -> None:
        seen: list[Any] = []

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            connection: Any = connection_of(environ)
            seen.append(connection)
            assert not connection.is_gone()
            start_response("200 OK", [])
            wait_until(connection.is_gone)
            return [LARGE]

        serving.start(application)
        with serving.connect() as connection:
            connection.send(GET)
            wait_until(lambda: bool(seen))
            connection.reset()
        wait_until(serving.is_at_rest)
        assert seen[0].is_gone()
        assert serving.reports == []

    def test_of_a_request_that_was_answered_is_gone(self, serving: Serving) -> None:
        seen: list[Any] = []

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            seen.append(connection_of(environ))
            start_response("200 OK", [])
            return [b"one"]

        serving.start(application)
        with serving.connect() as connection:
            assert connection.request("GET", POLLING).body == b"one"
            wait_until(lambda: bool(seen[0].is_gone()))
            assert connection.request("GET", POLLING).body == b"one"


def fail(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise OwnTrouble("before the answer")


def fail_late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "6")])
    yield b""
    raise OwnTrouble("before the first piece")


def fail_to_start(*arguments: Any) -> Application:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(*arguments)
        return [b"body"]

    return application


class TestFailures:
    @pytest.mark.parametrize(
        "application",
        [
            fail,
            fail_late,
            lambda environ, start_response: [b"without a status"],
            lambda environ, start_response: None,
            answering("text"),  # type: ignore[arg-type]  # what an application must not do
            fail_to_start("200 OK", [("X-A", "a\r\nX-B: b")]),
            fail_to_start("200 OK", [("X-A\n", "a")]),
            fail_to_start("200 OK\r", []),
            fail_to_start("200 OK", [("X-A", "\u20ac")]),
            fail_to_start("200 OK", [("X-A", b"bytes")]),
            fail_to_start(b"200 OK", []),
            fail_to_start("OK", []),
            fail_to_start("204 No Content", []),
            fail_to_start("204 No Content", [("Content-Length", "4")]),
        ],
    )
    def test_are_answered_and_reported_without_secrets(self, serving: Serving, application: Application) -> None:
        response = serving.ask(application, Cookie="user=ann")
        assert (response.status, response.body, response.closes) == (500, b"Internal Server Error", True)
        ((context, _),) = serving.reports
        assert "user=ann" not in context

    @pytest.mark.parametrize("make", [answering, streaming])
    def test_in_the_midst_of_an_answer_end_it(self, serving: Serving, make: Callable[..., Application]) -> None:
        whole = make(b"one", b"two")

        def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            pieces = iter(whole(environ, start_response))
            yield next(pieces)
            raise OwnTrouble("in the midst")

        serving.start(application)
        with serving.connect() as connection:
            connection.send(GET)
            assert connection.read_to_end().endswith(b"3\r\none\r\n")
        assert [str(error) for _, error in serving.reports] == ["in the midst"]

    def test_that_come_too_late_for_another_answer_go_on(self, serving: Serving) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [("Content-Length", "6")])
            yield b"one"
            try:
                raise OwnTrouble("too late")
            except OwnTrouble as error:
                start_response("503 Busy", [], (OwnTrouble, error, error.__traceback__))

        serving.start(application)
        with serving.connect() as connection:
            connection.send(GET)
            assert connection.read_to_end().endswith(b"\r\n\r\none")
        assert [str(error) for _, error in serving.reports] == ["too late"]

    @pytest.mark.parametrize("error", [gevent.Timeout(1), gevent.GreenletExit()])
    def test_may_be_of_any_kind(self, serving: Serving, error: BaseException) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            raise error

        assert serving.ask(application).status == 500

    def test_close_the_answer_all_the_same(self, serving: Serving) -> None:
        closed: list[bool] = []

        class Result(list[bytes]):
            def close(self) -> None:
                closed.append(True)

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            return Result([b"without a status"])

        assert serving.ask(application).status == 500
        assert closed == [True]

    def test_behind_a_socket_that_was_taken_are_reported_without_secrets(self, serving: Serving) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            connection: Any = connection_of(environ)
            start_response("101 Switching Protocols", [])
            sock, early_data = connection.take()
            sock.send(b"mine: " + early_data)
            sock.close()
            yield b"nobody's"
            raise OwnTrouble("in a hook")

        serving.start(application)
        with serving.connect() as connection:
            connection.send(head("GET", WEBSOCKET, {**upgrade_headers(), "Cookie": "user=ann"}) + b"early")
            assert connection.read_to_end() == b"mine: early"
        wait_until(lambda: bool(serving.reports))
        ((context, error),) = serving.reports
        assert str(error) == "in a hook"
        assert "user=ann" not in context
