"""The scripts as HTTP answers: names, codings and validators (RFC 9110 sections 8.8.3, 12.5.3 and 13.1.2)."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from webpy_socketio import config
from webpy_socketio.gateway import static
from webpy_socketio.gateway.answers import Answer
from webpy_socketio.gateway.static import serve

EXTENSION = Path(static.__file__).parent.parent / "static" / "webpy_socketio.js"


@pytest.fixture
def client_file(tmp_path: Path) -> Iterator[Path]:
    """A bundle of the user's own, named by the setting."""
    path = tmp_path / "my-client.js"
    path.write_bytes(b"window.io = 'mine';\n" * 100)
    before = config.current()
    config.install(config.Config(client_file=str(path)))
    yield path
    config.install(before)


def get(name: str, environ: Mapping[str, object] | None = None) -> Answer:
    response = serve(name, {"REQUEST_METHOD": "GET", **(environ or {})})
    assert response is not None
    return response


def header(response: Answer, name: str) -> str | None:
    found = [value for key, value in response.headers if key == name]
    assert len(found) <= 1, f"{name} twice"
    return found[0] if found else None


@pytest.mark.parametrize(
    "name",
    ["", "/", "socket.io.js", "Webpy_socketio.js", "../config.py", "vendor/socket.io.min.js", "..%2fconfig.py",
     "webpy_socketio.js/", "/etc/passwd", "webpy_socketio.js\0", "__init__.py"],
)  # fmt: skip
def test_any_other_name_is_nobodys(name: str) -> None:
    assert serve(name, {}) is None


def test_the_extension_is_served_as_javascript_that_is_not_sniffed() -> None:
    response = get("webpy_socketio.js")
    assert response.status == "200 OK"
    assert response.body == EXTENSION.read_bytes()
    assert header(response, "Content-Type") == "text/javascript; charset=utf-8"
    assert header(response, "X-Content-Type-Options") == "nosniff"
    assert header(response, "Content-Length") == str(len(response.body))
    assert header(response, "Content-Encoding") is None
    assert header(response, "Vary") == "Accept-Encoding"
    assert header(response, "Cache-Control") == "no-cache"


@pytest.mark.parametrize("accepted", ["gzip", "deflate, GZIP;q=0.5", "br, *", "identity;q=0, gzip ; q=0.001"])
def test_gzip_is_used_where_it_is_accepted(accepted: str) -> None:
    response = get("webpy_socketio.js", {"HTTP_ACCEPT_ENCODING": accepted})
    assert header(response, "Content-Encoding") == "gzip"
    assert header(response, "Content-Length") == str(len(response.body))
    assert gzip.decompress(response.body) == EXTENSION.read_bytes()


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip;q=0.000", "*, gzip;q=0", "*;q=0", "identity"])
def test_gzip_is_not_used_where_it_is_not_accepted(accepted: str) -> None:
    response = get("webpy_socketio.js", {"HTTP_ACCEPT_ENCODING": accepted})
    assert header(response, "Content-Encoding") is None
    assert response.body == EXTENSION.read_bytes()


@pytest.mark.parametrize("accepted", ["", "gzip"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_what_the_browser_has_is_not_sent_again(accepted: str, form: str) -> None:
    first = get("webpy_socketio.js", {"HTTP_ACCEPT_ENCODING": accepted})
    tag = header(first, "ETag")
    again = get("webpy_socketio.js", {"HTTP_ACCEPT_ENCODING": accepted, "HTTP_IF_NONE_MATCH": form.format(tag)})
    assert (again.status, again.body) == ("304 Not Modified", b"")
    assert [key for key, _ in again.headers] == ["ETag", "Vary", "Cache-Control"]
    assert header(again, "ETag") == tag


def test_the_two_codings_have_tags_of_their_own() -> None:
    plain = header(get("webpy_socketio.js"), "ETag")
    response = get("webpy_socketio.js", {"HTTP_ACCEPT_ENCODING": "gzip", "HTTP_IF_NONE_MATCH": plain})
    assert response.status == "200 OK"


def test_head_tells_all_but_the_body() -> None:
    head = serve("webpy_socketio.js", {"REQUEST_METHOD": "HEAD"})
    assert head is not None
    assert head.body == b""
    assert head.headers == get("webpy_socketio.js").headers


def test_a_script_cannot_be_written() -> None:
    response = get("webpy_socketio.js", {"REQUEST_METHOD": "POST"})
    assert response.status == "405 Method Not Allowed"
    assert header(response, "Allow") == "GET, HEAD"


def test_the_setting_names_another_client(client_file: Path) -> None:
    assert get("socket.io.min.js").body == client_file.read_bytes()
    assert header(get("socket.io.min.js"), "Content-Type") == "text/javascript; charset=utf-8"


def test_a_source_map_beside_the_client_is_served(client_file: Path) -> None:
    assert get("socket.io.min.js.map").status == "404 Not Found"
    client_file.with_name("my-client.js.map").write_bytes(b'{"version": 3}')
    response = get("socket.io.min.js.map")
    assert response.body == b'{"version": 3}'
    assert header(response, "Content-Type") == "application/json; charset=utf-8"


def test_a_changed_file_is_seen_at_once(client_file: Path) -> None:
    tag = header(get("socket.io.min.js"), "ETag")
    client_file.write_bytes(b"window.io = 'newer';\n")
    os.utime(client_file, ns=(1, 1))
    response = get("socket.io.min.js", {"HTTP_IF_NONE_MATCH": tag})
    assert response.body == b"window.io = 'newer';\n"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_missing_client_says_what_to_run(client_file: Path, method: str) -> None:
    client_file.unlink()
    response = get("socket.io.min.js", {"REQUEST_METHOD": method})
    assert response.status == "404 Not Found"
    assert header(response, "Content-Type") == "text/plain; charset=utf-8"
    assert header(response, "Cache-Control") == "no-store"
    if method == "GET":
        text = response.body.decode()
        assert "make client" in text
        assert "npm install socket.io-client" in text
        assert "client_file" in text
        assert str(client_file) not in text, "where the server keeps its files is nobody's business"
    else:
        assert response.body == b""


def test_a_client_that_is_a_directory_is_a_missing_one(client_file: Path) -> None:
    client_file.unlink()
    client_file.mkdir()
    assert get("socket.io.min.js").status == "404 Not Found"


def test_without_the_setting_the_packaged_client_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(static, "_DIRECTORY", tmp_path)
    assert get("socket.io.min.js").status == "404 Not Found"
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "socket.io.min.js").write_bytes(b"window.io = 'packaged';")
    assert get("socket.io.min.js").body == b"window.io = 'packaged';"
    assert get("webpy_socketio.js").status == "404 Not Found"
