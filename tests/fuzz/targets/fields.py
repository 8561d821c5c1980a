"""What the gateway reads of a request: query, cookies, forwarded addresses, origins, codings, forms of JSONP.

The fields of an environ, one per line; behind them the body of a POST.
"""

from __future__ import annotations

import re
import zlib
from typing import Any
from urllib.parse import quote_from_bytes

import orjson

from webpy_socketio.config import Config
from webpy_socketio.errors import HandshakeRefused, ProtocolError
from webpy_socketio.gateway import codings, jsonp, static
from webpy_socketio.gateway.admission import parse_query
from webpy_socketio.gateway.forwarding import believe_proxies
from webpy_socketio.gateway.origins import cors_headers, is_allowed, is_foreign
from webpy_socketio.hub.request import Request

MAX_LENGTH = 8_000

FIELDS = (
    *("QUERY_STRING", "HTTP_COOKIE", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"),
    *("HTTP_FORWARDED", "HTTP_ORIGIN", "HTTP_HOST", "HTTP_REFERER", "HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH"),
)
CONFIGS = [
    Config.of({"trusted_proxies": ["127.0.0.1", "10.0.0.0/8", "::1"], "forwarded_header": name})
    for name in ("x-forwarded", "forwarded")
]
RULES: list[Any] = [None, "*", ["http://friend.example"], "https://[::1]:8000"]


def _lines(*lines: bytes) -> bytes:
    return b"\n".join(lines)


SEEDS = [
    _lines(
        b"EIO=4&transport=polling&sid=a%20b&j=7&x", b'a=b; c="d e"; e', b"1.2.3.4, 10.0.0.1", b"https, http", b"x:80"
    ),
    _lines(
        b"", b"", b"", b"", b"", b'for="[2001:db8::1]:4711";proto=https;host="a\\"b", for=10.1.1.1', b"http://x", b"x"
    ),
    _lines(
        b"j=abc", b"", b"::ffff:1.2.3.4", b"", b"", b"for=unknown", b"https://[::1]:8000", b"[::1]:8000", b"http://x/y"
    ),
    _lines(
        b"", b"", b"", b"", b"", b"", b"null", b"", b"", b"gzip;q=0.5, deflate;q=1.0, *;q=0", b'W/"a", *', b"d=4%5C%5Cn"
    ),
    _lines(b"", b"", b"", b"", b"", b"", b"http://x:99999", b"x", b"", b"identity", b"", b"d=42[\xe2\x80\xa8]%0A\\n"),
]

WORDS = [
    *(b"\n", b"&", b"=", b"%", b"; ", b", ", b"for=", b"proto=https", b"host=", b'"', b"\\", b"10.0.0.1", b"::1", b"["),
    *(b"http://", b"https://friend.example", b"gzip", b"deflate", b";q=0.5", b"*", b"j=1", b"d=", b"%5Cn", b"]:80"),
]


def run(data: bytes) -> None:
    """Read all of it."""
    lines = data.split(b"\n", len(FIELDS))
    body = lines[len(FIELDS)] if len(lines) > len(FIELDS) else b""
    fields = dict(zip(FIELDS, (line.decode("latin-1") for line in lines), strict=False))
    for config in CONFIGS:
        _read(config, {"REMOTE_ADDR": "127.0.0.1", "REQUEST_METHOD": "GET", "wsgi.url_scheme": "http", **fields})
    request = Request(fields)
    assert all(isinstance(value, str) for value in {**request.query, **request.cookies, **request.headers}.values())
    _choose(fields.get("HTTP_ACCEPT_ENCODING", ""), body)
    _jsonp(fields, body)


def _read(config: Config, environ: dict[str, object]) -> None:
    believe_proxies(environ, config)
    assert re.fullmatch(r"[0-9a-f.:]+", str(environ["REMOTE_ADDR"]))
    assert environ["wsgi.url_scheme"] in ("http", "https")
    is_foreign(environ)
    for rule in RULES:
        origin_may = is_allowed(environ, rule)
        names = [name for name, _ in cors_headers(environ, rule, origin_may)]
        assert origin_may or "Access-Control-Allow-Origin" not in names
    answer = static.serve("webpy_socketio.js", environ)
    assert answer is not None and answer.status in ("200 OK", "304 Not Modified")


def _choose(accepted: str, body: bytes) -> None:
    coding = codings.choose(accepted)
    if coding is not None:
        assert zlib.decompress(codings.compress(body, coding), codings.CODINGS[coding]) == body


def _jsonp(fields: dict[str, str], body: bytes) -> None:
    jsonp.asked_by(dict(fields))
    try:
        number = jsonp.number_of(parse_query({"QUERY_STRING": fields.get("QUERY_STRING", "")}))
    except HandshakeRefused:
        number = None
    assert number is None or re.fullmatch(r"[0-9]*", number)
    try:
        jsonp.read_form(body)
    except ProtocolError:
        pass
    # As the client writes a form: what stands for a line's end would become one otherwise.
    form = b"d=" + quote_from_bytes(body.replace(b"\\n", b"\\\\n")).encode()
    assert jsonp.read_form(form) == body
    text = body.decode(errors="replace")
    script = re.fullmatch(rb"___eio\[1\]\((.*)\);", jsonp.encode_answer("1", text.encode()), re.DOTALL)
    assert script is not None and orjson.loads(script[1]) == text
