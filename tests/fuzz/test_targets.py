"""The fuzzer's targets without the fuzzer: each takes all inputs of its corpus, and long ones do not make it slow."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest

from tests.fuzz import corpus
from tests.fuzz.corpus import MAX_BYTES, seeds, store
from tests.fuzz.reader import Reader, masked, pieces
from tests.fuzz.targets import NAMES, engine_4, load
from tests.support.processes import ROOT
from webpy_socketio.wire.frames import decode_frames

PURE = [name for name in NAMES if name not in ("request_head", "fields", "http")]
"""Those that leave the process as it was."""

LENGTH, LONGER = 10_000, 4
"""Bytes of an input, and how many times as long the other one is."""

MOST = 2.5 * LONGER
"""How much more time that may take; were it quadratic, it would be the square of `LONGER`."""


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_is_taken(name: str) -> None:
    # In a process of its own: the target of the whole entrance registers handlers and runs a server.
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--replay"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = re.fullmatch(rf"{name}: (\d+) inputs\n", done.stdout)
    assert found is not None and int(found[1]) > len(seeds(name)) >= 10


@pytest.mark.parametrize("name", PURE)
def test_time_is_linear_in_the_input(name: str) -> None:
    target = load(name)
    head = b"" if name in ("engine_4", "engine_3", "values", "handshake") else b"\0\0"
    for word in target.WORDS:
        short, long = (head + word * (size // len(word)) for size in (LENGTH, LENGTH * LONGER))
        ratio = min(seconds(target.run, long) / seconds(target.run, short) for _ in range(5))
        assert ratio < MOST, word


def seconds(run: object, data: bytes) -> float:
    """Measure this process's own time, whatever else the machine does."""
    assert callable(run)
    began = process_time()
    run(data)
    return max(process_time() - began, 0.001)


def test_a_target_notices_what_must_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_4.run(b"4a\x1e4b")
    monkeypatch.setattr(engine_4, "decode_payload", lambda body: ["4a", "4b"] if b"x" in body else ["4b"])
    with pytest.raises(AssertionError):
        engine_4.run(b"4a\x1e4x")


def test_an_error_that_is_no_protocol_error_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_payload(body: bytes) -> list[str | bytes]:
        raise IndexError

    monkeypatch.setattr(engine_4, "decode_payload", decode_payload)
    with pytest.raises(IndexError):
        engine_4.run(b"4a")


def test_inputs_are_kept_as_text_the_shortest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "directory", tmp_path / "corpus")
    assert seeds("values") == []
    assert store("values", [b"\0\xff", b"", b"longer", b"\0\xff"]) == 3
    assert seeds("values") == [b"", b"\0\xff", b"longer"]
    assert store("values", [b"x" * MAX_BYTES, b"y"]) == 1
    assert seeds("values") == [b"y"]


def test_a_reader_gives_bytes_and_then_the_rest() -> None:
    reader = Reader(b"\1\2rest")
    assert (reader.byte(), reader.byte(), reader.rest()) == (1, 2, b"rest")
    assert (Reader(b"").byte(), Reader(b"").rest()) == (0, b"")


@pytest.mark.parametrize("seed", [0, 1, 2, 255])
def test_pieces_are_the_whole(seed: int) -> None:
    data = bytes(range(200))
    found = pieces(data, seed)
    assert b"".join(found) == data
    assert len(found) == 1 if seed == 0 else 7 <= len(found) <= 200


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_are_those_of_a_client(size: int) -> None:
    encoded = masked(0x82, bytes(size), b"\1\2\3\4")
    unmasked = (b"\1\2\3\4" * size)[:size]
    assert decode_frames(encoded, size) == ([(0x82, unmasked)], len(encoded))
