"""Who asks behind which proxies, as a table of chains."""

from __future__ import annotations

from typing import Any

import pytest

from webpy_socketio.config import Config
from webpy_socketio.gateway.forwarding import HOST, believe_proxies
from webpy_socketio.gateway.origins import is_allowed

TRUSTED = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


def believed(peer: str | None, trusted: Any = TRUSTED, kind: Any = "x-forwarded", **headers: str) -> dict[str, object]:
    """Give what an environ says after the headers of a request were looked at."""
    environ: dict[str, object] = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    environ["wsgi.url_scheme"] = "http"
    environ["HTTP_HOST"] = "inner.example"
    if peer is not None:
        environ |= {"REMOTE_ADDR": peer, "REMOTE_PORT": "5000"}
    believe_proxies(environ, Config(trusted_proxies=trusted, forwarded_header=kind))
    return environ


@pytest.mark.parametrize(
    ("peer", "chain", "address"),
    [
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1, 10.1.1.1", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1,10.1.1.1 ,  10.1.1.2", "192.0.2.1"),
        ("127.0.0.1", "203.0.113.9, 192.0.2.1, 10.1.1.1", "192.0.2.1"),  # beyond a stranger all may be invented
        ("127.0.0.1", "127.0.0.1, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.7", "192.0.2.1", "192.0.2.7"),
        ("127.0.0.2", "192.0.2.1", "127.0.0.2"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", " , ", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "nonsense, 10.1.1.1", "10.1.1.1"),
        ("127.0.0.1", "10.1.1.2, 10.1.1.1", "10.1.1.2"),
        ("127.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "2001:db8::1, fd00::5", "2001:db8::1"),
        ("127.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("fd00::1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:10.1.1.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1, " + "10.1.1.1, " * 49 + "10.1.1.2", "10.1.1.1"),
        ("127.0.0.1", "1.2.3.4'; DROP", "127.0.0.1"),
    ],
)
def test_the_chain_is_walked_from_the_right_as_far_as_it_is_trusted(peer: str, chain: str, address: str) -> None:
    environ = believed(peer, x_forwarded_for=chain)
    assert environ["REMOTE_ADDR"] == address
    assert ("REMOTE_PORT" in environ) is (address == peer), "the port is the proxy's"


def test_who_comes_by_a_unix_socket_has_no_address_and_is_trusted_by_name() -> None:
    assert believed(None, ("unix",), x_forwarded_for="192.0.2.1")["REMOTE_ADDR"] == "192.0.2.1"
    assert believed("", ("unix",), x_forwarded_for="192.0.2.1")["REMOTE_ADDR"] == "192.0.2.1"
    assert "REMOTE_ADDR" not in believed(None, TRUSTED, x_forwarded_for="192.0.2.1")
    assert believed("192.0.2.7", ("unix",), x_forwarded_for="192.0.2.1")["REMOTE_ADDR"] == "192.0.2.7"
    environ = believed(None, ("unix", "10.0.0.0/8"), x_forwarded_for="192.0.2.1, 10.0.0.1")
    assert environ["REMOTE_ADDR"] == "192.0.2.1"


@pytest.mark.parametrize(
    ("chain", "proto", "scheme"),
    [
        ("192.0.2.1", "https", "https"),
        ("192.0.2.1", "HTTPS", "https"),
        ("192.0.2.1", "wss", "https"),
        ("192.0.2.1", "ws", "http"),
        ("192.0.2.1", "gopher", "http"),
        ("192.0.2.1", "", "http"),
        ("", "https", "https"),
        ("192.0.2.1", "https, http", "http"),  # the left one came with the client
        ("192.0.2.1, 10.1.1.1", "https, http", "https"),
        ("192.0.2.1, 10.1.1.1", "https", "https"),
        ("192.0.2.1, 10.1.1.1", "http, https, http", "https"),
    ],
)
def test_the_scheme_is_that_which_the_outermost_trusted_proxy_saw(chain: str, proto: str, scheme: str) -> None:
    environ = believed("127.0.0.1", x_forwarded_for=chain, x_forwarded_proto=proto)
    assert environ["wsgi.url_scheme"] == scheme
    assert believed("192.0.2.7", x_forwarded_for=chain, x_forwarded_proto=proto)["wsgi.url_scheme"] == "http"


def test_the_host_counts_for_the_check_of_origins_alone() -> None:
    for peer, allowed in (("127.0.0.1", True), ("192.0.2.7", False)):
        environ = believed(peer, x_forwarded_host="outer.example")
        assert environ["HTTP_HOST"] == "inner.example", "links that an application builds are its own business"
        assert (environ.get(HOST) == "outer.example") is allowed
        environ["HTTP_ORIGIN"] = "http://outer.example"
        assert is_allowed(environ, None) is allowed
        environ["HTTP_ORIGIN"] = "http://inner.example"
        assert is_allowed(environ, None) is not allowed


def test_behind_tls_that_a_proxy_ends_only_https_is_the_same_origin() -> None:
    for proto, allowed in (("https", False), ("http", True)):
        environ = believed("127.0.0.1", x_forwarded_proto=proto)
        environ["HTTP_ORIGIN"] = "http://inner.example"
        assert is_allowed(environ, None) is allowed
        environ["HTTP_ORIGIN"] = "https://inner.example"
        assert is_allowed(environ, None)


@pytest.mark.parametrize(
    ("header", "address", "scheme", "host"),
    [
        ("for=192.0.2.1", "192.0.2.1", "http", None),
        ("For=192.0.2.1;Proto=https;Host=a.example", "192.0.2.1", "https", "a.example"),
        ('for="[2001:db8::1]:4711"; proto=https', "2001:db8::1", "https", None),
        ('for=192.0.2.1;host="a.example:81"', "192.0.2.1", "http", "a.example:81"),
        ("for=203.0.113.9;proto=https, for=192.0.2.1", "192.0.2.1", "http", None),
        ("for=192.0.2.1;proto=https, for=10.1.1.1;proto=http", "192.0.2.1", "https", None),
        ('for=192.0.2.1;by="a, \\"b", for=10.1.1.1', "192.0.2.1", "http", None),
        ("for=unknown", "127.0.0.1", "http", None),
        ("for=_hidden, for=10.1.1.1", "10.1.1.1", "http", None),
        ("by=10.1.1.1", "127.0.0.1", "http", None),
        ("for=192.0.2.1; nonsense, for=10.1.1.1", "10.1.1.1", "http", None),
        ('for="192.0.2.1', "127.0.0.1", "http", None),
        ("", "127.0.0.1", "http", None),
        (",,;", "127.0.0.1", "http", None),
        ('for=203.0.113.9;by="a,b\\\\", for=192.0.2.1', "192.0.2.1", "http", None),
    ],
)
def test_forwarded_of_rfc_7239_says_the_same(header: str, address: str, scheme: str, host: str | None) -> None:
    environ = believed("127.0.0.1", kind="forwarded", forwarded=header)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], environ.get(HOST)) == (address, scheme, host)


@pytest.mark.parametrize("opened", ['for="', 'for="a, for="', 'for="\\', '"', 'for=127.0.0.1;by="a,', "for=\\"])
@pytest.mark.parametrize("added", ["for=192.0.2.1", 'for="192.0.2.1:4711"', 'for="192.0.2.1";host="a\\"b,";proto=http'])
def test_quotes_that_a_client_leaves_open_do_not_take_in_what_the_proxy_adds(opened: str, added: str) -> None:
    environ = believed("127.0.0.1", kind="forwarded", forwarded=f"{opened},{added}")
    assert environ["REMOTE_ADDR"] == "192.0.2.1"


def test_only_the_kind_of_header_that_the_proxies_write_is_read() -> None:
    headers = {"forwarded": "for=192.0.2.1", "x_forwarded_for": "192.0.2.2"}
    assert believed("127.0.0.1", **headers)["REMOTE_ADDR"] == "192.0.2.2"
    assert believed("127.0.0.1", kind="forwarded", **headers)["REMOTE_ADDR"] == "192.0.2.1"


def test_a_request_is_looked_at_once() -> None:
    environ = believed("127.0.0.1", x_forwarded_for="10.1.1.1")
    environ["HTTP_X_FORWARDED_FOR"] = "192.0.2.1"
    believe_proxies(environ, Config(trusted_proxies=TRUSTED))
    assert environ["REMOTE_ADDR"] == "10.1.1.1"
