"""Clients of all generations in one channel, text and binary: socket.io-client 1.7, 2.5, 3.1, 4.8 and python-socketio,
each over polling, WebSocket and the upgrade; and what a handshake says about its generation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio

from tests.support.node import run_node, start_node
from tests.support.ports import free_port
from tests.support.processes import ROOT, Program, python_command
from tests.support.waiting import wait_until

pytestmark = pytest.mark.npm

APP = ROOT / "tests" / "apps" / "generations_app.py"
MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
JAVASCRIPT = [f"{version} {mode}" for version in (1, 2, 3, 4) for mode in MODES]
PYTHON = [f"python {mode}" for mode in MODES]
EVERYBODY = sorted(JAVASCRIPT + PYTHON)
BLOB = bytes([0, 4, 30, 127, 128, 255])
WRITTEN_BLOB = {"bytes": BLOB.hex()}
TIMEOUT = 10.0


class Server:
    """The application in a process of its own, which can be started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder, self._starts = free_port(), folder, 0
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self._starts += 1
        self.program = Program(python_command(APP, self.port), self._folder / f"server-{self._starts}.log")
        self.program.wait_for_port(self.port)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.program.stop()


class PythonClient:
    """python-socketio's client, doing what ``client_generations.js`` does in the channel."""

    def __init__(self, url: str, mode: str) -> None:
        self.name = f"python {mode}"
        self.messages: list[Any] = []
        self.told: list[Any] = []
        self.client = socketio.Client(handle_sigint=False, reconnection=False)
        self.client.on("message", self.messages.append)
        self.client.on("told", lambda *arguments: self.told.append(arguments))
        self.client.connect(url, transports=MODES[mode], wait_timeout=TIMEOUT)

    def ask(self, event: str, *arguments: Any) -> Any:
        return self.client.call(event, arguments, timeout=TIMEOUT)

    def tell(self) -> None:
        self.ask("tell the others", {"from": self.name, "blob": BLOB})
        self.ask("tell everybody", self.name, BLOB)


def written(value: Any) -> Any:
    """Write bytes down as the Node programs do."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {key: written(item) for key, item in value.items()}
    return [written(item) for item in value] if isinstance(value, (list, tuple)) else value


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def seen(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each of the clients saw, by its name."""
    log = tmp_path_factory.mktemp("clients") / "node.log"
    script = start_node("client_generations.js", server.url, len(EVERYBODY), log=log)
    with ExitStack() as stack, script as program:
        friends = [PythonClient(server.url, mode) for mode in MODES]
        for friend in friends:
            stack.callback(friend.client.disconnect)
            assert friend.ask("__subscribe__", "everybody") is True
        wait_until(lambda: friends[0].ask("members") == len(EVERYBODY), 30, "all are in the channel")
        for friend in friends:
            friend.tell()
        assert program.wait(timeout=30) == 0, program.output()
        found: dict[str, Any] = json.loads(program.output().splitlines()[-1])
        for friend in friends:
            wait_until(lambda friend=friend: len(friend.told) >= len(EVERYBODY), TIMEOUT)
            found[friend.name] = {"messages": written(friend.messages), "told": written(friend.told)}
    return found


def text_of(name: str) -> str:
    # On polling, 1.x encodes twice what is not ASCII: that fails with every server of 2.0 and later, Node's included.
    return "plain" if name in ("1 polling", "1 upgrade") else "Grüße, 世界, 💬"


class TestOneChannel:
    @pytest.mark.parametrize("name", EVERYBODY)
    def test_everybody_hears_everybody_else_once(self, seen: dict[str, Any], name: str) -> None:
        messages = seen[name]["messages"]
        assert sorted(message["from"] for message in messages) == [one for one in EVERYBODY if one != name]
        assert all(message["blob"] == WRITTEN_BLOB for message in messages)

    @pytest.mark.parametrize("name", EVERYBODY)
    def test_everybody_hears_what_comes_from_outside(self, seen: dict[str, Any], name: str) -> None:
        assert sorted(seen[name]["told"]) == [[one, WRITTEN_BLOB] for one in EVERYBODY]

    @pytest.mark.parametrize("name", JAVASCRIPT)
    def test_acks_count_the_receivers(self, seen: dict[str, Any], name: str) -> None:
        assert seen[name]["subscribed"] == [True]
        assert seen[name]["toldOthers"] == [len(EVERYBODY) - 1]
        assert seen[name]["toldAll"] == [len(EVERYBODY)]


@pytest.mark.parametrize("name", JAVASCRIPT)
class TestOneClient:
    def test_it_is_carried_as_asked_and_knows_its_id(self, seen: dict[str, Any], name: str) -> None:
        version, mode = name.split()
        carrier = "polling" if mode == "polling" else "websocket"
        client = seen[name]
        assert client["transport"] == client["who"]["via"] == carrier
        assert client["who"]["id"] == client["id"]
        assert client["who"]["revision"] == ("3" if version in "12" else "4")

    def test_text_and_binary_come_back_in_events_and_acks(self, seen: dict[str, Any], name: str) -> None:
        expected = [text_of(name), {"deep": [WRITTEN_BLOB, None]}, WRITTEN_BLOB, 1.5]
        assert seen[name]["echo"] == seen[name]["echoed"] == expected
        assert seen[name]["empty"] == [{"bytes": ""}]

    def test_the_server_can_ask_it(self, seen: dict[str, Any], name: str) -> None:
        assert seen[name]["asked"] == [text_of(name), WRITTEN_BLOB]

    def test_a_namespace_has_its_id_and_its_token(self, seen: dict[str, Any], name: str) -> None:
        chat, version = seen[name]["chat"], name[0]
        assert chat["who"]["token"] == chat["who"]["query"] == ("t&=x" if text_of(name) == "plain" else "ü&=💬")
        assert chat["echo"] == [text_of(name), WRITTEN_BLOB]
        if version in "12":
            assert chat["who"]["id"] == f"/chat#{chat['engine']}"
        # 1.x calls itself by the engine's id in every namespace, whatever its server says.
        assert chat["id"] == (chat["engine"] if version == "1" else chat["who"]["id"])

    def test_refusals_are_told(self, seen: dict[str, Any], name: str) -> None:
        client, is_old = seen[name], name[0] in "12"
        assert client["refused"] == ("not you" if is_old else {"message": "not you"})
        assert client["refusedWithData"] == ({"code": 7} if is_old else {"message": "not you", "data": {"code": 7}})
        assert client["unknown"] == ("Invalid namespace" if is_old else {"message": "Invalid namespace"})

    def test_it_can_be_thrown_out(self, seen: dict[str, Any], name: str) -> None:
        assert seen[name]["reason"] == "io server disconnect"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("package", ["socket.io-client-1", "socket.io-client-2", "socket.io-client-3"])
def test_a_client_comes_back_after_a_restart(tmp_path: Path, package: str, mode: str) -> None:
    with (
        serving(tmp_path) as server,
        start_node("client_generations_reconnect.js", server.url, mode, package, log=tmp_path / "node.log") as client,
    ):
        client.wait_for_line('"connected":true')
        server.program.kill()
        server.start()
        assert client.wait(timeout=30) == 0, client.output()
        result = json.loads(client.output().splitlines()[-1])
    assert result["echo"] == ["before", {"bytes": "01ff"}]
    assert result["reason"] in ("transport close", "transport error")
    assert result["newId"] == result["who"]["id"] != result["id"]
    assert result["away"] == ["said while away"]
    assert result["settled"] == result["who"]["via"] == ("polling" if mode == "polling" else "websocket")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("package", ["socket.io-client-1", "socket.io-client-2"])
def test_an_old_client_keeps_its_connection_by_its_own_pings(
    tmp_path: Path, start: Any, free_port: int, package: str, mode: str
) -> None:
    beat = {"SOCKETIO_PING_INTERVAL": "0.3", "SOCKETIO_PING_TIMEOUT": "0.7"}
    server = start(python_command(APP, free_port), env=beat)
    server.wait_for_port(free_port)
    url = f"http://127.0.0.1:{free_port}"
    result = run_node("client_generations_heartbeat.js", url, mode, package, log=tmp_path / "node.log")
    carrier = "polling" if mode == "polling" else "websocket"
    assert result == {"transport": carrier, "echo": "alive", "lost": None, "interval": 300}
    assert "ping timeout" not in server.output()


def handshake(server: Server, query: str) -> requests.Response:
    return requests.get(f"{server.url}/socket.io/?{query}&transport=polling", timeout=TIMEOUT)


class TestTheHandshake:
    def test_engine_3_has_its_own_payload_and_is_in_at_once(self, server: Server) -> None:
        answer = handshake(server, "EIO=3")
        length, _, packet = answer.text.partition(":")
        opened, connect = packet[: int(length)], packet[int(length) :]
        assert json.loads(opened[1:])["upgrades"] == ["websocket"]
        assert connect == "2:40"
        assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"

    @pytest.mark.parametrize("query", ["", "EIO=2", "EIO=5", "EIO=", "EIO=3x"])
    def test_any_other_revision_and_none_is_refused(self, server: Server, query: str) -> None:
        answer = handshake(server, query)
        assert answer.status_code == 400
        assert answer.json() == {"code": 5, "message": "Unsupported protocol version"}

    @pytest.mark.parametrize(
        ("settings", "query", "status"),
        [
            ({"allow_eio3": "no"}, "EIO=3", 400),
            ({"allow_eio3": "no"}, "EIO=4", 200),
            ({"allow_eio3": "no", "missing_eio": "3"}, "", 400),
            ({"missing_eio": "3"}, "", 200),
            ({"missing_eio": "3"}, "EIO=4", 200),
            ({"missing_eio": "3"}, "EIO=", 400),
        ],
    )
    def test_two_settings_decide_about_old_clients(
        self, start: Any, free_port: int, settings: dict[str, str], query: str, status: int
    ) -> None:
        environment = {f"SOCKETIO_{name.upper()}": value for name, value in settings.items()}
        start(python_command(APP, free_port), env=environment).wait_for_port(free_port)
        url = f"http://127.0.0.1:{free_port}/socket.io/?transport=polling&{query}"
        assert requests.get(url, timeout=TIMEOUT).status_code == status

    def test_binary_data_by_polling_is_octets_or_base64_as_the_client_wants(self, server: Server) -> None:
        holder = '451-["echo",{"_placeholder":true,"num":0}]'
        back = holder.replace('"echo"', '"echoed"')
        for query, post, payload, kind in (
            (
                "",
                b"\x00\x04\x02\xff" + holder.encode() + b"\x01\x03\xff\x04\x01\xff",
                b"\x00\x04\x04\xff" + back.encode() + b"\x01\x03\xff\x04\x01\xff",
                "application/octet-stream",
            ),
            ("&b64=1", f"42:{holder}6:b4Af8=".encode(), f"44:{back}6:b4Af8=".encode(), "text/plain; charset=UTF-8"),
        ):
            opened = handshake(server, f"EIO=3{query}").text.partition(":")[2]
            url = f"{server.url}/socket.io/?EIO=3&transport=polling&sid={opened.split(chr(34))[3]}"
            assert requests.post(url, data=post, timeout=TIMEOUT).text == "ok"
            answer = requests.get(url, timeout=TIMEOUT)
            assert (answer.content, answer.headers["Content-Type"]) == (payload, kind)
