"""permessage-deflate between real clients and a real server: off unless asked for, bounded, and shared by receivers."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.apps.raw_server import RawServer
from tests.support.node import run_node
from tests.support.raw import BINARY, TEXT, WebSocketSession, frame
from tests.support.waiting import wait_until

LIMIT = 100_000
THRESHOLD = 200
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
RSV1 = 0b100


class CompressedSession(WebSocketSession):
    """A client that compresses, with context take-over, and shows which frames it got compressed."""

    def __init__(self, port: int) -> None:
        self.received: list[tuple[bool, bytes]] = []
        self.stream = zlib.compressobj(wbits=-12)
        super().__init__(port, headers=OFFER)

    def send_compressed(self, opcode: int, data: bytes) -> None:
        packed = self.stream.compress(data) + self.stream.flush(zlib.Z_SYNC_FLUSH)
        self.send(frame(opcode, packed.removesuffix(b"\0\0\xff\xff"), reserved=RSV1))

    def read_frame(self) -> tuple[int, bytes]:
        while len(self.buffer) < 2:
            assert self._fill()
        is_compressed = bool(self.buffer[0] & 0x40)
        self.buffer[0] &= 0xBF
        opcode, data = super().read_frame()
        self.received.append((is_compressed, data))
        return opcode, zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff") if is_compressed else data


@pytest.fixture(scope="module")
def compressing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    settings = {"max_payload": LIMIT, "compression": THRESHOLD}
    with RawServer(tmp_path_factory.mktemp("compressing"), **settings) as running:
        yield running


def test_it_is_off_unless_it_is_asked_for(server: RawServer) -> None:
    with WebSocketSession(server.port, headers=OFFER) as session:
        assert "sec-websocket-extensions" not in session.response.headers
        assert session.echo("x" * 5_000) == "x" * 5_000


def test_a_client_that_offers_nothing_gets_nothing_compressed(compressing: RawServer) -> None:
    with WebSocketSession(compressing.port) as session:
        assert "sec-websocket-extensions" not in session.response.headers
        assert session.echo("x" * 5_000) == "x" * 5_000
        session.send_frame(TEXT, b"42", reserved=RSV1)
        assert session.read_close()[0] == 1002


def test_the_answer_names_what_was_agreed_on(compressing: RawServer) -> None:
    with WebSocketSession(compressing.port, headers=OFFER) as session:
        assert session.response.headers["sec-websocket-extensions"] == (
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=12"
        )


def test_messages_are_compressed_from_the_threshold_on(compressing: RawServer) -> None:
    with CompressedSession(compressing.port) as session:
        for text in ("x", "größer 😀 " * 1_000, "größer 😀 " * 1_000):
            session.send_compressed(TEXT, f"42{json.dumps(['echo', text])}".encode())
            assert session.receive() == ["echo", text]
        assert [is_compressed for is_compressed, _ in session.received[-3:]] == [False, True, True]
        assert len(session.received[-1][1]) < 500


def test_a_bomb_is_closed_with_1009_and_the_server_is_well(compressing: RawServer) -> None:
    def memory() -> int:
        lines = Path(f"/proc/{compressing.program.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    before = memory()
    for opcode in (TEXT, BINARY):
        with CompressedSession(compressing.port) as session:
            session.send_compressed(opcode, b"4" + bytes(90_000_000))
            assert session.read_close_and_end() == (1009, "")
    assert memory() - before < 10_000, "kilobytes of memory, at its highest"
    wait_until(lambda: compressing.state()["clients"] == 0, what="nobody is left")


def test_a_broadcast_is_the_same_bytes_for_all_that_compress(compressing: RawServer) -> None:
    with ExitStack() as stack:
        sessions = [stack.enter_context(CompressedSession(compressing.port)) for _ in range(5)]
        plain = stack.enter_context(WebSocketSession(compressing.port))
        text = "to everybody " * 200
        sessions[0].emit("tell all", text)
        for session in (*sessions, plain):
            assert session.receive() == ["message", text]
        assert len({session.received[-1] for session in sessions}) == 1
        assert sessions[0].received[-1][0]


@pytest.mark.npm
@pytest.mark.parametrize("mode", ["websocket", "upgrade"])
def test_the_official_client_agrees_on_it(compressing: RawServer, mode: str, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{compressing.port}"
    reported = run_node("client_compressed.js", url, mode, log=tmp_path / "client.log")
    assert reported["extensions"] == "permessage-deflate"
    assert all(reported["same"])
