"""In which order a request is checked: the order of the reference server, so that clients see the same codes."""

from __future__ import annotations

import pytest

from webpy_socketio.config import Config
from webpy_socketio.errors import HandshakeRefused
from webpy_socketio.events import Registry
from webpy_socketio.gateway.admission import admit, refusal
from webpy_socketio.hub.hub import Hub

UPGRADE = {
    "HTTP_HOST": "chat.example",
    "HTTP_CONNECTION": "keep-alive, Upgrade",
    "HTTP_UPGRADE": "websocket",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
    "SERVER_PROTOCOL": "HTTP/1.1",
}


@pytest.fixture
def hub() -> Hub:
    return Hub(Config(), Registry())


def code(hub: Hub, query: str, method: str = "GET", origin_may: bool = True, **fields: object) -> int:
    with pytest.raises(HandshakeRefused) as caught:
        admit({"REQUEST_METHOD": method, "QUERY_STRING": query, **fields}, hub, origin_may)
    return caught.value.code


@pytest.mark.parametrize(
    ("expected", "query", "method", "origin_may"),
    [
        (0, "sid=x", "POST", False),
        (4, "transport=polling&sid=x", "POST", False),
        (1, "transport=polling&sid=x", "POST", True),
        (1, "transport=websocket&sid=x", "GET", True),
        (2, "transport=websocket", "POST", True),
        (3, "transport=websocket&EIO=2", "GET", True),
        (5, "transport=polling&EIO=2", "GET", True),
    ],
)
def test_of_several_faults_the_first_is_told(
    hub: Hub, expected: int, query: str, method: str, origin_may: bool
) -> None:
    assert code(hub, query, method, origin_may) == expected


def test_only_offered_transports_are_known() -> None:
    hub = Hub(Config(transports=("websocket",)), Registry())
    assert code(hub, "EIO=4&transport=polling") == 0
    hub = Hub(Config(transports=("polling",)), Registry())
    assert code(hub, "EIO=4&transport=websocket", **UPGRADE) == 0


def test_a_handshake_is_admitted_without_a_session(hub: Hub) -> None:
    polling = admit({"REQUEST_METHOD": "GET", "QUERY_STRING": "EIO=4&transport=polling"}, hub, True)
    assert (polling.transport, polling.websocket_key, polling.client, polling.farewell) == ("polling", None, None, None)
    environ = {"REQUEST_METHOD": "GET", "QUERY_STRING": "EIO=4&transport=websocket", **UPGRADE}
    websocket = admit(environ, hub, True)
    assert websocket.websocket_key == "AAAAAAAAAAAAAAAAAAAAAA=="


def test_the_number_of_jsonp_is_for_polling_alone() -> None:
    environ = {"REQUEST_METHOD": "GET", "QUERY_STRING": "EIO=4&transport=polling&j=12x"}
    assert admit(environ, Hub(Config(jsonp=True), Registry()), True).jsonp == "12"
    with pytest.raises(HandshakeRefused, match="JSONP is off"):
        admit(environ, Hub(Config(), Registry()), True)
    websocket = {"REQUEST_METHOD": "GET", "QUERY_STRING": "EIO=4&transport=websocket&j=1", **UPGRADE}
    assert admit(websocket, Hub(Config(), Registry()), True).jsonp is None


def test_the_last_of_repeated_fields_counts(hub: Hub) -> None:
    assert code(hub, "EIO=4&transport=polling&transport=telegraph") == 0


def test_a_refusal_tells_the_client_the_protocols_text_and_the_log_more() -> None:
    error = refusal(3, "a detail")
    assert (error.status, error.code, error.message) == ("400 Bad Request", 3, "Bad request")
    assert str(error) == "Bad request: a detail"
    assert refusal(4).status == "403 Forbidden"


def test_what_is_logged_of_a_request_is_bounded(hub: Hub) -> None:
    for query in (f"transport={'x' * 100_000}", f"EIO={'4' * 100_000}&transport=polling"):
        with pytest.raises(HandshakeRefused) as caught:
            admit({"REQUEST_METHOD": "GET", "QUERY_STRING": query}, hub, True)
        assert len(str(caught.value)) < 200
    with pytest.raises(HandshakeRefused) as caught:
        admit({"QUERY_STRING": "transport=polling", "HTTP_ORIGIN": "x" * 100_000}, hub, False)
    assert len(str(caught.value)) < 500
