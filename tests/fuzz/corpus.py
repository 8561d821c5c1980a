"""The inputs that the fuzzer has learned, one text file for each target in ``tests/fuzz/corpus``.

One input a line, in base64, so that they can be read, compared and merged like any other source.
"""

from __future__ import annotations

import base64
from pathlib import Path

__all__ = ["MAX_BYTES", "directory", "seeds", "store"]

MAX_BYTES = 60_000
"""Of a target's file; of what is larger, the longest inputs are dropped first."""

directory = Path(__file__).parent / "corpus"


def seeds(name: str) -> list[bytes]:
    """Give the inputs of a target."""
    path = directory / f"{name}.txt"
    return [base64.b64decode(line) for line in path.read_text().splitlines()] if path.exists() else []


def store(name: str, inputs: list[bytes]) -> int:
    """Write the inputs of a target, the shortest first; give the number of those that there was room for."""
    lines, size = [], 0
    for line in sorted({base64.b64encode(data).decode() for data in inputs}, key=lambda line: (len(line), line)):
        size += len(line) + 1
        if size > MAX_BYTES:
            break
        lines.append(line)
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    return len(lines)
