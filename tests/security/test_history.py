"""What has been wrong with servers of this kind, tried against a running one of ours, by its number.

Each attack comes from outside. Beside its own answer, what matters is that the process lives, prints no traceback, and
serves the two bystanders of the fixture all the time.
"""

from __future__ import annotations

import ast
import struct
from pathlib import Path
from time import monotonic

import pytest

from tests.apps.raw_server import RawServer
from tests.support.processes import ROOT
from tests.support.raw import (
    BINARY,
    CONTINUATION,
    POLLING,
    SEPARATOR,
    TEXT,
    WEBSOCKET,
    Connection,
    PollingSession,
    WebSocket,
    WebSocketSession,
    ask,
    close_frame,
    frame,
    head,
    upgrade_headers,
)
from tests.support.sources import modules
from tests.support.waiting import wait_until

EVIL = "http://evil.example"
AT_ONCE = 8.0
"""Seconds; what takes longer was not refused but worked at."""

OLD = "/socket.io/?EIO=3&transport=polling"
LITTLE = 10_000
"""Kilobytes of resident memory by which an attack may make the process grow, for good or for a while."""


def closes(session: WebSocketSession, packet: str, code: int = 1002) -> str:
    """Send a packet for which a client is thrown out; return the reason that it is told."""
    session.send_packet(packet)
    found, reason = session.read_close_and_end()
    assert found == code, reason
    return reason


def refused_at_once(port: int, method: str, path: str, **headers: object) -> int:
    """Send a request, which must be answered at once; return the answer's status."""
    began = monotonic()
    status = ask(port, method, path, **headers).status
    assert monotonic() - began < AT_ONCE
    return status


# Who may connect ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [POLLING, OLD, WEBSOCKET])
def test_cve_2020_28481_no_foreign_origin_by_default(server: RawServer, path: str) -> None:
    headers = upgrade_headers(Origin=EVIL) if path == WEBSOCKET else {"Origin": EVIL}
    with Connection(server.port) as connection:
        response = connection.request("GET", path, None, headers)
    assert response.error == (403, {"code": 4, "message": "Forbidden"})
    assert not any(name.startswith("access-control") for name in response.headers)


def test_cve_2020_28481_no_foreign_origin_in_a_session_that_it_knows(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        assert ask(server.port, "POST", session.path, '42["note","evil"]', Origin=EVIL).status == 403
        with WebSocket(server.port, session.sid, headers={"Origin": EVIL}) as candidate:
            assert candidate.response.status == 403
        assert session.echo("mine") == "mine"
    assert server.seen("note evil") == 0


# Packets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packet", ['42["error"]', '42["error",{"a":1}]', '427["error",null]', '42["error","x"]'])
def test_cve_2024_38355_an_event_named_error_harms_nobody(server: RawServer, packet: str) -> None:
    with WebSocketSession(server.port) as session:
        session.send_packet(packet)
        assert session.echo("alive") == "alive"


@pytest.mark.parametrize("length", ["2000000000", "99999999999999999999999999"])
def test_cve_2020_36048_a_huge_body_is_refused_before_it_comes(server: RawServer, length: str) -> None:
    before = server.state()["kilobytes"]
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        connection.send(head("POST", session.path, {"Content-Length": length}))
        assert connection.read_response().status == 413
    assert server.state()["kilobytes"] - before < LITTLE


def test_cve_2020_36048_a_body_without_an_end_is_refused(server: RawServer) -> None:
    before = server.state()["kilobytes"]
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        connection.send(head("POST", session.path, {"Transfer-Encoding": "chunked"}))
        sent = 0
        while not connection.has_data() and sent < 1_000_000_000:
            connection.send(b"186a0\r\n" + b"4" * 100_000 + b"\r\n")
            sent += 100_000
        assert connection.read_response().status == 413
        assert sent < 20_000_000  # what the kernel holds comes on top of what we take
    assert server.state()["kilobytes"] - before < LITTLE


@pytest.mark.parametrize("body", ["999999999:4x", "1000000000000000:4", "9" * 500_000, "3:4a" * 100_000])
def test_cve_2020_36048_lengths_in_an_old_payload_allocate_nothing(server: RawServer, body: str) -> None:
    before = server.state()["kilobytes"]
    opening = ask(server.port, "GET", OLD)
    sid = opening.text.partition('"sid":"')[2].partition('"')[0]
    began = monotonic()
    assert ask(server.port, "POST", f"{OLD}&sid={sid}", body).status == 400
    assert monotonic() - began < AT_ONCE
    assert server.state()["kilobytes"] - before < LITTLE


@pytest.mark.parametrize(
    "packet", ["42" + "1" * 900_000, "45" + "9" * 900_000 + "-", "42/" + "n" * 900_000, "42/a,9" + "0" * 900_000]
)
def test_cve_2020_36049_a_long_header_is_refused_at_once(server: RawServer, packet: str) -> None:
    with WebSocketSession(server.port) as session:
        began = monotonic()
        closes(session, packet)
        assert monotonic() - began < AT_ONCE


@pytest.mark.parametrize(("count", "code"), [(11, 1008), (9_999, 1008), (1_000_000_000, 1002)])
def test_cve_2026_33151_too_many_attachments_are_refused_when_they_are_announced(
    server: RawServer, count: int, code: int
) -> None:
    with WebSocketSession(server.port) as session:
        closes(session, f'45{count}-["blob",{{"_placeholder":true,"num":0}}]', code)


def test_cve_2026_33151_packets_that_are_never_finished_do_not_pile_up(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        session.send_packet('451-["blob",{"_placeholder":true,"num":0}]')
        closes(session, '451-["blob",{"_placeholder":true,"num":0}]')
    with WebSocketSession(server.port) as session:
        session.send_frame(BINARY, b"that nobody announced")
        assert session.read_close_and_end()[0] == 1002


@pytest.mark.parametrize(
    "number", ["-1", "1", "10", "0.5", "1e400", "null", "true", '"0"', '"splice"', '"constructor"', "[]", "{}"]
)
def test_cve_2022_2421_a_placeholder_names_an_attachment_by_its_number(server: RawServer, number: str) -> None:
    with WebSocketSession(server.port) as session:
        session.send(frame(TEXT, f'451-["echo",{{"_placeholder":true,"num":{number}}}]') + frame(BINARY, b"attachment"))
        assert session.read_close_and_end()[0] == 1002


@pytest.mark.parametrize(
    "packet",
    [
        *('42[{"toString":"x"}]', "42[null]", "42[[]]", "42[true]", "42[]", "42{}", '42"event"', "42null", "42", "427"),
        *('42["connect"]', '42["disconnecting"]', '42["newListener"]', "4", "49", "4a", "430", '43["no id"]', "440{}"),
        *('41"payload"', '40"no object"', "40[]", "42[", '42["a"', '42["a"]x', "450-", "45-[]", "45x-[]", "46[]"),
    ],
)
def test_cve_2023_32695_a_packet_of_an_invalid_shape_costs_only_its_sender(server: RawServer, packet: str) -> None:
    with WebSocketSession(server.port) as session:
        closes(session, packet)


# Requests and upgrades ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [b"\xb1\x80\0\0\0\0", b"\x81\x05plain", b"\x83\x80\0\0\0\0", b"\x89\xfe\xff\xff\0\0\0\0"]
)
@pytest.mark.parametrize("wanted", ["new", "upgrade", "unknown"])
def test_cve_2022_21676_a_bad_frame_behind_an_upgrade_request_ends_only_that_connection(
    server: RawServer, wanted: str, bad: bytes
) -> None:
    with PollingSession(server.port) as session:
        sid = {"new": None, "upgrade": session.sid, "unknown": "unknown"}[wanted]
        with WebSocket(server.port, sid, early=bad) as attacker:
            assert attacker.response.status == (400 if wanted == "unknown" else 101)
            if wanted != "unknown":
                assert attacker.read_close_and_end()[0] == 1002
        assert session.echo("alive") == "alive"


def test_cve_2022_41940_a_reset_under_an_answer_to_a_bad_upgrade_harms_nobody(server: RawServer) -> None:
    bad = [
        head("GET", f"{WEBSOCKET}&sid=unknown", upgrade_headers()),
        head("GET", WEBSOCKET, upgrade_headers(Sec_WebSocket_Key="bad")),
        head("GET", WEBSOCKET.replace("EIO=4", "EIO=9"), upgrade_headers()),
        head("GET", WEBSOCKET, upgrade_headers()) + b"\xff\xff",
    ]
    for number in range(60):
        connection = Connection(server.port)
        connection.send(bad[number % len(bad)])
        connection.reset()
    assert ask(server.port, "GET", POLLING).status == 200


STRANGE = [
    "__proto__",
    "constructor",
    "toString",
    "",
    "%00",
    "%ff",
    "..%2f",
    "a" * 5_000,
    "polling,polling",
    "-1",
    "4.0",
]


@pytest.mark.parametrize("field", ["sid", "transport", "EIO"])
@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize("carrier", ["polling", "websocket"])
def test_cve_2023_31125_strange_values_in_the_query_are_refused(
    server: RawServer, field: str, value: str, carrier: str
) -> None:
    query = {"EIO": "4", "transport": carrier, field: value}
    path = "/socket.io/?" + "&".join(f"{name}={text}" for name, text in query.items())
    for method in ("GET", "POST", "OPTIONS", "DELETE"):
        headers = upgrade_headers() if carrier == "websocket" else {}
        with Connection(server.port) as connection:
            response = connection.request(method, path, None, headers)
        assert response.status == (204 if method == "OPTIONS" else 400), response


def test_cve_2023_31125_one_session_upgraded_again_and_again_lives(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as first:
        first.send_text("2probe", "5")
        assert first.read_packet() == "3probe"
        for _ in range(20):
            with session.begin_upgrade() as another:
                another.send_text("2probe", "5", '42["note","stolen"]')
                another.read_close_and_end()
        first.send_text('42["echo","mine"]')
        assert first.read_packet() == '42["echo","mine"]'
    assert server.seen("note stolen") == 0


@pytest.mark.parametrize(
    "name",
    [
        *("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key", "Connection", "Upgrade", "Cookie"),
        *("Accept-Encoding", "Origin", "Host", "X-Forwarded-For", "Forwarded", "If-None-Match", "Content-Type"),
    ],
)
@pytest.mark.parametrize("text", ["b{}x", "a{}", '"{}', ";,{}=", "={}\\"], ids=["b x", "a", "quote", "list", "pair"])
def test_cve_2021_32640_a_long_header_is_read_in_linear_time(server: RawServer, name: str, text: str) -> None:
    filling = {"b{}x": " ", "a{}": ",", '"{}': '\\"', ";,{}=": "; ", "={}\\": "="}[text]
    value = text.format(filling * (58_000 // len(filling)))
    for path in (WEBSOCKET, "/socket.io/webpy_socketio.js"):
        began = monotonic()
        with Connection(server.port) as connection:
            connection.send(head("GET", path, {**upgrade_headers(), name: value}))
            assert connection.read_response().status in (101, 200, 400, 403)
        assert monotonic() - began < AT_ONCE


@pytest.mark.parametrize("count", [101, 2_000, 20_000])
def test_cve_2024_37890_very_many_headers_are_refused(server: RawServer, count: int) -> None:
    many = {**upgrade_headers(), **{f"X-{number}": "" for number in range(count)}}
    with Connection(server.port) as connection:
        try:
            connection.send(head("GET", WEBSOCKET, many))
        except ConnectionError:
            pass  # the server had enough before it was all sent
        assert connection.read_response().status == 431
        assert connection.is_closed_by_server()


@pytest.mark.parametrize("size", [0, 1], ids=["empty", "one byte"])
def test_cve_2026_48779_tiny_fragments_take_no_memory(server: RawServer, size: int) -> None:
    count = 300_000
    with WebSocketSession(server.port) as session:
        before = server.state()["kilobytes"]
        session.send(frame(TEXT, '42["echo","', final=False))
        tiny = struct.pack("BB", CONTINUATION, 0x80 | size) + bytes(4) + b"x" * size
        session.send(tiny * count)
        session.send(frame(CONTINUATION, '"]', final=False))
        session.send(frame(CONTINUATION, final=True))
        assert session.receive() == ["echo", "x" * size * count]
        assert server.state()["kilobytes"] - before < LITTLE


# Beyond one's own -----------------------------------------------------------------------------------------------------


def test_python_socketio_before_5_14_nothing_unpickles() -> None:
    forbidden = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
    for path in modules(ROOT / "webpy_socketio"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not forbidden & {alias.name.partition(".")[0] for alias in node.names}, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in forbidden, path
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "__import__"), path


CLIMBING = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..\\", "..%5c", "....//", "./.././", "%252e%252e/", "..;/"]


@pytest.mark.parametrize("up", CLIMBING)
@pytest.mark.parametrize("target", ["config.py", "static/../config.py", "etc/passwd", "webpy_socketio.js%00.py"])
def test_engineio_before_4_15_a_path_leads_nowhere_else(server: RawServer, up: str, target: str) -> None:
    for depth in (1, 2, 12):
        response = ask(server.port, "GET", f"/socket.io/{up * depth}{target}")
        assert response.status in (400, 404), response
        assert b"import " not in response.body
        assert b"root:" not in response.body


def test_engineio_before_4_15_the_scripts_are_files_of_ours(server: RawServer) -> None:
    found = ask(server.port, "GET", "/socket.io/../../../etc/webpy_socketio.js")
    assert found.body == Path(ROOT, "webpy_socketio/static/webpy_socketio.js").read_bytes()


@pytest.mark.parametrize("event", ["__subscribe__", "__unsubscribe__", "__message__"])
def test_python_socketio_5_18_1_the_room_of_another_socket_is_closed(server: RawServer, event: str) -> None:
    with WebSocketSession(server.port) as victim, WebSocketSession(server.port) as attacker:
        for room in (victim.id, "A" * 20, attacker.id):
            attacker.emit(event, room, "for the victim", ack=5)
            assert attacker.receive_ack(5) == [False]
        attacker.emit("to channel", victim.id, "through a handler")
        assert attacker.receive() == ["message", "through a handler"]  # itself and the channel, which has nobody in it
        assert victim.echo("undisturbed") == "undisturbed"
        assert not victim.has_data()


def test_engineio_4_15_1_events_before_the_connect_handler_has_accepted_wait(server: RawServer) -> None:
    with (
        WebSocketSession(server.port, joined=False) as websocket,
        PollingSession(server.port, joined=False) as polling,
    ):
        for session in (websocket, polling):
            session.send_packet('40{"wish":"wait"}')
            session.emit("note", "early")
        with WebSocketSession(server.port) as other:
            assert other.echo("meanwhile") == "meanwhile"
        assert server.seen("note early") == 0
        server.ask_for("/release")
        for session in (websocket, polling):
            assert session.next_packet().startswith("40{")
        wait_until(lambda: server.seen("note early") == 2, what="the events that waited")


@pytest.mark.parametrize("kind", [WebSocketSession, PollingSession])
def test_engineio_4_15_1_events_of_a_client_that_was_not_let_in_are_nobodys(
    server: RawServer, kind: type[WebSocketSession] | type[PollingSession]
) -> None:
    with kind(server.port, joined=False) as session:
        early = ['40{"wish":"refuse"}', '42["note","refused"]']
        if isinstance(session, PollingSession):
            session.send_packet(SEPARATOR.join(early))
        else:
            session.send_text(*early)
        assert session.next_packet() == '44{"message":"not you"}'
        session.join()
        assert session.echo("now") == "now"
    assert server.seen("note refused") == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_engineio_4_15_1_polling_after_the_upgrade_is_a_bad_request(server: RawServer, method: str) -> None:
    with PollingSession(server.port) as session, session.begin_upgrade() as websocket:
        websocket.send_text("2probe", "5", '42["echo",1]')
        assert [websocket.read_packet(), websocket.read_packet()] == ["3probe", '42["echo",1]']
        body = '42["note","behind the upgrade"]' if method == "POST" else None
        assert ask(server.port, method, session.path, body).error == (400, {"code": 3, "message": "Bad request"})
        websocket.send_text('42["echo",2]')
        assert websocket.read_packet() == '42["echo",2]'
        websocket.send(close_frame(1000))
    assert server.seen("note behind the upgrade") == 0
