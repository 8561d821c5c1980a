"""What the extension of the client does in a real browser, against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.page.conftest import TIMEOUT, Script, Server, wait_for

pytestmark = pytest.mark.timeout(120)  # seconds; some take the server away twice

OpenPage = Callable[[str], Script]
Serve = Callable[..., Server]

# A modern page: what it heard, what its socket sent, and how its requests to subscribe were answered.
MODERN = """
    var heard = [], sent = [], answers = [];
    var socket = io(%s);
    socket.on("message", (data) => heard.push(data));
    socket.onAnyOutgoing((...args) => sent.push(args));
    var tell = (granted) => answers.push(granted);
"""


def modern(page: Script, options: dict[str, Any] | None = None) -> Script:
    """Give a page a socket of the official client."""
    page.run(MODERN % json.dumps(options or {}))
    return page


def stop(server: Server, *pages: Script) -> None:
    """Take the server away, and wait until the pages know.

    Not while they change from polling to WebSocket: the client (4.8) then pauses its polling for an upgrade that has
    failed already, and notices the loss by the missing ping only, after 45 s.
    """
    for page in pages:
        page.wait_for("socket.connected")
        page.wait_for("socket.io.engine.transport.name === (socket.io.opts.transports || ['websocket']).at(-1)")
    server.stop()
    for page in pages:
        page.wait_for("!socket.connected")


def restart(server: Server, *pages: Script) -> None:
    """Take the server away, and bring it back at the same address when the pages have noticed."""
    stop(server, *pages)
    server.start()


def script_errors(page: Script) -> list[str]:
    """List what went wrong in the page's scripts, but for addresses at which nobody answered."""
    network = ("Failed to load resource: net::ERR_CONNECTION", "WebSocket connection to")
    return [problem for problem in page.problems() if not problem.startswith(network)]


# ---------------------------------------------------------------- the page of the old README


def test_the_page_of_the_old_readme_chats(server: Server, open_page: OpenPage) -> None:
    ann, bob = open_page(server.url + "/page/readme"), open_page(server.url + "/page/readme")
    for page in (ann, bob):
        page.wait_for("socket.connected")
    wait_for(lambda: server.asked() == ["room-42", "room-42"], "both are subscribed")
    for page, name, text in ((ann, "Ann", "Hello <b>Bob</b>"), (bob, "Bob", "Grüße, Ann")):
        page.run(f"document.forms[0].name.value = '{name}'; document.forms[0].text.value = '{text}'")
        page.run("document.querySelector('button').click()")
        for each in (ann, bob):
            each.wait_for(f"document.getElementById('messages').lastElementChild?.textContent === '{name}: {text}'")
    for page in (ann, bob):
        assert page.value("document.getElementById('messages').children.length") == 2
        assert page.problems() == []


def test_the_page_of_the_old_readme_goes_on_after_a_restart(server: Server, open_page: OpenPage) -> None:
    ann, bob = open_page(server.url + "/page/readme"), open_page(server.url + "/page/readme")
    for page in (ann, bob):
        page.wait_for("socket.connected")
    restart(server, ann, bob)
    wait_for(lambda: server.asked() == ["room-42", "room-42"], "both are subscribed again, once")
    ann.run("socket.send({name: 'Ann', text: 'still here'})")
    bob.wait_for("document.getElementById('messages').textContent === 'Ann: still here'")


# ---------------------------------------------------------------- channels


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]], ids=",".join)
def test_a_socket_is_subscribed_again_after_a_reconnect(
    server: Server, open_page: OpenPage, transports: list[str]
) -> None:
    ann, bob = (modern(open_page(server.url + "/page/empty"), {"transports": transports}) for _ in "ab")
    for page in (ann, bob):
        page.run("socket.subscribe('room-1', tell); socket.subscribe('news')")
        page.wait_for("answers.length === 1")
    restart(server, ann, bob)
    wait_for(lambda: sorted(server.asked()) == ["news", "news", "room-1", "room-1"], "all are back")
    ann.run("socket.send('again')")
    bob.wait_for("heard.length === 1")
    assert bob.value("heard") == ["again"]
    assert bob.value("answers") == [True], "the page asked once and was told once"


def test_subscribing_before_the_connection_is_sent_once_it_stands(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"), {"autoConnect": False})
    page.run("socket.subscribe('room-1', tell).subscribe('room-1', tell); socket.connect()")
    page.wait_for("answers.length === 2")
    assert page.value("answers") == [True, True]
    assert server.asked() == ["room-1"]
    assert page.value("sent") == [["__subscribe__", "room-1"]]


def test_subscribing_to_a_server_that_is_not_there_yet(server: Server, open_page: OpenPage) -> None:
    page = open_page(server.url + "/page/empty")
    server.stop()
    modern(page).run("socket.subscribe('room-1', tell)")
    page.run("var failed = 0; socket.on('connect_error', () => { failed += 1; })")
    page.wait_for("failed > 0")
    server.start()
    page.wait_for("answers.length === 1")
    assert server.asked() == ["room-1"]


def test_what_was_said_offline_finds_its_channels(server: Server, open_page: OpenPage) -> None:
    """The server must know of the channels first: it drops a message to a channel that the sender is not in."""
    page = modern(open_page(server.url + "/page/empty"))
    page.run("socket.subscribe('room-1', tell).subscribe('room-2', tell)")
    page.wait_for("answers.length === 2")
    stop(server, page)
    page.run("sent.length = 0; socket.send('to whom it may concern'); socket.send('to you', 'room-2')")
    page.run("socket.subscribe('room-1', tell)")
    server.start()
    page.wait_for("heard.length === 2")
    assert page.value("answers") == [True, True, True]
    assert page.value("heard") == ["to whom it may concern", "to you"]
    assert page.value("sent") == [
        ["__subscribe__", "room-1"],
        ["__subscribe__", "room-2"],
        ["message", "to whom it may concern"],
        ["__message__", "room-2", "to you"],
    ]


def test_a_page_that_subscribes_on_every_connect_is_told_that_it_is_in(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"), {"autoConnect": False})
    page.run("socket.on('connect', () => { socket.subscribe('room-1', tell); }).connect()")
    page.wait_for("answers.length === 1")
    restart(server, page)
    page.wait_for("answers.length === 2")
    assert page.value("answers") == [True, True]
    assert server.asked() == ["room-1"]
    assert page.value("sent") == [["__subscribe__", "room-1"]] * 2, "once for each connection"
    page.run("socket.subscribe('room-1', tell)")
    page.wait_for("answers.length === 3")
    assert page.value("answers[2]") is False, "it was subscribed already"


def test_a_page_that_subscribes_a_while_after_the_reconnect_is_told_that_it_is_in(
    server: Server, open_page: OpenPage
) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.run("socket.subscribe('room-1', tell)")
    page.wait_for("answers.length === 1")
    restart(server, page)
    wait_for(lambda: server.asked() == ["room-1"], "the extension has subscribed")
    page.run("socket.emit('unknown')")
    page.run("socket.send('round trip')")
    page.wait_for("heard.length === 1")
    page.run("socket.subscribe('room-1', tell)")
    page.run("socket.subscribe('room-1', tell)")
    page.wait_for("answers.length === 3")
    assert page.value("answers") == [True, True, False]


def test_repeating_a_subscription_is_false(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.run("socket.subscribe('room-1', tell)")
    page.wait_for("answers.length === 1")
    page.run("socket.subscribe('room-1', tell)")
    page.wait_for("answers.length === 2")
    assert page.value("answers") == [True, False]


def test_an_answer_that_the_connection_took_with_it_comes_later(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.wait_for("socket.connected")
    # The transport ends in the same breath, so the server cannot answer over it.
    page.run("socket.subscribe('room-1', tell); socket.io.engine.close()")
    page.wait_for("answers.length === 1")
    assert page.value("answers") == [True]


def test_a_refused_channel_is_not_asked_for_again(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.run("socket.subscribe('secret', tell).subscribe('room-1', tell)")
    page.wait_for("answers.length === 2")
    assert page.value("answers") == [False, True]
    restart(server, page)
    wait_for(server.asked, "subscribed again")
    assert server.asked() == ["room-1"]
    assert page.value("sent.slice(2)") == [["__subscribe__", "room-1"]]


def test_an_answer_to_an_older_request_says_nothing_of_the_newer(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.run("socket.subscribe('second try', tell).unsubscribe('second try').subscribe('second try', tell)")
    page.wait_for("answers.length === 2")
    assert page.value("answers") == [False, True]
    restart(server, page)
    wait_for(lambda: server.asked() == ["second try"], "subscribed again")


def test_a_channel_that_was_left_is_not_asked_for_again(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.run("socket.subscribe('room-1').subscribe('room-2').unsubscribe('room-1', tell)")
    page.wait_for("answers.length === 1")
    assert page.value("answers") == [True]
    page.run("socket.unsubscribe('room-1', tell)")
    page.wait_for("answers.length === 2")
    assert page.value("answers") == [True, False]
    restart(server, page)
    wait_for(server.asked, "subscribed again")
    assert server.asked() == ["room-2"]


def test_channels_come_back_when_the_page_itself_connects_again(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.run("socket.subscribe('room-1', tell)")
    page.wait_for("answers.length === 1")
    page.run("socket.disconnect().connect()")
    wait_for(lambda: server.asked() == ["room-1"] * 2, "subscribed again, over another connection")
    # With a second namespace the connection stays while the socket leaves and joins.
    page.run("var other = io('/other')")
    page.wait_for("other.connected && socket.connected")
    assert page.value("other.io === socket.io") is True
    page.run("socket.disconnect().connect()")
    wait_for(lambda: server.asked() == ["room-1"] * 3, "subscribed again, over the same connection")
    assert page.value("sent") == [["__subscribe__", "room-1"]] * 3


# ---------------------------------------------------------------- send


def test_send_takes_a_channel_and_an_ack_each_in_its_place(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.run("var acks = []; var got = (answer) => acks.push(answer)")
    page.run("socket.subscribe('room-1')")
    page.run(
        "socket.send('a', got).send('b', 'room-1', got).send('c', null, got).send('d', undefined, got)"
        ".send('e', 'room-1').send('f')"
    )
    page.wait_for("heard.length === 6")
    assert page.value("heard") == ["a", "b", "c", "d", "e", "f"]
    assert page.value("acks") == [["seen", None], ["seen", "room-1"], ["seen", None], ["seen", None]]
    assert page.value("sent.slice(1)") == [
        ["message", "a"],
        ["__message__", "room-1", "b"],
        ["message", "c"],
        ["message", "d"],
        ["__message__", "room-1", "e"],
        ["message", "f"],
    ]


def test_send_leaves_what_is_no_channel_to_the_official_client(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.run("socket.send('a', {b: 1}, [2]).send('a', 3).send()")
    page.wait_for("sent.length === 3")
    assert page.value("sent") == [["message", "a", {"b": 1}, [2]], ["message", "a", 3], ["message"]]


# ---------------------------------------------------------------- io.Socket


def test_every_socket_is_an_io_socket(server: Server, open_page: OpenPage) -> None:
    page = open_page(server.url + "/page/empty")
    page.run("var manager = new io.Manager({autoConnect: false})")
    for expression in (
        "new io.Socket().io !== io('/other', {autoConnect: false}).io",
        "io({autoConnect: false}) instanceof io.Socket",
        "new io.Socket() instanceof io.Socket",
        "manager.socket('/a') instanceof io.Socket",
        "new io.Socket(manager, '/b', {auth: {token: 't'}}) instanceof io.Socket",
        "new io.Socket(manager, '/b', {auth: {token: 't'}}).auth.token === 't'",
        "new io.Socket(manager, '/b').nsp === '/b'",
        "new (class Mine extends io.Socket { twice() { return 2; } })(manager, '/c').twice() === 2",
        "io.io === io && io.connect === io",
    ):
        assert page.value(expression) is True, expression
    with pytest.raises(AssertionError, match="reserved"):
        page.value("new io.Socket().emit('connect')")


def test_the_options_of_old_pages_are_translated(server: Server, open_page: OpenPage) -> None:
    page = open_page(server.url + "/page/empty")

    def made(arguments: str) -> dict[str, Any]:
        page.run(f"var made = new io.Socket({arguments}).io")
        found: dict[str, Any] = page.value("({uri: made.uri, ...made.opts})")
        return found

    here = server.url
    assert made("")["uri"] == here
    assert made("null")["uri"] == here
    assert made("{port: 99}")["uri"] == "http://127.0.0.1:99"
    assert made("'example.org'")["uri"] == f"http://example.org:{server.port}"
    assert made("'example.org:81', {port: 82}")["uri"] == "http://example.org:81"
    assert made("'example.org', {port: 443, secure: true}")["uri"] == "https://example.org:443"
    assert made("{host: 'example.org', port: 82}")["uri"] == "http://example.org:82"
    assert made("'https://example.org'")["uri"].startswith("https://example.org")

    assert made("")["path"] == "/socket.io/"
    assert made("null, {resource: 'live'}")["path"] == "/live/"
    assert made("null, {path: '/live/'}")["path"] == "/live/"

    old_default = ["websocket", "flashsocket", "htmlfile", "xhr-multipart", "xhr-polling", "jsonp-polling"]
    assert "transports" not in made(f"null, {{transports: {old_default}}}")
    assert "transports" not in made("null, {transports: ['smoke signals']}")
    assert made("null, {transports: ['flashsocket', 'websocket']}")["transports"] == ["websocket"]
    assert made("null, {transports: ['xhr-polling', 'jsonp-polling']}")["transports"] == ["polling"]
    assert made("null, {transports: 'htmlfile'}")["transports"] == ["polling"]

    options = made("null, {connectTimeout: 5, reconnect: false, maxReconnectionAttempts: 3, rememberTransport: true}")
    assert options["timeout"] == 5
    assert options["reconnection"] is False
    assert options["reconnectionAttempts"] == 3
    assert "rememberTransport" not in options
    assert page.problems() == []


def test_an_old_socket_is_chainable_by_all_its_names(server: Server, open_page: OpenPage) -> None:
    page = open_page(server.url + "/page/empty")
    page.run("""
        var calls = [];
        var note = (name) => (...args) => calls.push([name, ...args]);
        var message = note("message"), socket = new io.Socket();
        var chained = socket.on("connecting", note("connecting")).connect().on("connect", note("connect"))
            .addEvent("message", message).addEvent("mine", note("mine")).addEvent("disconnect", note("disconnect"))
            .subscribe("room-1").send({a: [1, null]}).fire("mine").fire("mine", ["x", ["y"]]).fire("mine", "z")
            .emit("ignored").unsubscribe("room-2") === socket;
    """)
    page.wait_for("calls.length === 6")
    assert page.value("chained") is True
    assert page.value("calls") == [
        ["connecting", "polling"],
        ["mine"],
        ["mine", "x", ["y"]],
        ["mine", "z"],
        ["connect"],
        ["message", {"a": [1, None]}],
    ]
    page.run("calls.length = 0; socket.removeEvent('message', message).send('unheard', () => calls.push('acked'))")
    page.wait_for("calls.length === 1")
    page.run("socket.disconnect()")
    assert page.value("calls") == ["acked", ["disconnect", "io client disconnect", None]]
    wait_for(lambda: server.clients() == 0, "the socket has left")


def test_an_old_page_hears_of_failures_and_reconnects(server: Server, open_page: OpenPage) -> None:
    page = open_page(server.url + "/page/empty")
    server.stop()
    page.run("""
        var calls = [];
        var socket = new io.Socket(null, {reconnectionDelay: 100, reconnectionDelayMax: 100}).connect();
        for (const name of ["connect", "connect_failed", "disconnect", "reconnecting", "reconnect", "reconnect_failed"])
            socket.on(name, (...args) => calls.push(args.length > 1 ? [name, typeof args[0], args[1]] : [name]));
    """)
    page.wait_for("calls.length > 3")
    assert page.value("calls.slice(0, 3)") == [
        ["connect_failed"],
        ["reconnecting", "number", 1],
        ["reconnecting", "number", 2],
    ]
    server.start()
    page.wait_for("socket.connected")
    before = page.value("calls.length")
    restart(server, page)
    page.wait_for("socket.connected")
    names = [call[0] for call in page.value(f"calls.slice({before})")]
    assert names[0] == "disconnect"
    assert set(names[1:-2]) == {"reconnecting"}
    assert names[-2:] == ["reconnect", "connect"]
    page.run("socket.io.reconnectionAttempts(2)")
    stop(server, page)
    page.wait_for("calls[calls.length - 1][0] === 'reconnect_failed'")


def test_the_old_sockets_of_one_page_live_on_side_by_side(server: Server, open_page: OpenPage) -> None:
    page = open_page(server.url + "/page/empty")
    page.run("var make = () => new io.Socket(null, {transports: ['websocket']}).connect(); var a = make(), b = make()")
    page.wait_for("a.connected && b.connected")
    server.stop()
    page.wait_for("!a.connected && !b.connected")
    server.start()
    page.wait_for("a.connected && b.connected")
    page.run("var c = make()")
    page.wait_for("c.connected")
    assert page.value("a.connected && b.connected") is True
    assert server.clients() == 3


# ---------------------------------------------------------------- starting again


@pytest.mark.parametrize("query", ["", "?wait=0", "?wait=300", "?wait=3000"])
def test_a_page_that_starts_again_ends_with_one_socket(server: Server, open_page: OpenPage, query: str) -> None:
    """The wait of 3 s is longer, the others are shorter, than the client takes to reconnect by itself."""
    page = open_page(server.url + "/page/restart" + query)
    for starts in (2, 3):
        page.run("var before = socket")
        page.wait_for("socket.connected && socket.io.engine.transport.name === 'websocket'")
        server.stop()
        page.wait_for("!before.connected")
        server.start()
        page.wait_for(f"starts === {starts} && socket.connected")
        wait_for(lambda: server.clients() == 1, "one socket is left")
    page.run("heard.length = 0; socket.send('once', () => heard.push('acked'))")
    page.wait_for("heard.includes('acked')")
    assert page.value("heard") == ["once", "acked"]
    assert page.value("starts") == 3
    assert script_errors(page) == []


def test_a_page_that_starts_again_when_it_cannot_connect_ends_with_one_socket(
    server: Server, open_page: OpenPage
) -> None:
    page = open_page(server.url + "/page/empty")
    server.stop()
    page.run("""
        var starts = 0, socket;
        function start() {
            starts += 1;
            socket = new io.Socket();
            socket.on("connect_failed", () => setTimeout(start, 50));
            socket.connect();
        }
        start();
    """)
    page.wait_for("starts > 3")
    server.start()
    page.wait_for("socket.connected")
    page.value("new Promise((resolve) => socket.subscribe('room-1').send('x', resolve))")
    assert server.clients() == 1


# ---------------------------------------------------------------- the include


def test_the_scripts_come_from_the_endpoint_compressed_and_once(server: Server) -> None:
    for name in ("socket.io.min.js", "webpy_socketio.js", "socket.io.min.js.map"):
        address = f"{server.url}/socket.io/{name}"
        first = requests.get(address, timeout=TIMEOUT)
        assert (first.status_code, first.headers["Content-Encoding"]) == (200, "gzip")
        assert len(first.content) > int(first.headers["Content-Length"])
        again = requests.get(address, headers={"If-None-Match": first.headers["ETag"]}, timeout=TIMEOUT)
        assert (again.status_code, again.content) == (304, b"")
        head = requests.head(address, timeout=TIMEOUT)
        assert head.headers["Content-Length"] == first.headers["Content-Length"]


def test_nothing_is_refused_by_a_strict_content_security_policy(server: Server, open_page: OpenPage) -> None:
    page = modern(open_page(server.url + "/page/empty"))
    page.wait_for("socket.connected && socket.io.engine.transport.name === 'websocket'")
    assert page.problems() == []


def test_the_page_knows_another_path_and_other_transports(serve: Serve, open_page: OpenPage) -> None:
    server = serve(resource="live", transports=["websocket"])
    page = modern(open_page(server.url + "/page/empty"))
    page.wait_for("socket.connected && socket.io.engine.transport.name === 'websocket'")
    page.run("var old = new io.Socket().connect()")
    page.wait_for("old.connected")
    for arguments, path in (
        ("'/chat', {autoConnect: false}", "/live/"),
        ("location.origin, {autoConnect: false}", "/live/"),
        ("{path: '/mine/', autoConnect: false}", "/mine/"),
        ("null, {path: '/mine/', autoConnect: false}", "/mine/"),
        ("'https://example.org', {autoConnect: false}", "/socket.io"),  # the official client's own
    ):
        page.run(f"var made = io({arguments})")
        assert page.value("made.disconnect().io.opts.path") == path
    assert page.problems() == []


def test_loading_the_extension_twice_changes_nothing(server: Server, open_page: OpenPage) -> None:
    page = open_page(server.url + "/page/empty")
    page.value("""new Promise((resolve) => {
        window.before = [io, io.Socket.prototype.send];
        const script = document.createElement("script");
        script.src = document.querySelector("script[data-path]").src;
        script.onload = resolve;
        document.head.append(script);
    })""")
    assert page.value("before[0] === io && before[1] === io.Socket.prototype.send") is True


@pytest.mark.parametrize("name", ["readme", "restart"])
def test_without_the_client_the_page_says_what_to_run(serve: Serve, open_page: OpenPage, name: str) -> None:
    server = serve(client_file="not-here.js")
    page = open_page(f"{server.url}/page/{name}")
    page.wait_for("document.querySelector('[role=alert]')")
    text = page.value("document.querySelector('[role=alert]').innerText")
    assert "make client" in text
    assert "npm install socket.io-client" in text
    assert page.value("document.querySelector('[role=alert]').checkVisibility()") is True
    assert page.value("getComputedStyle(document.querySelector('[role=alert]')).color") == "rgb(92, 0, 0)"
    page.run("if (io().subscribe('x').connected || new io.Socket().on('a', tell = () => 0).id) throw 1")
    assert [problem for problem in page.problems() if "404" not in problem and "socket.io.min.js" not in problem] == []
