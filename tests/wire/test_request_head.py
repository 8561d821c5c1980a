"""Heads of requests: what is taken is taken as gevent's pywsgi takes it, and all that is not plain is left to that."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.targets.request_head import MOST, read_by_pywsgi, run
from webpy_socketio.gateway.fields import HeadRefused
from webpy_socketio.wire.request_head import MAX_FIELDS, RequestHead, decode_head

PLAIN = b"GET /socket.io/?EIO=4&sid=abc HTTP/1.1\r\nHost: chat.example\r\nAccept: */*\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\n40"


def decode(data: bytes) -> RequestHead | None:
    return decode_head(data, MOST)


def with_field(field: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: x\r\n" + field + b"\r\n\r\n"


def with_line(line: bytes) -> bytes:
    return line + b"\r\nHost: x\r\n\r\n"


class TestWhatIsTaken:
    def test_a_plain_head_is_an_environ(self) -> None:
        head = decode(PLAIN)
        assert head is not None
        assert head.environ == {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/socket.io/",
            "QUERY_STRING": "EIO=4&sid=abc",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "chat.example",
            "HTTP_ACCEPT": "*/*",
        }
        assert (head.size, head.length) == (len(PLAIN), 0)

    def test_the_body_is_not_part_of_it(self) -> None:
        head = decode(POST)
        assert head is not None
        assert (POST[head.size :], head.length) == (b"40", 2)
        assert head.environ["CONTENT_LENGTH"] == "2"
        assert head.environ["CONTENT_TYPE"] == "text/plain"

    def test_it_may_have_no_fields_and_no_query(self) -> None:
        head = decode(b"GET / HTTP/1.1\r\n\r\nrest")
        assert head is not None
        assert (head.fields.values, head.environ["QUERY_STRING"], head.size) == ({}, "", 18)

    @pytest.mark.parametrize("value", [b"x", b" x", b"x \t", b"\t x", b""])
    def test_blanks_around_a_value_do_not_count(self, value: bytes) -> None:
        head = decode(with_field(b"X-A:" + value))
        assert head is not None
        assert head.environ["HTTP_X_A"] == value.decode().strip()

    @pytest.mark.parametrize(
        ("field", "alive"),
        [
            (b"A: b", True),
            (b"Connection: keep-alive", True),
            (b"connection: Keep-Alive", True),
            (b"Connection: close", False),
            (b"Connection: Upgrade", True),
            (b"Connection: keep-alive, Close", False),
            (b"Connection:", True),
            (b"Connection: Upgrade\r\nUpgrade: websocket", False),
        ],
    )
    def test_it_tells_whether_the_connection_just_goes_on(self, field: bytes, alive: bool) -> None:
        head = decode(with_field(field))
        assert head is not None
        assert head.keeps_alive is alive

    def test_as_many_fields_as_allowed(self) -> None:
        fields = b"".join(b"X-%d: y\r\n" % number for number in range(MAX_FIELDS))
        assert decode(b"GET / HTTP/1.1\r\n" + fields + b"\r\n") is not None

    def test_fields_that_are_those_of_the_head_before_are_not_read_again(self) -> None:
        first = decode(PLAIN)
        assert first is not None
        second = decode_head(PLAIN.replace(b"sid=abc", b"sid=def"), MOST, first.fields)
        assert second is not None
        assert second.fields is first.fields
        assert second.environ["QUERY_STRING"] == "EIO=4&sid=def"

    @pytest.mark.parametrize("field", [b"Host: y", b"Host: x\r\nA: b"])
    def test_others_are(self, field: bytes) -> None:
        before = decode(with_line(b"GET / HTTP/1.1"))
        assert before is not None
        head = decode_head(b"GET / HTTP/1.1\r\n" + field + b"\r\n\r\n", MOST, before.fields)
        alone = decode(b"GET / HTTP/1.1\r\n" + field + b"\r\n\r\n")
        assert head is not None
        assert alone is not None
        assert head.environ == alone.environ


class TestWhatIsLeftToOthers:
    @pytest.mark.parametrize("size", range(len(PLAIN)))
    def test_a_head_that_is_not_complete(self, size: int) -> None:
        assert decode(PLAIN[:size]) is None

    def test_one_that_is_too_large(self) -> None:
        assert decode_head(PLAIN, len(PLAIN)) is not None
        assert decode_head(PLAIN, len(PLAIN) - 1) is None

    @pytest.mark.parametrize(("length", "taken"), [(8_000, True), (8_001, False)])
    def test_a_line_that_is_too_long(self, length: int, taken: bool) -> None:
        line = b"GET /%s HTTP/1.1\r\n" % (b"x" * (length - 16))
        assert len(line) == length
        assert (decode(line + b"\r\n") is not None) is taken

    @pytest.mark.parametrize(("length", "taken"), [(100, True), (101, False)])
    def test_a_name_that_nobody_should_have_to_remember(self, length: int, taken: bool) -> None:
        assert (decode(with_field(b"x" * length + b": y")) is not None) is taken

    def test_too_many_fields(self) -> None:
        fields = b"".join(b"X-%d: y\r\n" % number for number in range(MAX_FIELDS + 1))
        assert decode(b"GET / HTTP/1.1\r\n" + fields + b"\r\n") is None

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"get / HTTP/1.1",
            b"GET  / HTTP/1.1",
            b"GET /  HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b" GET / HTTP/1.1",
            b"GET /\tHTTP/1.1",
            b"GET / HTTP/1.0",
            b"GET / HTTP/1.10",
            b"GET / HTTP/2.0",
            b"GET /",
            b"GET * HTTP/1.1",
            b"GET http://x/ HTTP/1.1",
            b"CONNECT x:80 HTTP/1.1",
            b"GET /%2e%2e HTTP/1.1",
            b"GET /a#b HTTP/1.1",
            b"GET /a\xe9 HTTP/1.1",
            b"GET /?\xe9 HTTP/1.1",
            b"GET /?a b HTTP/1.1",
            b"GET /\x00 HTTP/1.1",
            b'GET /"<> HTTP/1.1',
        ],
    )
    def test_a_line_that_is_not_plain(self, line: bytes) -> None:
        assert decode(with_line(line)) is None

    @pytest.mark.parametrize(
        "field",
        [
            b"no colon",
            b": no name",
            b"A : b",
            b" folded: b",
            b"A: b\r\n folded",
            b"A: b\nC: d",
            b"A: b\rC: d",
            b"A: b\x00",
            b"A: \xe9",
            b"A: \x7f",
            b"A_B: c",
            b"Content_Length: 2",
            b"A(b): c",
            b"A: b\r\nA: c",
            b"A: b\r\na: c",
            b"Host: y",
            b"Content-Length: 2\r\nContent-Length: 2",
            b"Content-Length: 2, 2",
            b"Content-Length: +2",
            b"Content-Length: -2",
            b"Content-Length: 0x2",
            b"Content-Length: 2.0",
            b"Content-Length:",
            b"Content-Length: 1234567890",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: identity",
            b"Expect: 100-continue",
        ],
    )
    def test_a_field_that_is_not_plain(self, field: bytes) -> None:
        assert decode(with_field(field)) is None

    @pytest.mark.parametrize("data", [b"GET / HTTP/1.1\n\n", b"GET / HTTP/1.1\r\nA: b\n\r\n", b"GET / HTTP/1.1\n\r\n"])
    def test_lines_that_end_with_a_bare_line_feed(self, data: bytes) -> None:
        assert decode(data + b"\r\n\r\n") is None


def check(data: bytes) -> None:
    run(b"\0" + data)


NAMES = st.sampled_from(["Host", "host", "Content-Length", "Content-Type", "Connection", "Cookie", "X-A", "Upgrade"])
TOKENS = st.text("abAB09!#$%&'*+-.^_`|~", min_size=1, max_size=5)
VALUES = st.one_of(
    st.sampled_from(["", "0", "2", " 2 ", "close", "keep-alive", "Upgrade", "websocket", "a=b; c=d", "\t"]),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=8),
)
FIELDS = st.lists(st.tuples(NAMES | TOKENS, VALUES), max_size=6)
TARGETS = st.sampled_from(["/", "//", "/socket.io/", "/a?b", "/a??b?c", "/a;b", "/~a", "/a?b#c", "/?"]) | st.text(
    "/ab?%25#&=;:@[]{}|\\^`~*", max_size=10
).map(lambda text: "/" + text)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X"])


class TestAgreement:
    """Whatever is taken is what pywsgi's own parser would have made of it."""

    @given(method=METHODS, target=TARGETS, fields=FIELDS, body=st.binary(max_size=10))
    def test_of_well_formed_heads(self, method: str, target: str, fields: list[tuple[str, str]], body: bytes) -> None:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}:{value}" for name, value in fields), "", ""]
        check("\r\n".join(lines).encode("latin-1") + body)

    @given(st.lists(st.sampled_from([b"GET", b" ", b"/", b"HTTP/1.1", b"\r\n", b"\r", b"\n", b"A", b":", b"2", b"_"])))
    @example([PLAIN])
    @example([POST])
    def test_of_what_is_hardly_one(self, pieces: list[bytes]) -> None:
        check(b"".join(pieces))
        check(b"GET / HTTP/1.1\r\n" + b"".join(pieces) + b"\r\n\r\n")

    @given(target=TARGETS, fields=FIELDS)
    def test_a_head_that_pywsgi_refuses_is_not_taken(self, target: str, fields: list[tuple[str, str]]) -> None:
        lines = [f"GET {target} HTTP/1.1", *(f"{name}:{value}" for name, value in fields), "", ""]
        data = "\r\n".join(lines).encode("latin-1")
        try:
            read_by_pywsgi(data)
        except HeadRefused:
            assert decode(data) is None

    @given(target=TARGETS)
    def test_a_path_that_is_taken_has_nothing_to_be_decoded(self, target: str) -> None:
        head = decode(f"GET {target} HTTP/1.1\r\n\r\n".encode())
        if head is not None:
            path = head.environ["PATH_INFO"]
            assert unquote_to_bytes(path) == path.encode()
