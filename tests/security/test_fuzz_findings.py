"""What the fuzzer has found (``make fuzz``), each tried against a running server."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import monotonic

import pytest

from tests.apps.raw_server import RawServer
from tests.support.processes import ROOT, Program, python_command
from tests.support.raw import (
    POLLING,
    TEXT,
    WEBSOCKET,
    Connection,
    PollingSession,
    WebSocketSession,
    ask,
    frame,
    head,
    upgrade_headers,
)


def answer(server: RawServer, data: bytes) -> int:
    """Send bytes and the end of our half of the stream; return the status of the only answer."""
    with Connection(server.port) as connection:
        connection.send(data)
        connection.socket.shutdown(1)
        response = connection.read_response()
        assert connection.read_to_end() == b""
        return response.status


@pytest.mark.parametrize("version", ["HTTP/1", "HTTP/", "HTTP/1.", "HTTP/1.x", "HTTP/1.1.1", "HTTP/1_0.1", "HTTP/2.0"])
def test_a_version_that_is_none_is_refused_without_a_traceback(server: RawServer, version: str) -> None:
    assert answer(server, head("GET", POLLING, version=version)) == 400


def test_a_head_that_breaks_off_is_no_request(server: RawServer) -> None:
    before = server.state()["clients"]
    whole = head("GET", POLLING)
    for length in (len(whole) - 1, len(whole) - 2, len(whole) - 3, len(whole) - 9, whole.index(b"\r")):
        assert answer(server, whole[:length]) == 400
    assert server.state()["clients"] == before


@pytest.mark.parametrize("carrier", ["polling", "websocket"])
def test_a_folded_header_is_refused_without_a_traceback(server: RawServer, carrier: str) -> None:
    path = POLLING.replace("polling", carrier)
    assert (
        answer(server, head("GET", path, {**upgrade_headers(), "Origin": f"http://127.0.0.1\r\n :{server.port}"}))
        == 400
    )


@pytest.mark.parametrize("hidden", ["X: y\rOrigin: http://evil.example", "X: y\x00Origin: z", "X : y", ": y", "X"])
def test_what_another_reader_may_take_for_something_else_is_no_header(server: RawServer, hidden: str) -> None:
    line = head("GET", POLLING).replace(b"\r\n\r\n", f"\r\n{hidden}\r\n\r\n".encode())
    assert answer(server, line) == 400


def test_a_line_without_a_colon_does_not_hide_the_length_of_the_body(server: RawServer) -> None:
    inner = head("GET", POLLING)
    outer = f"POST /upload HTTP/1.1\r\nHost: x\r\nnonsense\r\nContent-Length: {len(inner)}\r\n\r\n".encode()
    # One answer: the inner request is a body for whoever understands the outer one.
    assert answer(server, outer + inner) == 400


def test_usual_headers_are_taken(server: RawServer) -> None:
    headers = {"X-Empty": "", "X-Text": 'gr\u00fc\u00df\tGott; q="a,b"', "X_Underline": "1", "x!#$%&'*+.^`|~": "2"}
    with Connection(server.port) as connection:
        assert connection.request("GET", POLLING, None, headers).status == 200
    assert ask(server.port, "GET", POLLING).status == 200


@pytest.mark.parametrize("chunk", ["\r\n", ";a=b\r\n", "2\r\n40\r\n\r\n"])
def test_a_chunk_without_a_size_is_a_bad_request_without_a_traceback(server: RawServer, chunk: str) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        connection.send(head("POST", session.path, {"Transfer-Encoding": "chunked"}) + chunk.encode())
        assert connection.read_response().error == (400, {"code": 3, "message": "Bad request"})
        assert session.echo("unharmed") == "unharmed"


# What came up beside it: gevent's server serves a client that never pauses as long as it likes, and nobody else ------

CHUNKED = b"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS = {
    "tiny chunks": (CHUNKED, b"1\r\nx\r\n" * 10_000),
    "extensions": (CHUNKED, (b"1;" + b"e" * 8_000 + b"\r\nx\r\n") * 20),
    "trailers": (CHUNKED + b"0\r\n", (b"a:" + b"b" * 8_000 + b"\r\n") * 20),
    "requests": (b"", b"GET /socket.io/?EIO=4&transport=none HTTP/1.1\r\nHost: x\r\n\r\n" * 500),
    "frames": (head("GET", WEBSOCKET, upgrade_headers()) + frame(TEXT, "40"), frame(TEXT, '42["note","x"]') * 2_000),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_client_that_never_pauses_keeps_nobody_waiting(server: RawServer, tmp_path: Path, kind: str) -> None:
    opening, piece = FLOODS[kind]
    flood = tmp_path / "flood"
    with WebSocketSession(server.port) as session, PollingSession(server.port) as flooded:
        opening = opening.replace(b"{path}", flooded.path.encode())
        flood.write_bytes(opening.ljust(4_096, b"\0") + len(opening).to_bytes(4, "big") + piece)
        with Program(flooder(server.port, flood), tmp_path / "flood.log") as program:
            program.wait_for_line("flooding")
            began = monotonic()
            times: list[float] = []
            while monotonic() < began + 1.5 or len(times) < 5:
                start = monotonic()
                assert session.echo("served") == "served"
                times.append(monotonic() - start)
        # In place of more than six seconds for each, as long as the client likes. Usual is a tenth.
        assert median(times) < 3


def flooder(port: int, flood: Path) -> list[str]:
    """Return the command of a process that sends a file's head once and its rest again and again, and reads answers."""
    return python_command(ROOT / "tests/apps/raw_flooder.py", port, flood)
