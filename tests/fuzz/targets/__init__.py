"""One module per decoder: ``run(data)`` feeds it, ``SEEDS`` are inputs to begin with.

``run`` raises for every finding: a decoder gives a value or a `ProtocolError`, nothing else, and what it gave is the
same when it is encoded and decoded again. No module here needs the fuzzer, so that ordinary tests can replay inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

__all__ = ["NAMES", "Target", "load"]

NAMES = (
    *("websocket", "handshake", "engine_4", "engine_3", "socket_packets", "values", "sessions"),
    *("request_head", "fields", "http"),
)


class Target(Protocol):
    """A module of this package."""

    SEEDS: Sequence[bytes]
    #: What the fuzzer may put anywhere.
    WORDS: Sequence[bytes]
    run: Callable[[bytes], None]
    #: Bytes of an input at most.
    MAX_LENGTH: int


def load(name: str) -> Target:
    """Import a target's module."""
    module: Target = import_module(f"tests.fuzz.targets.{name}")  # type: ignore[assignment]  # a module fits a protocol
    return module
