from __future__ import annotations

import os
from pathlib import Path

import pytest
from chat import static_files

from tests.example.site import Visitor


@pytest.fixture
def visitor(address: str) -> Visitor:
    return Visitor(address)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("chat.css", "text/css; charset=utf-8"),
        ("room.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_are_served_with_their_types(visitor: Visitor, name: str, content_type: str) -> None:
    answer = visitor.get(f"/static/{name}")
    assert answer.status == "200 OK"
    assert answer.headers["Content-Type"] == content_type
    assert answer.data == (static_files.FOLDER / name).read_bytes()
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_what_a_browser_has_already_is_not_sent_again(visitor: Visitor) -> None:
    first = visitor.get("/static/chat.css")
    assert first.headers["Cache-Control"] == "no-cache"
    again = visitor.get("/static/chat.css", HTTP_IF_NONE_MATCH=first.headers["ETag"])
    assert (again.status, again.data) == ("304 Not Modified", b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    other = visitor.get("/static/chat.css", HTTP_IF_NONE_MATCH='"something else"')
    assert other.status == "200 OK"


def test_a_file_that_changed_is_sent_anew(visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_files, "FOLDER", tmp_path.resolve())
    file = tmp_path / "a.css"
    tags = []
    for number, content in enumerate(["one", "two"]):
        file.write_text(content)
        os.utime(file, ns=(number, number))
        answer = visitor.get("/static/a.css")
        assert answer.text == content
        tags.append(answer.headers["ETag"])
    assert tags[0] != tags[1]


@pytest.mark.parametrize(
    "name",
    [
        "../main_app.py", "..%2fmain_app.py", "../chat/settings.py", "../templates/base.html", "/etc/passwd",
        "//etc/passwd", "....//main_app.py", "..\\main_app.py", "./../static/../main_app.py", "chat.css/", "chat.css\0",
        "chat.css\0.svg", "", ".", "..", "CHAT.CSS", "x" * 300 + ".css", "chat.css/../chat.css/x", "ü.css", "?.css",
    ],
)  # fmt: skip
def test_nothing_else_is_served(visitor: Visitor, name: str) -> None:
    answer = visitor.get(f"/static/{name}")
    assert answer.status == "404 Not Found"
    assert "<h1>Nothing here</h1>" in answer.text


def test_only_the_files_of_a_page_are_served(visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_files, "FOLDER", tmp_path)
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / ".hidden.css").write_text("hidden")
    (tmp_path / "folder.css").mkdir()
    (tmp_path / "good.css").write_text("good")
    names = ("notes.txt", ".hidden.css", "folder.css", "good.css")
    assert [name for name in names if visitor.get(f"/static/{name}").status == "200 OK"] == ["good.css"]
