"""RFC 6455 section 4.2: what a server checks, and what it answers."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import is_linear
from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.handshake import accept_key, encode_response, is_upgrade, validate_request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="

#: The request of section 1.2, as WSGI gives it.
REQUEST = {
    "REQUEST_METHOD": "GET",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "server.example.com",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": KEY,
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}


def refusal(**changes: object) -> str:
    environ = {name: value for name, value in {**REQUEST, **changes}.items() if value is not None}
    with pytest.raises(ProtocolError) as caught:
        validate_request(environ)
    return caught.value.reason


def test_the_request_of_the_specification_is_accepted() -> None:
    assert is_upgrade(REQUEST)
    assert validate_request(REQUEST) == KEY


def test_the_accept_key_of_the_specification() -> None:
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_response_of_the_specification() -> None:
    assert encode_response(KEY).split(b"\r\n") == [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"",
        b"",
    ]


def test_further_fields_stand_behind_those_of_the_handshake() -> None:
    lines = encode_response(KEY, (("Sec-WebSocket-Protocol", "chat"), ("X-Name", "café"))).split(b"\r\n")
    assert lines[4:] == [b"Sec-WebSocket-Protocol: chat", b"X-Name: caf\xe9", b"", b""]


@pytest.mark.parametrize("method", ["POST", "HEAD", "get", "", None])
def test_only_get_opens_a_websocket(method: str | None) -> None:
    assert refusal(REQUEST_METHOD=method) == f"a WebSocket is opened by GET, not by {method}"


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/0.9"])
def test_old_http_is_refused(protocol: str) -> None:
    assert refusal(SERVER_PROTOCOL=protocol) == f"a WebSocket needs HTTP/1.1, not {protocol}"


@pytest.mark.parametrize("host", [None, ""])
def test_a_host_is_required(host: str | None) -> None:
    assert refusal(HTTP_HOST=host) == "the header Host is missing"


@pytest.mark.parametrize("value", ["websocket", "WebSocket", "h2c, websocket", "websocket , h2c", "\twebsocket "])
def test_upgrade_is_a_list_of_tokens_in_any_case(value: str) -> None:
    assert is_upgrade({"HTTP_UPGRADE": value})
    assert validate_request({**REQUEST, "HTTP_UPGRADE": value}) == KEY


@pytest.mark.parametrize("value", [None, "", "h2c", "websockets", "web socket", "websocket;13", "websocket/13"])
def test_another_upgrade_is_none_to_a_websocket(value: str | None) -> None:
    assert not is_upgrade({} if value is None else {"HTTP_UPGRADE": value})
    assert refusal(HTTP_UPGRADE=value) == "the header 'Upgrade: websocket' is missing"


@pytest.mark.parametrize("value", ["upgrade", "keep-alive, Upgrade", "Upgrade,keep-alive", ", ,UPGRADE,"])
def test_connection_is_a_list_of_tokens_in_any_case(value: str) -> None:
    assert validate_request({**REQUEST, "HTTP_CONNECTION": value}) == KEY


@pytest.mark.parametrize("value", [None, "", "keep-alive", "close", "upgraded", "keep-alive; upgrade"])
def test_connection_must_name_the_upgrade(value: str | None) -> None:
    assert refusal(HTTP_CONNECTION=value) == "the header 'Connection: Upgrade' is missing"


@pytest.mark.parametrize("version", [None, "", "8", "12", "14", "013", "13.0", "13, 8"])
def test_only_version_13_is_spoken(version: str | None) -> None:
    assert refusal(HTTP_SEC_WEBSOCKET_VERSION=version) == "the header Sec-WebSocket-Version must be 13"


@pytest.mark.parametrize("size", [0, 1, 12, 13, 14, 15, 17, 18, 32])
def test_a_key_has_16_bytes(size: int) -> None:
    key = base64.b64encode(bytes(size)).decode()
    assert refusal(HTTP_SEC_WEBSOCKET_KEY=key) == "the header Sec-WebSocket-Key must be 16 bytes in base64"


@pytest.mark.parametrize(
    "key", ["x", "not base64 at all!!", KEY[:-2], KEY[:-1], "é" * 24, KEY.replace("G", "-"), KEY[:8] + "\n" + KEY[8:]]
)
def test_a_key_is_base64(key: str) -> None:
    assert refusal(HTTP_SEC_WEBSOCKET_KEY=key) == "the header Sec-WebSocket-Key must be 16 bytes in base64"


def test_a_missing_key_is_refused() -> None:
    assert refusal(HTTP_SEC_WEBSOCKET_KEY=None) == "the header Sec-WebSocket-Key must be 16 bytes in base64"


@given(st.binary(min_size=16, max_size=16))
def test_every_key_of_16_bytes_is_accepted(nonce: bytes) -> None:
    key = base64.b64encode(nonce).decode()
    assert validate_request({**REQUEST, "HTTP_SEC_WEBSOCKET_KEY": f" {key} "}) == key
    assert len(accept_key(key)) == 28


@given(st.dictionaries(st.sampled_from(sorted(REQUEST)), st.text(max_size=40)))
def test_no_request_raises_anything_but_protocol_error(changes: dict[str, str]) -> None:
    try:
        key = validate_request({**REQUEST, **changes})
    except ProtocolError:
        return
    assert accept_key(key)


@pytest.mark.parametrize("piece", [", ", " ", "a ", ",", "\t,", "a,", "upgrad"])
def test_cve_2021_32640_a_hostile_header_costs_linear_time(piece: str) -> None:
    def read(size: int) -> None:
        value = piece * (size // len(piece))
        assert not is_upgrade({"HTTP_UPGRADE": value})
        assert refusal(HTTP_CONNECTION=value)
        assert refusal(HTTP_SEC_WEBSOCKET_KEY=value)

    assert is_linear(read, 1_000_000)
