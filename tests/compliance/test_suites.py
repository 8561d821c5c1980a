"""The harness of the official suites: it finds them, changes its own copy only, and knows what it may forgive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compliance.run_protocol_suites import Run
from tests.compliance.suites import await_closes, defer_messages, find_suites, point_at

SOURCE = """\
const URL = "http://localhost:3000";
    const response = await fetch(`${URL}/%s/?EIO=%d&transport=polling`);
        waitFor(socket, "close");
        waitFor(socket2, "close");
        waitFor(socket, "close");
        waitFor(socket2, "close");
        await waitFor(socket, "close");
"""


def make_suite(folder: Path, protocol: str = "socket.io", revision: int = 4) -> Path:
    (folder / "test-suite").mkdir(parents=True)
    (folder / "test-suite" / "test-suite.js").write_text(SOURCE % (protocol, revision))
    (folder / "COMMIT").write_text("abc123\n")
    return folder / "test-suite" / "test-suite.js"


def test_a_folder_of_copies_and_a_single_copy_are_found(tmp_path: Path) -> None:
    make_suite(tmp_path / "one", "engine.io", 3)
    make_suite(tmp_path / "two", "socket.io", 4)
    assert [(s.protocol, s.revision, s.commit) for s in find_suites(tmp_path)] == [
        ("engine.io", 3, "abc123"),
        ("socket.io", 4, "abc123"),
    ]
    assert [s.name for s in find_suites(tmp_path / "two")] == ["socket.io-protocol (EIO=4)"]
    assert find_suites(tmp_path / "two" / "test-suite")[0].commit == "abc123"


def test_a_folder_without_suites_has_none(tmp_path: Path) -> None:
    assert find_suites(tmp_path) == []


def test_the_address_is_rewritten(tmp_path: Path) -> None:
    source = make_suite(tmp_path)
    point_at(source.parent, 4321)
    point_at(source.parent, 4322)
    assert source.read_text().splitlines()[0] == 'const URL = "http://127.0.0.1:4322";'


def test_the_forgotten_awaits_are_added(tmp_path: Path) -> None:
    source = make_suite(tmp_path)
    await_closes(source)
    assert source.read_text().count("        await waitFor(socket") == 5


def test_the_websocket_class_is_replaced_by_one_that_defers(tmp_path: Path) -> None:
    imports = tmp_path / "node-imports.js"
    imports.write_text("globalThis.fetch = fetch;\nglobalThis.WebSocket = WebSocket;\n")
    defer_messages(imports)
    assert "allowSynchronousEvents: false" in imports.read_text()


def test_a_suite_that_has_changed_is_not_patched_in_silence(tmp_path: Path) -> None:
    source = make_suite(tmp_path)
    source.write_text("another text")
    with pytest.raises(ValueError, match="expected 4 places"):
        await_closes(source)


def test_only_the_long_heartbeat_excuses_and_only_what_needs_the_short_one(tmp_path: Path) -> None:
    make_suite(tmp_path)
    suite = find_suites(tmp_path)[0]
    needs_short = "Socket.IO protocol disconnect should disconnect from the main namespace"
    failed = {needs_short: "late", "Socket.IO protocol message should send a plain-text packet": "wrong"}

    def run(heartbeat: str) -> Run:
        return Run(suite, "ours", heartbeat, 1, passed=(), failed=failed, pending=(), seconds=1.0)

    assert run("short").unexpected == failed
    assert list(run("long").unexpected) == ["Socket.IO protocol message should send a plain-text packet"]
    assert len(suite.excused("ours", "long")) == 7
