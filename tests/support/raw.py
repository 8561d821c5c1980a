"""Clients that speak HTTP, WebSocket and Engine.IO byte by byte, so that a test can say exactly what goes wrong.

Nothing here repairs, retries or hides anything. All waits end after `TIMEOUT` seconds.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"
TIMEOUT = 10.0
"""Seconds after which something that should have happened has not."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
SEPARATOR = "\x1e"
POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


@dataclass(frozen=True)
class Response:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def error(self) -> tuple[int, Any]:
        """The status and the decoded JSON body, which must be declared as such."""
        assert self.headers.get("content-type", "").startswith("application/json"), self
        return self.status, json.loads(self.body)

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


def frame(
    opcode: int, payload: bytes | str = b"", *, final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """Build a frame as a client sends it; ``reserved`` are the three reserved bits as a number from 0 to 7."""
    data = payload.encode() if isinstance(payload, str) else payload
    head = bytes(((0x80 if final else 0) | reserved << 4 | opcode,))
    bit = 0x80 if masked else 0
    if len(data) < 126:
        head += bytes((bit | len(data),))
    elif len(data) < 65_536:
        head += bytes((bit | 126,)) + struct.pack(">H", len(data))
    else:
        head += bytes((bit | 127,)) + struct.pack(">Q", len(data))
    if not masked:
        return head + data
    key = os.urandom(4)
    repeated = (key * (len(data) // 4 + 1))[: len(data)]
    xored = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
    return head + key + xored.to_bytes(len(data), "big")


def close_frame(code: int, reason: bytes | str = b"") -> bytes:
    """Build a client's close frame."""
    text = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, struct.pack(">H", code) + text)


def head(method: str, path: str, headers: Mapping[str, object] | None = None, *, version: str = "HTTP/1.1") -> bytes:
    """Build a request's line and headers; ``Host`` is added unless it is given (None leaves it out)."""
    fields: dict[str, object] = {"Host": HOST, **(headers or {})}
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def upgrade_headers(**others: object) -> dict[str, object]:
    """Give the headers of a WebSocket's opening handshake; underscores in names of others stand for dashes."""
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **{name.replace("_", "-"): value for name, value in others.items()},
    }


class Connection:
    """A TCP connection, over TLS if a ``context`` is given, that speaks HTTP."""

    def __init__(self, port: int, *, context: ssl.SSLContext | None = None, receive_buffer: int | None = None) -> None:
        self.socket: socket.socket = socket.socket()
        if receive_buffer is not None:  # before connecting: the window is agreed on then
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = bytearray()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close with a TCP reset, as a crashed machine's successor would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _fill(self) -> bool:
        data = self.socket.recv(262_144)
        self.buffer += data
        return bool(data)

    def _read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not self._fill():
                raise EOFError(f"the server closed; before that came {bytes(self.buffer[:500])!r}")
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def _read_through(self, end: bytes) -> bytes:
        while end not in self.buffer:
            if not self._fill():
                raise EOFError(f"the server closed; before that came {bytes(self.buffer[:500])!r}")
        return self._read(self.buffer.index(end) + len(end))

    def read_to_end(self) -> bytes:
        """Return everything up to the end of the stream; a reset is an error."""
        while self._fill():
            pass
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    def is_closed_by_server(self) -> bool:
        """Wait for the end of the stream, orderly or not; False if data came instead."""
        try:
            return self.read_to_end() == b""
        except ConnectionError:
            return True

    def has_data(self, timeout: float = 0.0) -> bool:
        """Tell whether there is something to read (the end of the stream counts)."""
        if self.buffer or not select.select([self.socket], [], [], timeout)[0]:
            return bool(self.buffer)
        if not isinstance(self.socket, ssl.SSLSocket):
            return True
        self.socket.settimeout(0.01)  # what has come may be TLS's own business
        try:
            return not self._fill() or True
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(TIMEOUT)

    # -- HTTP ---------------------------------------------------------------------------------------------------------

    def send_request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, object] | None = None,
        version: str = "HTTP/1.1",
    ) -> None:
        data = body.encode() if isinstance(body, str) else body
        fields: dict[str, object] = dict(headers or {})
        if data is not None:
            fields = {"Content-Length": len(data), "Content-Type": "text/plain;charset=UTF-8", **fields}
        self.send(head(method, path, fields, version=version) + (data or b""))

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, object] | None = None,
        version: str = "HTTP/1.1",
    ) -> Response:
        self.send_request(method, path, body, headers, version)
        return self.read_response(method)

    def read_response(self, method: str = "GET") -> Response:
        """Read one answer, no byte more."""
        lines = self._read_through(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        headers: dict[str, str] = {}
        for line in filter(None, lines[1:]):
            name, value = line.split(":", 1)
            key = name.lower()
            assert key not in headers or key in ("set-cookie", "vary"), f"{name} twice"
            headers[key] = f"{headers[key]}, {value.strip()}" if key == "vary" and key in headers else value.strip()
        return Response(int(status), headers, self._read_body(method, int(status), headers))

    def _read_body(self, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in (100, 101, 204, 304):
            return b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._read_through(b"\r\n"), 16):
                body += self._read(size)
                assert self._read(2) == b"\r\n"
            assert self._read(2) == b"\r\n"
            return body
        if "content-length" in headers:
            return self._read(int(headers["content-length"]))
        return self.read_to_end()


def ask(port: int, method: str, path: str, body: bytes | str | None = None, **headers: object) -> Response:
    """Send one request on a connection of its own."""
    with Connection(port) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response: Response = connection.request(method, path, body, named)
        return response


class WebSocket(Connection):
    """A WebSocket. ``early`` is sent in one segment with the opening handshake."""

    def __init__(
        self,
        port: int,
        sid: str | None = None,
        *,
        path: str = WEBSOCKET,
        early: bytes = b"",
        headers: Mapping[str, object] | None = None,
        context: ssl.SSLContext | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        super().__init__(port, context=context, receive_buffer=receive_buffer)
        address = path if sid is None else f"{path}&sid={sid}"
        self.send(head("GET", address, {**upgrade_headers(), **(headers or {})}) + early)
        self.response = self.read_response()

    def send_frame(self, opcode: int, payload: bytes | str = b"", **options: Any) -> None:
        self.send(frame(opcode, payload, **options))

    def send_text(self, *packets: str) -> None:
        """Send text messages, in one segment."""
        self.send(b"".join(frame(TEXT, packet) for packet in packets))

    def read_frame(self) -> tuple[int, bytes]:
        """Read one frame, which must be whole and not masked; give its opcode and payload."""
        first, second = self._read(2)
        assert first & 0xF0 == 0x80, f"first byte {first:#x}"
        assert second < 0x80, "a server must not mask"
        size = second
        if size == 126:
            size = struct.unpack(">H", self._read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._read(8))[0]
        return first & 0x0F, self._read(size)

    def read_text(self) -> str:
        """Read one message, which must be text."""
        opcode, payload = self.read_frame()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    def read_packet(self) -> str:
        """Read one Engine.IO packet that is no ping; pings are answered."""
        while (packet := self.read_text()) == "2":
            self.send_text("3")
        return packet

    def read_close(self) -> tuple[int, str]:
        """Skip messages up to the close frame; give its code and reason (1005 if it has none)."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == CLOSE:
                break
        if not payload:
            return 1005, ""
        return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def read_close_and_end(self) -> tuple[int, str]:
        """Read the close frame, answer as RFC 6455 section 5.5.1 asks, and make sure that the server closes."""
        code, reason = self.read_close()
        try:
            self.send(close_frame(code if code != 1005 else 1000))
        except ConnectionError:
            pass  # it has closed already
        assert self.is_closed_by_server()
        return code, reason


class Session:
    """What a Socket.IO client on either transport does: events as lists, pings answered.

    ``handshake`` is the Engine.IO one, ``id`` the Socket.IO id of the namespace ``/``.
    """

    handshake: dict[str, Any]
    id: str

    def send_packet(self, packet: str) -> None:
        raise NotImplementedError

    def next_packet(self) -> str:
        """Return the next Engine.IO packet that is no ping."""
        raise NotImplementedError

    def join(self, auth: Any = None) -> None:
        self.send_packet("40" + ("" if auth is None else json.dumps(auth)))
        reply = self.next_packet()
        assert reply.startswith("40{"), reply
        self.id = json.loads(reply[2:])["sid"]

    def emit(self, *event: Any, ack: int | None = None) -> None:
        self.send_packet(f"42{'' if ack is None else ack}{json.dumps(event)}")

    def receive(self) -> list[Any]:
        """Return the next event: its name and its arguments."""
        packet = self.next_packet()
        assert packet.startswith("42["), packet
        event: list[Any] = json.loads(packet[2:])
        return event

    def receive_ack(self, ack: int) -> list[Any]:
        packet = self.next_packet()
        assert packet.startswith(f"43{ack}["), packet
        values: list[Any] = json.loads(packet[2 + len(str(ack)) :])
        return values

    def echo(self, value: Any) -> Any:
        """Have the server send a value back: when it comes, all that was sent before has been handled."""
        self.emit("echo", value)
        name, result = self.receive()
        assert name == "echo"
        return result

    @property
    def sid(self) -> str:
        sid: str = self.handshake["sid"]
        return sid


class WebSocketSession(Session, WebSocket):
    """A Socket.IO client on a WebSocket, in the namespace ``/`` unless ``joined`` is False."""

    def __init__(self, port: int, *, joined: bool = True, auth: Any = None, **options: Any) -> None:
        super().__init__(port, **options)
        assert self.response.status == 101, self.response
        opening = self.read_text()
        assert opening.startswith("0{"), opening
        self.handshake = json.loads(opening[1:])
        if joined:
            self.join(auth)

    def send_packet(self, packet: str) -> None:
        self.send_text(packet)

    def next_packet(self) -> str:
        return self.read_packet()


class PollingSession(Session):
    """A Socket.IO client on long-polling, with one keep-alive connection for GETs and one for POSTs."""

    def __init__(
        self, port: int, *, path: str = POLLING, joined: bool = True, context: ssl.SSLContext | None = None
    ) -> None:
        self.port = port
        self._context = context
        self.polls = Connection(port, context=context)
        self.posts = Connection(port, context=context)
        opening = self.polls.request("GET", path)
        assert opening.status == 200, opening
        self.handshake = json.loads(opening.text.removeprefix("0"))
        self.path = f"{path}&sid={self.sid}"
        self._packets: list[str] = []
        if joined:
            self.join()

    def __enter__(self) -> PollingSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.polls.close()
        self.posts.close()

    def leave(self) -> None:
        """Close the session in good order, then the connections."""
        self.send_packet("1")
        self.close()

    def post(self, body: bytes | str, **headers: object) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.posts.request("POST", self.path, body, named)

    def poll(self) -> Response:
        return self.polls.request("GET", self.path)

    def send_packet(self, packet: str) -> None:
        response = self.post(packet)
        assert (response.status, response.text) == (200, "ok"), response

    def next_packet(self) -> str:
        while not self._packets:
            response = self.poll()
            assert response.status == 200, response
            self._packets = response.text.split(SEPARATOR)
            while "2" in self._packets:
                self._packets.remove("2")
                self.send_packet("3")
            self._packets = [packet for packet in self._packets if packet != "6"]
        return self._packets.pop(0)

    def begin_poll(self) -> Connection:
        """Send a GET on a connection of its own, without waiting for the answer."""
        connection = Connection(self.port, context=self._context)
        connection.send_request("GET", self.path)
        return connection

    def buffered(self) -> list[Any]:
        """Take the values of the events that have come already, and that ``receive`` would give next."""
        packets, self._packets = self._packets, []
        return [json.loads(packet.removeprefix("42"))[1] for packet in packets]

    def is_held(self, poll: Connection) -> bool:
        """Tell whether the server holds a GET that was begun: it has no answer after another request's round trip."""
        with Connection(self.port, context=self._context) as other:
            assert other.request("GET", "/nothing-is-here").status == 404
        return not poll.has_data()

    def begin_upgrade(self, **options: Any) -> WebSocket:
        """Open the candidate of an upgrade; nothing is sent on it."""
        candidate = WebSocket(self.port, self.sid, context=self._context, **options)
        assert candidate.response.status == 101, candidate.response
        return candidate
