"""Requests that must not be: each gets Engine.IO's or HTTP's own answer, one line in the log, and disturbs nobody.

The error codes and texts are those of the Engine.IO protocol's reference server.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.apps.raw_server import RawServer
from tests.support.raw import (
    POLLING,
    SEPARATOR,
    TEXT,
    WEBSOCKET,
    Connection,
    PollingSession,
    WebSocket,
    WebSocketSession,
    ask,
    frame,
    head,
    upgrade_headers,
)
from tests.support.waiting import wait_until
from webpy_socketio import Config

TRANSPORT_UNKNOWN = (400, {"code": 0, "message": "Transport unknown"})
SESSION_UNKNOWN = (400, {"code": 1, "message": "Session ID unknown"})
BAD_METHOD = (400, {"code": 2, "message": "Bad handshake method"})
BAD_REQUEST = (400, {"code": 3, "message": "Bad request"})
FORBIDDEN = (403, {"code": 4, "message": "Forbidden"})
UNSUPPORTED = (400, {"code": 5, "message": "Unsupported protocol version"})


def is_gone(server: RawServer, session: PollingSession) -> bool:
    """Tell whether a session is known no longer."""
    return ask(server.port, "GET", session.path).error == SESSION_UNKNOWN


def struck(server: RawServer) -> str:
    """Wait for the one record of a limit that struck; return its text."""
    records = server.wait_for_records(1)
    assert [(name, level, error) for name, level, _, error in records] == [("webpy_socketio.session", "WARNING", None)]
    return records[0][2]


# Which requests may begin or touch a session -------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["", "&transport=", "&transport=telegraph", "&transport=Polling"])
def test_an_unknown_transport_is_code_0(server: RawServer, transport: str) -> None:
    assert ask(server.port, "GET", f"/socket.io/?EIO=4{transport}").error == TRANSPORT_UNKNOWN
    assert "Transport unknown" in server.logged()[1]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("sid", ["", "x", "AAAAAAAAAAAAAAAAAAAA", "%00", "../../etc"])
def test_an_unknown_sid_is_code_1(server: RawServer, method: str, sid: str) -> None:
    body = None if method == "GET" else "40"
    assert ask(server.port, method, f"{POLLING}&sid={sid}", body).error == SESSION_UNKNOWN
    name, text = server.logged()
    assert name == "session"
    shown = " (AAAAAA…)" if sid.startswith("A") else ""
    assert text == f"Refused a request from 127.0.0.1{shown}: Session ID unknown"


def test_an_unknown_sid_on_a_websocket_request_is_an_http_error(server: RawServer) -> None:
    with WebSocket(server.port, "AAAAAAAAAAAAAAAAAAAA") as websocket:
        assert websocket.response.error == SESSION_UNKNOWN
        assert websocket.response.closes
        assert websocket.is_closed_by_server()
    assert "Session ID unknown" in server.logged()[1]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_only_get_begins_a_session(server: RawServer, method: str) -> None:
    response = ask(server.port, method, POLLING, "40")
    if method == "BREW":  # web.py itself knows no such method
        assert response.status == 405
        return
    assert response.error == BAD_METHOD
    assert "Bad handshake method" in server.logged()[1]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_only_get_and_post_touch_a_session(server: RawServer, method: str) -> None:
    with PollingSession(server.port) as session:
        assert session.posts.request(method, session.path, "42[]").error == BAD_METHOD
        assert "Bad handshake method" in server.logged()[1]
        assert session.echo("unharmed") == "unharmed"


@pytest.mark.parametrize("path", [WEBSOCKET, f"{WEBSOCKET}&sid={{sid}}"])
@pytest.mark.parametrize("carrier", ["polling", "websocket"])
def test_a_websocket_without_an_upgrade_header_is_code_3(server: RawServer, path: str, carrier: str) -> None:
    kind = PollingSession if carrier == "polling" else WebSocketSession
    with kind(server.port) as session:
        assert ask(server.port, "GET", path.format(sid=session.sid)).error == BAD_REQUEST
        assert "Upgrade: websocket" in server.logged()[1]
        assert session.echo("unharmed") == "unharmed"


@pytest.mark.parametrize("version", ["&EIO=", "&EIO=1", "&EIO=2", "&EIO=5", "&EIO=04", "&EIO=four"])
def test_an_unknown_protocol_version_is_code_5(server: RawServer, version: str) -> None:
    assert ask(server.port, "GET", f"/socket.io/?transport=polling{version}").error == UNSUPPORTED
    assert "Unsupported protocol version" in server.logged()[1]


def test_a_missing_protocol_version_is_a_bad_request(server: RawServer) -> None:
    # Whatever revisions are served.
    assert ask(server.port, "GET", "/socket.io/?transport=polling").status == 400


def test_an_unknown_protocol_version_of_a_websocket_is_code_5(server: RawServer) -> None:
    with WebSocket(server.port, path="/socket.io/?EIO=5&transport=websocket") as websocket:
        assert websocket.response.error == UNSUPPORTED


def test_a_query_of_very_many_fields_is_code_3(server: RawServer) -> None:
    assert ask(server.port, "GET", f"{POLLING}{'&a=1' * 500}").error == BAD_REQUEST
    assert "fields in the query" in server.logged()[1]


def test_errors_keep_the_connection(server: RawServer) -> None:
    with Connection(server.port) as connection:
        for _ in range(3):
            response = connection.request("GET", "/socket.io/?EIO=4&transport=none")
            assert response.error == TRANSPORT_UNKNOWN
            assert not response.closes
        assert connection.request("GET", POLLING).status == 200


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"Connection": "keep-alive"}, "Connection: Upgrade"),
        ({"Sec-WebSocket-Version": "8"}, "Sec-WebSocket-Version"),
        ({"Sec-WebSocket-Version": None}, "Sec-WebSocket-Version"),
        ({"Sec-WebSocket-Key": None}, "Sec-WebSocket-Key"),
        ({"Sec-WebSocket-Key": "short"}, "Sec-WebSocket-Key"),
        ({"Sec-WebSocket-Key": "AAAA"}, "16 bytes"),
        ({"Host": None}, "Host"),
        ({"Content-Length": "4"}, "has a body"),
        ({"Transfer-Encoding": "chunked"}, "has a body"),
    ],
)
def test_a_malformed_opening_handshake_is_code_3(server: RawServer, changed: dict[str, object], complaint: str) -> None:
    with Connection(server.port) as connection:
        response = connection.request("GET", WEBSOCKET, headers={**upgrade_headers(), **changed})
        assert response.error == BAD_REQUEST
        assert response.closes
    assert complaint in server.logged()[1]


def test_a_websocket_needs_http_1_1(server: RawServer) -> None:
    with Connection(server.port) as connection:
        response = connection.request("GET", WEBSOCKET, headers=upgrade_headers(), version="HTTP/1.0")
        assert response.error == BAD_REQUEST


def test_frames_behind_a_refused_upgrade_are_no_second_request(server: RawServer) -> None:
    early = frame(TEXT, "40") * 100
    with WebSocket(server.port, "AAAAAAAAAAAAAAAAAAAA", early=early) as websocket:
        assert websocket.response.error == SESSION_UNKNOWN
        assert websocket.is_closed_by_server()
    server.logged()


def test_a_polling_request_may_offer_an_upgrade(server: RawServer) -> None:
    # RFC 9110 section 7.8: a server may ignore the field. On a session with a WebSocket it is a poll all the same.
    assert ask(server.port, "GET", POLLING, Connection="Upgrade", Upgrade="websocket").status == 200
    with WebSocketSession(server.port) as session:
        path = f"{POLLING}&sid={session.sid}"
        for method, body in (("GET", None), ("POST", "40")):
            assert ask(server.port, method, path, body, Connection="Upgrade", Upgrade="websocket").error == BAD_REQUEST
        assert session.echo("unharmed") == "unharmed"


# Foreign and closed sessions -----------------------------------------------------------------------------------------


def test_a_post_to_somebody_elses_websocket_is_refused(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        assert ask(server.port, "POST", f"{POLLING}&sid={session.sid}", '42["echo",1]').error == BAD_REQUEST
        assert "carried by websocket" in server.logged()[1]
        assert session.echo("unharmed") == "unharmed"


def test_a_second_websocket_for_somebody_elses_is_refused(server: RawServer) -> None:
    with WebSocketSession(server.port) as session, WebSocket(server.port, session.sid) as thief:
        # Not an HTTP error, which clients take for a server that knows no WebSockets; Node's server does the same.
        assert thief.response.status == 101
        assert thief.read_close_and_end() == (1000, "the session is upgraded, or being upgraded, already")
        assert "did not take another WebSocket" in server.logged()[1]
        assert session.echo("unharmed") == "unharmed"


def test_a_public_session_id_opens_nothing(server: RawServer) -> None:
    with WebSocketSession(server.port) as session:
        assert ask(server.port, "GET", f"{POLLING}&sid={session.id}").error == SESSION_UNKNOWN
        assert ask(server.port, "POST", f"{POLLING}&sid={session.id}", "1").error == SESSION_UNKNOWN


def test_a_post_to_a_session_that_its_client_has_closed_is_code_1(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        session.send_packet("1")
        server.mark()
        assert session.post("40").error == SESSION_UNKNOWN
        assert server.logged()[0] == "session"


def test_a_post_to_a_session_that_the_server_has_closed_is_code_1_and_the_next_get_hears_it(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        session.emit("disconnect me")
        wait_until(lambda: session.post('42["echo",1]').status == 400)
        assert session.post('42["echo",1]').error == SESSION_UNKNOWN
        assert session.poll().text.split(SEPARATOR)[-1] == "1"
        assert session.poll().error == SESSION_UNKNOWN


# Two at once ---------------------------------------------------------------------------------------------------------


def test_of_two_gets_at_once_the_first_ends_with_close_and_the_second_is_code_3(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_poll() as first:
        assert session.is_held(first)
        assert session.poll().error == BAD_REQUEST
        assert first.read_response().text == "1"
        name, text = server.logged()
        assert name == "session"
        assert text.startswith(session.sid[:6]) and "two GETs at once" in text
        assert is_gone(server, session)
        assert server.seen("disconnect transport error") >= 1


def test_of_two_posts_at_once_the_second_is_code_3_and_the_session_is_gone(server: RawServer) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as first:
        first.send(head("POST", session.path, {"Content-Length": 4}) + b"42")
        wait_until(lambda: session.post("3").status == 400)
        first.send(b"[]")
        assert first.read_response().error == BAD_REQUEST
        assert "two POSTs at once" in server.logged()[1]
        assert is_gone(server, session)


def test_a_second_get_takes_over_from_one_whose_connection_is_gone(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        first = session.begin_poll()
        assert session.is_held(first)
        first.close()
        session.emit("echo", "kept")
        assert session.receive() == ["echo", "kept"]
        assert session.echo("and on") == "and on"
        assert server.records() == []


def test_a_get_repeated_after_a_reset_takes_over_while_nothing_is_sent(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        session.begin_poll().reset()
        with session.begin_poll() as second:
            assert session.is_held(second)
            session.emit("echo", "to the second")
            assert second.read_response().text == '42["echo","to the second"]'
        assert server.records() == []


def test_what_a_lost_get_would_have_brought_waits_for_the_next(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        for number in range(20):
            lost = session.begin_poll()
            assert session.is_held(lost)
            lost.reset() if number % 2 else lost.close()
            session.emit("echo", number)
            assert session.receive() == ["echo", number]


# Too large, too long, malformed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("expects", [False, True])
def test_an_oversize_body_is_413_with_an_empty_body(server: RawServer, expects: bool) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        fields = {"Content-Length": 100_001, **({"Expect": "100-continue"} if expects else {})}
        connection.send(head("POST", session.path, fields))
        if not expects:
            connection.send(b"4" * 100_001)
        response = connection.read_response()
        assert (response.status, response.body) == (413, b"")
        assert response.closes
        assert connection.is_closed_by_server()
        assert struck(server) == f"max_payload exceeded by session {session.id} from 127.0.0.1: 100001, at most 100000"
        assert session.echo("unharmed") == "unharmed"


@pytest.mark.parametrize("digits", [19, 400, 4_000])
def test_a_body_of_astronomical_length_is_413_and_in_the_log(server: RawServer, digits: int) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        connection.send(head("POST", session.path, {"Content-Length": "9" * digits}))
        assert connection.read_response().status == 413
        assert struck(server) == f"max_payload exceeded by session {session.id} from 127.0.0.1: 1e+18, at most 100000"


def test_an_oversize_body_is_refused_before_it_comes_and_may_go_on_coming(server: RawServer) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        connection.send(head("POST", session.path, {"Content-Length": 50_000_000}))
        assert connection.read_response().status == 413
        try:
            for _ in range(50):  # the client notices late; its answer must not be lost in a reset
                connection.send(b"4" * 100_000)
        except ConnectionError:
            pass
        assert "50000000, at most 100000" in struck(server)


def test_an_oversize_chunked_body_is_413(server: RawServer) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        connection.send(head("POST", session.path, {"Transfer-Encoding": "chunked"}))
        for _ in range(11):
            connection.send(b"2710\r\n" + b"4" * 10_000 + b"\r\n")
        response = connection.read_response()
        assert (response.status, response.body, response.closes) == (413, b"", True)
        assert "100001, at most 100000" in struck(server)
        assert session.echo("unharmed") == "unharmed"


def test_a_body_of_exactly_the_limit_is_taken(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        text = "x" * (100_000 - len('42["echo", ""]'))
        assert session.echo(text) == text


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "begins with its type"),
        (b"\x1e", "begins with its type"),
        (b"3\x1e", "begins with its type"),
        (b"abc", "begins with its type"),
        (b"7", "begins with its type"),
        (b"bnot-base64", "base64"),
        (b"4\xff\xfe", "UTF-8"),
        (b"2", "unexpected packet '2'"),
        (b"5", "unexpected packet '5'"),
        (b"6", "unexpected packet '6'"),
        (b"4", "packet type"),
        (b"49", "packet type"),
        (b"4not a packet", "packet type"),
        (b"42/missing,[]", "not joined"),
        (b"40", "second CONNECT"),
        (b"44{}", "not joined"),
        (b"43[]", "ack without an id"),
        (b"431{}", "must be an array"),
        (b"41[]", "no payload"),
        (b"451[]", "attachments and a dash"),
        (b"45x-[]", "attachments and a dash"),
        (b"459999999999-[]", "attachments and a dash"),
        (b'451-["blob"]\x1e42["echo"]', "text in place of"),
        (b"bAAAA", "no packet announced"),
        (b"42" + b"9" * 40 + b"[]", "too many digits"),
    ],
)
def test_a_malformed_payload_is_code_3_and_ends_its_session(server: RawServer, body: bytes, why: str) -> None:
    with PollingSession(server.port) as session:
        response = session.post(body)
        assert response.error == BAD_REQUEST
        assert not response.closes
        name, text = server.logged()
        assert name == "session"
        assert why in text
        assert is_gone(server, session)


def test_what_exceeds_a_limit_is_413_and_ends_its_session(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        response = session.post(b'454-["blob",{}]')
        assert (response.status, response.body) == (413, b"")
        assert "4 attachments, more than 3" in server.logged()[1]
        assert is_gone(server, session)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        ("42{", "not JSON"),
        ("42[", "not JSON"),
        ("42", "not JSON"),
        ('42{"echo":1}', "must be an array"),
        ("42[]", "begins with its name"),
        ("42[null]", "begins with its name"),
        ('42["disconnect"]', "reserved"),
        ("42[NaN]", "not JSON"),
        ("42" + "[" * 50_000, "not JSON"),
        ('451-["blob",{"_placeholder":true,"num":1}]' + SEPARATOR + "bAAAA", "placeholder"),
        ('451-["blob",{"_placeholder":true,"num":-1}]' + SEPARATOR + "bAAAA", "placeholder"),
        ('451-["blob",{"_placeholder":true,"num":"0"}]' + SEPARATOR + "bAAAA", "placeholder"),
    ],
)
def test_a_malformed_event_ends_its_session(server: RawServer, packet: str, why: str) -> None:
    # The JSON is decoded by who handles the event, after the POST was answered.
    with PollingSession(server.port) as session:
        session.send_packet(packet)
        assert why in server.logged()[1]
        assert is_gone(server, session)


def test_a_malformed_auth_payload_ends_its_session(server: RawServer) -> None:
    for payload in ("[]", "true", '"x"', "{", "null"):
        with PollingSession(server.port, joined=False) as session:
            assert session.post(f"40{payload}").error == BAD_REQUEST
            server.logged()
            assert is_gone(server, session)
            server.mark()


def test_packets_before_a_bad_one_are_handled(server: RawServer) -> None:
    with PollingSession(server.port) as session, session.begin_poll() as poll:
        assert session.is_held(poll)
        assert session.post('42["note","before"]' + SEPARATOR + "4nonsense").error == BAD_REQUEST
        assert poll.read_response().text.split(SEPARATOR)[-1] == "1"
        server.logged()
        assert server.seen("note before") == 1


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (head("GET", "/clients", {"X-Long": "a" * 25_000}), 431),
        (head("GET", "/clients", {f"X-{number}": "a" * 500 for number in range(50)}), 431),
        (head("GET", "/clients", {f"X-{number}": "1" for number in range(150)}), 431),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / SPDY/1.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (head("POST", "/upload", {"Content-Length": "many"}), 400),
        (head("POST", "/upload", {"Content-Length": "-1"}), 400),
        (head("POST", "/upload", {"Content-Length": "1_0"}), 400),
        (head("POST", "/upload", {"Content-Length": "5\r\nContent-Length: 6"}), 400),
        (head("POST", "/upload", {"Content-Length": "5", "Transfer-Encoding": "chunked"}), 400),
        (head("POST", "/upload", {"Transfer-Encoding": "gzip, chunked"}), 501),
        (head("GET", "/clients", {"Host": "a.example\r\nHost: b.example"}), 400),
    ],
)
def test_a_head_that_must_not_be_is_refused(server: RawServer, request_head: bytes, status: int) -> None:
    with Connection(server.port) as connection:
        connection.send(request_head)
        response = connection.read_response()
        assert (response.status, response.body, response.closes) == (status, b"", True)
        assert connection.is_closed_by_server()
    name, text = server.logged()
    assert name == "server"
    assert str(status) in text


def test_the_log_has_the_beginning_of_a_session_id_alone(server: RawServer) -> None:
    with Connection(server.port) as connection:
        connection.send(head("GET", f"{POLLING}&sid=AAAAAABBBBBBBBBBBBBB&x=1 x"))
        assert connection.read_response().status == 400
    _, text = server.logged()
    assert "sid=AAAAAA…&x=1" in text
    assert "B" * 3 not in text


def test_the_log_says_which_limit_a_head_exceeded(server: RawServer) -> None:
    with Connection(server.port) as connection:
        connection.send(head("GET", "/clients", {"X-Long": "a" * 25_000}))
        assert connection.read_response().status == 431
    assert server.logged()[1] == (
        "Refused a request from 127.0.0.1: 431 Request Header Fields Too Large (more than 20000 bytes, max_head)"
    )


@pytest.mark.parametrize(
    "chunks",
    [b"xyz\r\n", b"\r\n", b";a=b\r\n", b"5\r\nhelloXX", b"fffffffffffffffffff\r\n", b"5;" + b"e" * 10_000, b"5\r\nhel"],
)
def test_a_broken_chunked_body_is_code_3_and_ends_the_connection(server: RawServer, chunks: bytes) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        connection.send(head("POST", session.path, {"Transfer-Encoding": "chunked"}) + chunks)
        connection.socket.shutdown(1)
        response = connection.read_response()
        assert response.error == BAD_REQUEST
        assert response.closes
        assert connection.is_closed_by_server()
        assert "the body broke off" in server.logged()[1]
        assert session.echo("unharmed") == "unharmed"


def test_a_body_that_breaks_off_is_code_3(server: RawServer) -> None:
    with PollingSession(server.port) as session, Connection(server.port) as connection:
        connection.send(head("POST", session.path, {"Content-Length": 100}) + b"40")
        connection.socket.shutdown(1)
        response = connection.read_response()
        assert response.error == BAD_REQUEST
        assert response.closes
        assert "the body broke off" in server.logged()[1]
        assert session.echo("unharmed") == "unharmed"


def test_a_payload_of_very_many_packets_holds_nobody_up(server: RawServer) -> None:
    with PollingSession(server.port) as session:
        for _ in range(10):
            assert session.post(SEPARATOR.join(["3"] * 50_000)[:100_000].rstrip(SEPARATOR)).text == "ok"
        assert session.echo("unharmed") == "unharmed"


# What never comes ----------------------------------------------------------------------------------------------------


def test_the_default_time_outs() -> None:
    config = Config()
    assert (config.head_timeout, config.body_timeout, config.connect_timeout) == (10, 30, 45)
    assert (config.upgrade_timeout, config.keepalive_timeout) == (10, 75)


def test_a_connection_without_a_request_is_closed(hasty: RawServer) -> None:
    with Connection(hasty.port) as connection:
        assert connection.is_closed_by_server()
    assert hasty.records() == []  # browsers open connections in advance


@pytest.mark.parametrize("beginning", [b"G", b"GET /clients HTTP/1.1\r\n", b"GET /clients HTTP/1.1\r\nHost: x\r\nX-"])
def test_a_head_that_never_ends_is_408(hasty: RawServer, beginning: bytes) -> None:
    with Connection(hasty.port) as connection:
        connection.send(beginning)
        response = connection.read_response()
        assert (response.status, response.closes) == (408, True)
        assert connection.is_closed_by_server()
    name, text = hasty.logged()
    assert name == "server"
    assert "408" in text


def test_a_head_that_comes_drop_by_drop_is_408(hasty: RawServer) -> None:
    with Connection(hasty.port) as connection:
        connection.send(b"GET /clients HTTP/1.1\r\n")
        while not connection.has_data(0.05):
            connection.send(b"X")
        assert connection.read_response().status == 408
    hasty.logged()


def test_a_second_head_that_never_ends_is_408_too(hasty: RawServer) -> None:
    with Connection(hasty.port) as connection:
        assert connection.request("GET", "/clients").status == 200
        connection.send(b"GET /clients HTT")
        assert connection.read_response().status == 408
    hasty.logged()


@pytest.mark.parametrize("part", [b"", b"42"])
def test_a_body_that_never_comes_is_408(hasty: RawServer, part: bytes) -> None:
    with PollingSession(hasty.port) as session, Connection(hasty.port) as connection:
        connection.send(head("POST", session.path, {"Content-Length": 20}) + part)
        response = connection.read_response()
        assert (response.status, response.closes) == (408, True)
        assert connection.is_closed_by_server()
        assert "did not come in time" in hasty.logged()[1]
        assert session.echo("unharmed") == "unharmed"


@pytest.mark.parametrize("coding", ["Content-Length", "Transfer-Encoding"])
def test_a_body_that_comes_drop_by_drop_is_408(hasty: RawServer, coding: str) -> None:
    is_chunked = coding == "Transfer-Encoding"
    with PollingSession(hasty.port) as session, Connection(hasty.port) as connection:
        connection.send(head("POST", session.path, {coding: "chunked" if is_chunked else 1000}))
        while not connection.has_data(0.05):
            connection.send(b"1\r\n4\r\n" if is_chunked else b"4")
        assert connection.read_response().status == 408
        hasty.logged()
        assert session.echo("unharmed") == "unharmed"


def test_a_body_that_a_page_does_not_read_and_that_never_comes_ends_the_connection(hasty: RawServer) -> None:
    with Connection(hasty.port) as connection:
        connection.send(head("POST", "/unread", {"Content-Length": 100}))
        assert connection.read_response().text == "unread"
        assert connection.is_closed_by_server()


@pytest.mark.parametrize("carrier", ["polling", "websocket"])
def test_a_client_that_joins_no_namespace_in_time_is_closed(hasty: RawServer, carrier: str) -> None:
    if carrier == "websocket":
        with WebSocketSession(hasty.port, joined=False) as websocket:
            assert websocket.read_close_and_end() == (1008, "no namespace was joined in time")
    else:
        with PollingSession(hasty.port, joined=False) as session:
            assert session.poll().text.split(SEPARATOR)[-1] == "1"
            assert is_gone(hasty, session)
    records = hasty.records()
    assert [text.split("… ")[1] for _, level, text, _ in records if "… " in text and level == "INFO"] == [
        "closed: connect timeout (no namespace was joined in time)"
    ]


def test_asking_for_an_unknown_namespace_is_no_joining(hasty: RawServer) -> None:
    with WebSocketSession(hasty.port, joined=False) as session:
        session.send_packet("40/nowhere,")
        assert session.next_packet() == '44/nowhere,{"message":"Invalid namespace"}'
        assert session.read_close_and_end() == (1008, "no namespace was joined in time")
    assert "connect timeout" in hasty.logged()[1]


def test_being_refused_is_no_joining(hasty: RawServer) -> None:
    with WebSocketSession(hasty.port, joined=False) as session:
        session.send_packet('40{"wish":"refuse"}')
        assert session.next_packet() == '44{"message":"not you"}'
        assert session.read_close_and_end() == (1008, "no namespace was joined in time")
    assert "connect timeout" in hasty.logged()[1]


def test_a_client_that_waits_for_its_handler_has_joined_in_time(hasty: RawServer) -> None:
    with WebSocketSession(hasty.port, joined=False) as session:
        session.send_packet('40{"wish":"wait"}')
        assert not session.has_data(1.0)
        hasty.fetch("/seen")
        assert ask(hasty.port, "GET", "/release").text == "released"
        assert session.next_packet().startswith('40{"sid"')


# Clients that do not read --------------------------------------------------------------------------------------------


def test_a_client_that_does_not_read_its_page_is_dropped(hasty: RawServer) -> None:
    with Connection(hasty.port, receive_buffer=4_096) as connection:
        connection.send_request("GET", "/download?size=20000000")
        assert hasty.logged() == ("server", "Gave up an answer to 127.0.0.1: the client does not read it")


def test_a_slow_reader_that_reads_gets_all_of_its_page(hasty: RawServer) -> None:
    with Connection(hasty.port, receive_buffer=65_536) as connection:
        assert len(connection.request("GET", "/download?size=20000000").body) == 20_000_000


def test_what_a_poll_could_not_deliver_to_a_client_that_does_not_read_is_kept(hasty: RawServer) -> None:
    with PollingSession(hasty.port) as session:
        stuck = Connection(hasty.port, receive_buffer=2_048)
        session.emit("bytes", 1, 99_000)
        text = "x" * 99_000
        # Asleep until the connection is broken: what the kernel has taken before that counts as delivered.
        os.kill(hasty.program.pid, signal.SIGSTOP)
        try:
            stuck.send_request("GET", session.path)
            stuck.reset()
        finally:
            os.kill(hasty.program.pid, signal.SIGCONT)
        assert session.receive() == ["bytes", text]
