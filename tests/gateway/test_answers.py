"""Answers of the endpoint, whoever writes them."""

from __future__ import annotations

import re
import zlib
from email.utils import parsedate_to_datetime
from time import time

import pytest

from webpy_socketio.config import Config
from webpy_socketio.errors import HandshakeRefused
from webpy_socketio.gateway.answers import accepted_codings, make_answer, payload_answer, refusal_answer

TEXT = "text/plain; charset=UTF-8"
UPGRADE = {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"}


class TestEncoding:
    def test_it_is_a_message_of_http(self) -> None:
        head, _, body = make_answer(b"ok", "text/html").encode([("Vary", "Origin")]).partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        assert (status, body) == ("HTTP/1.1 200 OK", b"ok")
        assert fields[:-1] == [
            "Vary: Origin",
            "Content-Type: text/html",
            "X-Content-Type-Options: nosniff",
            "Content-Length: 2",
            "Cache-Control: no-store",
        ]

    def test_it_has_the_time_in_the_form_of_http(self) -> None:
        head = make_answer(b"", TEXT).encode([]).decode()
        found = re.search(r"\r\nDate: (\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)\r\n", head)
        assert found is not None
        assert abs(parsedate_to_datetime(found[1]).timestamp() - time()) < 10

    def test_a_body_of_bytes_stays_as_it_is(self) -> None:
        body = bytes(range(256))
        assert make_answer(body, "application/octet-stream").encode([]).endswith(b"\r\n\r\n" + body)

    def test_one_with_fields_of_its_own_has_them_first(self) -> None:
        answer = make_answer(b"", TEXT, "404 Not Found", [("X-A", "b")])
        assert answer.status == "404 Not Found"
        assert answer.headers[0] == ("X-A", "b")


class TestPayloads:
    def test_a_large_one_is_compressed_as_the_client_likes_it(self) -> None:
        answer = payload_answer(b"4" * 2_000, TEXT, Config(), "deflate;q=0.5, gzip")
        assert dict(answer.headers)["Content-Encoding"] == "gzip"
        assert zlib.decompress(answer.body, 31) == b"4" * 2_000
        assert dict(answer.headers)["Content-Length"] == str(len(answer.body))

    def test_caches_hear_on_what_it_depends_although_it_is_not(self) -> None:
        answer = payload_answer(b"4" * 2_000, TEXT, Config(), "")
        assert ("Vary", "Accept-Encoding") in answer.headers
        assert answer.body == b"4" * 2_000

    @pytest.mark.parametrize(
        ("size", "content_type", "setting"),
        [(1_023, TEXT, True), (2_000, "application/octet-stream", True), (2_000, TEXT, False)],
    )
    def test_others_are_not(self, size: int, content_type: str, setting: bool) -> None:
        answer = payload_answer(b"4" * size, content_type, Config(http_compression=setting), "gzip")
        assert answer.body == b"4" * size
        assert not {"Vary", "Content-Encoding"} & set(dict(answer.headers))

    def test_a_client_that_says_nothing_takes_no_coding(self) -> None:
        assert accepted_codings({}) == ""
        assert accepted_codings({"HTTP_ACCEPT_ENCODING": "gzip"}) == "gzip"


class TestRefusals:
    def test_the_error_is_json(self) -> None:
        answer = refusal_answer(HandshakeRefused("400 Bad Request", 1, "Session ID unknown", "for the log"), {})
        assert (answer.status, answer.body) == ("400 Bad Request", b'{"code":1,"message":"Session ID unknown"}')
        assert dict(answer.headers)["Content-Type"] == "application/json"

    def test_one_without_a_code_has_no_body(self) -> None:
        assert refusal_answer(HandshakeRefused("413 Payload Too Large", -1, ""), {}).body == b""

    def test_401_names_a_scheme(self) -> None:
        answer = refusal_answer(HandshakeRefused("401 Unauthorized", 4, "Log in"), {})
        assert ("WWW-Authenticate", "SocketIO") in answer.headers

    def test_after_one_of_an_upgrade_the_connection_ends(self) -> None:
        error = HandshakeRefused("400 Bad Request", 3, "Bad request")
        assert ("Connection", "close") in refusal_answer(error, UPGRADE).headers
        assert "Connection" not in dict(refusal_answer(error, {}).headers)
