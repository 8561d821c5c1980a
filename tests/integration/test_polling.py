"""Long-polling as real clients use it: many packets in a POST, compressed answers, JSONP, CORS, HEAD and OPTIONS."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.apps.raw_server import RawServer, bystanders
from tests.support.node import run_node
from tests.support.raw import POLLING, SEPARATOR, WEBSOCKET, Connection, PollingSession, Response, ask

ORIGIN = "http://friend.example"
OLD_POLLING = "/socket.io/?EIO=3&transport=polling"
BAD_REQUEST = (400, {"code": 3, "message": "Bad request"})
FORBIDDEN = (403, {"code": 4, "message": "Forbidden"})


@pytest.fixture(scope="module")
def jsonp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with RawServer(tmp_path_factory.mktemp("jsonp"), jsonp=True, max_payload=100_000) as running:
        yield running


@pytest.fixture
def jsonp(jsonp_server: RawServer) -> Iterator[RawServer]:
    """A server that speaks JSONP, too."""
    with bystanders(jsonp_server):
        yield jsonp_server


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    """A server to which pages of all origins may connect."""
    settings = {"cors_allowed_origins": "*", "max_packets_per_payload": 6_000}
    with RawServer(tmp_path_factory.mktemp("open"), **settings) as running:
        yield running


# Many packets at once -----------------------------------------------------------------------------------------------


@pytest.mark.npm
@pytest.mark.parametrize(
    "package", ["socket.io-client-1", "socket.io-client-2", "socket.io-client-3", "socket.io-client"]
)
@pytest.mark.parametrize("count", [40, 5_000])
def test_40_emits_in_a_row_over_polling_arrive_in_order(
    open_server: RawServer, tmp_path: Path, package: str, count: int
) -> None:
    url = f"http://127.0.0.1:{open_server.port}"
    result = run_node("client_row.js", url, package, count, log=tmp_path / "node.log")
    assert result["echoed"] == list(range(count))
    assert result["transport"] == "polling"
    assert result["posts"] <= 3, "what is emitted in a row goes in one POST"


def test_40_000_small_emits_fit_into_one_post(tmp_path: Path) -> None:
    with RawServer(tmp_path) as server, PollingSession(server.port) as session:
        session.posts.socket.settimeout(50)  # the second POST waits for all of them, and a machine may be slow
        packets = [f'42["note","{number % 10}"]' for number in range(40_000)]
        session.send_packet(SEPARATOR.join(packets))
        assert session.echo("after all of them") == "after all of them"
        assert server.seen("note 7") == 4_000


def test_more_packets_than_a_payload_may_have_are_413(open_server: RawServer) -> None:
    with bystanders(open_server), PollingSession(open_server.port) as session:
        session.send_packet(SEPARATOR.join(["3"] * 6_000))
        response = session.post(SEPARATOR.join(["3"] * 6_001))
        assert (response.status, response.body) == (413, b"")
        (record,) = open_server.wait_for_records(1)
        assert "max_packets_per_payload" in record[2]
        assert "6001" in record[2]
        assert session.echo("unharmed") == "unharmed"


# Compressed answers -------------------------------------------------------------------------------------------------


def begin(port: int, path: str = POLLING) -> str:
    """Begin a session; give its path."""
    sid = re.search(r'"sid":"([^"]+)"', ask(port, "GET", path).text)
    assert sid
    return f"{path}&sid={sid[1]}"


def poll_for(port: int, path: str, size: int, packet: str = '42["bytes",1,{}]', **headers: object) -> Response:
    """Have the server send an event with a text of a size; give the answer that it is in."""
    ask(port, "GET", path)  # the answer to CONNECT, or whatever is there
    assert ask(port, "POST", path, packet.format(size)).text == "ok"
    return ask(port, "GET", path, **headers)


class TestCompression:
    @pytest.fixture
    def path(self, server: RawServer) -> str:
        path = begin(server.port)
        assert ask(server.port, "POST", path, "40").text == "ok"
        return path

    @pytest.mark.parametrize(("accept", "coding"), [("gzip, deflate, br", "gzip"), ("deflate, gzip;q=0.1", "deflate")])
    def test_an_answer_is_compressed_as_the_client_likes_it(
        self, server: RawServer, path: str, accept: str, coding: str
    ) -> None:
        response = poll_for(server.port, path, 5_000, Accept_Encoding=accept)
        assert response.headers["content-encoding"] == coding
        assert "Accept-Encoding" in response.headers["vary"]
        assert int(response.headers["content-length"]) == len(response.body) < 200
        body = (gzip.decompress if coding == "gzip" else zlib.decompress)(response.body)
        assert body.decode() == f'42["bytes","{"x" * 5_000}"]'

    @pytest.mark.parametrize("accept", [None, "", "br", "gzip;q=0", "identity, gzip;q=0.5"])
    def test_who_does_not_want_that_gets_it_plain(self, server: RawServer, path: str, accept: str | None) -> None:
        headers = {} if accept is None else {"Accept_Encoding": accept}
        response = poll_for(server.port, path, 5_000, **headers)
        assert "content-encoding" not in response.headers
        assert "Accept-Encoding" in response.headers["vary"], "for caches, it could have been another"
        assert len(response.text) > 5_000

    @pytest.mark.parametrize(("size", "compressed"), [(1_023, False), (1_024, True)])
    def test_small_answers_are_not_compressed(self, server: RawServer, path: str, size: int, compressed: bool) -> None:
        response = poll_for(server.port, path, size - len('42["bytes",""]'), Accept_Encoding="gzip")
        assert ("content-encoding" in response.headers) is compressed
        assert ("accept-encoding" in response.headers.get("vary", "").lower()) is compressed

    def test_binary_payloads_are_not(self, server: RawServer) -> None:
        path = begin(server.port, OLD_POLLING)
        holder = '451-["blob",{"_placeholder":true,"num":0}]'
        blob = b"\x01\x02\x00\x00\x01\xff\x04" + b"\0" * 2_000
        size = b"".join(bytes([int(digit)]) for digit in str(len(holder)))
        ask(server.port, "GET", path)
        body = b"\0" + size + b"\xff" + holder.encode() + b"\x01\x02\x00\x00\x01\xff\x04" + b"\0" * 2_000
        assert ask(server.port, "POST", path, body).text == "ok"
        response = ask(server.port, "GET", path, Accept_Encoding="gzip")
        assert response.headers["content-type"] == "application/octet-stream"
        assert "content-encoding" not in response.headers
        assert response.body.endswith(blob[-2_000:])

    @pytest.mark.parametrize(("setting", "compressed"), [(False, False), (10_000, False), (100, True)])
    def test_a_setting_says_from_which_size_on(self, tmp_path: Path, setting: object, compressed: bool) -> None:
        with RawServer(tmp_path, http_compression=setting) as server:
            path = begin(server.port)
            ask(server.port, "POST", path, "40")
            response = poll_for(server.port, path, 1_000, Accept_Encoding="gzip")
        assert ("content-encoding" in response.headers) is compressed


# JSONP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [POLLING, OLD_POLLING])
def test_jsonp_is_refused_with_a_reason_unless_asked_for(server: RawServer, path: str) -> None:
    response = ask(server.port, "GET", f"{path}&j=0")
    assert response.error == (400, {"code": 3, "message": "JSONP is off here (the server's setting jsonp)"})
    assert "JSONP is off here" in server.logged()[1]


def called_with(response: Response, number: int = 0) -> str:
    """Give what a script calls the function of a client with."""
    assert response.headers["content-type"] == "text/javascript; charset=UTF-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    match = re.fullmatch(rf'___eio\[{number}\]\((".*")\);', response.text)
    assert match, response.text
    text: str = json.loads(match[1])
    return text


class TestJsonp:
    PAGE = "http://127.0.0.1/page"

    def ask(self, server: RawServer, path: str, **headers: object) -> Response:
        return ask(server.port, "GET", path, Referer=self.PAGE, **headers)

    def post(self, server: RawServer, path: str, payload: str, origin: str = "http://127.0.0.1") -> Response:
        body = urlencode({"d": payload.replace("\\n", "\\\n").replace("\n", "\\n")})
        kind = "application/x-www-form-urlencoded"
        return ask(server.port, "POST", path, body, Content_Type=kind, Origin=origin)

    def test_a_whole_session_of_engine_4(self, jsonp: RawServer) -> None:
        opened = called_with(self.ask(jsonp, f"{POLLING}&j=3"), 3)
        path = f"{POLLING}&j=3&sid={json.loads(opened[1:])['sid']}"
        response = self.post(jsonp, path, "40")
        assert (response.text, response.headers["content-type"]) == ("ok", "text/html")
        assert called_with(self.ask(jsonp, path), 3).startswith('40{"sid"')
        texts = ["a\nb", "a\\nb", "+ &=%", "\u2028\u2029", "Grüße 💬", "\\\\n"]
        assert self.post(jsonp, path, SEPARATOR.join(f"42{json.dumps(['echo', text])}" for text in texts)).text == "ok"
        echoed = "".join(called_with(self.ask(jsonp, path), 3)).split(SEPARATOR)
        assert [json.loads(packet[2:])[1] for packet in echoed] == texts
        assert self.post(jsonp, path, "1").text == "ok"

    def test_a_whole_session_of_engine_3(self, jsonp: RawServer) -> None:
        opened = called_with(self.ask(jsonp, f"{OLD_POLLING}&j=0"))
        sid = re.search(r'"sid":"([^"]+)"', opened)
        assert sid
        path = f"{OLD_POLLING}&j=0&sid={sid[1]}"
        if not opened.endswith("2:40"):  # on_connect took its time
            assert called_with(self.ask(jsonp, path)) == "2:40"
        packet = '42["echo","Grüße\\n💬"]'
        assert self.post(jsonp, path, f"{len(packet) + 1}:{packet}").text == "ok"
        assert called_with(self.ask(jsonp, path)) == f"{len(packet) + 1}:{packet}"
        holder = '451-["blob",{"_placeholder":true,"num":0}]'
        assert self.post(jsonp, path, f"{len(holder)}:{holder}10:b4AAECAwQF").text == "ok"
        assert called_with(self.ask(jsonp, path)).endswith("10:b4AAECAwQF"), "JSONP has nothing but text"

    def test_answers_are_compressed_as_others_are(self, jsonp: RawServer) -> None:
        path = f"{POLLING}&j=0&sid={json.loads(called_with(self.ask(jsonp, f'{POLLING}&j=0'))[1:])['sid']}"
        self.post(jsonp, path, "40")
        self.ask(jsonp, path)
        self.post(jsonp, path, '42["bytes",1,5000]')
        response = self.ask(jsonp, path, Accept_Encoding="gzip")
        assert gzip.decompress(response.body).startswith(b"___eio[0](")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Referer": "http://evil.example/"},
            {"Referer": "http://127.0.0.1:1/"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Origin": "http://evil.example", "Referer": PAGE},
        ],
    )
    @pytest.mark.parametrize("query", ["&j=0", "&%6A=0", "&j="])
    def test_a_page_of_another_origin_or_of_none_is_refused(
        self, jsonp: RawServer, headers: dict[str, str], query: str
    ) -> None:
        assert ask(jsonp.port, "GET", POLLING + query, **headers).error == FORBIDDEN

    def test_a_page_that_hides_its_address_is_vouched_for_by_the_browser(self, jsonp: RawServer) -> None:
        assert called_with(ask(jsonp.port, "GET", f"{POLLING}&j=0", Sec_Fetch_Site="same-origin"))

    @pytest.mark.parametrize("body", ["", "40", "x=40", "d=nonsense"])
    def test_a_form_that_is_none_ends_its_session(self, jsonp: RawServer, body: str) -> None:
        path = f"{POLLING}&j=0&sid={json.loads(called_with(self.ask(jsonp, f'{POLLING}&j=0'))[1:])['sid']}"
        assert ask(jsonp.port, "POST", path, body, Referer=self.PAGE).error == BAD_REQUEST

    def test_the_limit_is_that_of_the_payload_not_of_the_form(self, jsonp: RawServer) -> None:
        path = f"{POLLING}&j=0&sid={json.loads(called_with(self.ask(jsonp, f'{POLLING}&j=0'))[1:])['sid']}"
        self.post(jsonp, path, "40")
        assert self.post(jsonp, path, "42" + json.dumps(["note", "ü" * 20_000], ensure_ascii=False)).text == "ok"
        assert self.post(jsonp, path, '42["note","' + "x" * 100_000 + '"]').status == 413
        assert self.post(jsonp, path, '42["note","' + '"' * 400_000 + '"]').status == 413

    def test_a_session_without_does_not_change_to_it(self, jsonp: RawServer) -> None:
        path = begin(jsonp.port, OLD_POLLING)
        assert self.ask(jsonp, f"{path}&j=0").error == BAD_REQUEST


# CORS, HEAD and OPTIONS ---------------------------------------------------------------------------------------------


def cors(response: Response) -> dict[str, str]:
    return {name.removeprefix("access-control-"): value for name, value in response.headers.items() if "access" in name}


class TestOrigins:
    def test_a_star_answers_in_a_form_that_old_clients_can_read(self, open_server: RawServer) -> None:
        for path in (POLLING, OLD_POLLING, "/socket.io/?EIO=9&transport=polling", f"{POLLING}&sid=x"):
            response = ask(open_server.port, "GET", path, Origin=ORIGIN)
            assert cors(response) == {"allow-origin": ORIGIN, "allow-credentials": "true"}, "errors, too"
            assert "Origin" in response.headers["vary"]
        assert cors(ask(open_server.port, "GET", POLLING)) == {}

    @pytest.mark.parametrize(("origin", "known"), [(ORIGIN, False), (None, True)])
    def test_but_cookies_of_foreign_pages_do_not_reach_the_handlers(
        self, open_server: RawServer, origin: str | None, known: bool
    ) -> None:
        headers = {"Cookie": "user=ann", **({"Origin": origin} if origin else {})}
        with Connection(open_server.port) as connection:
            opened = json.loads(connection.request("GET", POLLING, None, headers).text[1:])
            path = f"{POLLING}&sid={opened['sid']}"
            connection.request("POST", path, "40", headers)
            connection.request("GET", path, None, headers)
            connection.request("POST", path, '420["who"]', headers)
            seen = json.loads(connection.request("GET", path, None, headers).text[3:])[0]
        assert seen["HTTP_COOKIE"] == ("user=ann" if known else None)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("path", [POLLING, f"{POLLING}&sid=x", WEBSOCKET, "/socket.io/"])
    def test_a_preflight_is_answered_in_full(self, open_server: RawServer, method: str, path: str) -> None:
        with Connection(open_server.port) as connection:
            fields = {
                "Origin": ORIGIN,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "x-token,content-type",
            }
            response = connection.request("OPTIONS", path, None, fields)
            assert (response.status, response.body) == (204, b"")
            assert cors(response) == {
                "allow-origin": ORIGIN,
                "allow-credentials": "true",
                "allow-methods": "GET, POST, OPTIONS",
                "allow-headers": "x-token,content-type",
                "max-age": "600",
            }
            assert response.headers["vary"] == "Origin, Access-Control-Request-Headers"
            assert connection.request("GET", POLLING).status == 200, "the connection is kept"

    def test_a_preflight_of_a_foreign_page_is_refused(self, server: RawServer) -> None:
        headers = {"Origin": ORIGIN, "Access_Control_Request_Method": "POST"}
        response = ask(server.port, "OPTIONS", POLLING, **headers)
        assert response.error == FORBIDDEN
        assert cors(response) == {}

    def test_options_without_an_origin_tells_the_methods(self, server: RawServer) -> None:
        with Connection(server.port) as connection:
            response = connection.request("OPTIONS", "/socket.io/")
            assert (response.status, response.headers["allow"]) == (204, "GET, POST, OPTIONS")
            assert cors(response) == {}
            assert connection.request("GET", POLLING).status == 200

    @pytest.mark.parametrize("query", ["", "&sid={sid}"])
    def test_head_is_an_error_without_a_body_and_opens_nothing(self, server: RawServer, query: str) -> None:
        with PollingSession(server.port) as session, Connection(server.port) as connection:
            before = server.state()["clients"]
            response = connection.request("HEAD", POLLING + query.format(sid=session.sid))
            assert response.status == 400
            assert response.headers["content-type"] == "application/json"
            assert int(response.headers["content-length"]) > 0
            assert connection.request("GET", POLLING).status == 200, "nothing of a body came before it"
            assert server.state()["clients"] == before + 1
            assert session.echo("unharmed") == "unharmed"

    def test_head_of_a_script_is_its_head(self, server: RawServer) -> None:
        with Connection(server.port) as connection:
            whole = connection.request("GET", "/socket.io/webpy_socketio.js")
            response = connection.request("HEAD", "/socket.io/webpy_socketio.js")
            assert (response.status, response.headers["content-length"]) == (200, str(len(whole.body)))
            assert connection.request("GET", POLLING).status == 200
