"""Transcripts: bytes of a peer in, outcomes of a machine out, both in a form that a test can write down.

Frames are built here by the letter of RFC 6455 section 5.2, not with the package's own encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import isdatadescriptor
from itertools import cycle
from operator import xor
from typing import Any

from hypothesis import settings

# A slow machine is no failure; the time limit of the test runner stays in force.
settings.register_profile("transcripts", deadline=None)
settings.load_profile("transcripts")

#: Ways to cut a stream into reads.
Cut = Callable[[bytes], list[bytes]]


def whole(data: bytes) -> list[bytes]:
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


CUTS: list[Cut] = [whole, byte_by_byte]


def cut_at(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut a stream at arbitrary places; those outside are ignored."""
    inside = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *inside], [*inside, len(data)], strict=True)]


def client_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    length_bytes: int | None = None,
) -> bytes:
    """Build a frame as a client sends it: ``mask=None`` leaves it unmasked, ``length_bytes`` forces 0, 2 or 8 more."""
    size = len(payload)
    if length_bytes is None:
        length_bytes = 0 if size <= 125 else 2 if size <= 0xFFFF else 8
    length = {0: size, 2: 126, 8: 127}[length_bytes]
    head = bytes(((0x80 if final else 0) | reserved << 4 | opcode, (0x80 if mask is not None else 0) | length))
    head += size.to_bytes(length_bytes, "big") if length_bytes else b""
    if mask is None:
        return head + payload
    return head + mask + bytes(map(xor, payload, cycle(mask)))


def close_payload(code: int, reason: bytes = b"") -> bytes:
    return code.to_bytes(2, "big") + reason


def told(outcome: Any) -> Any:
    """Write an outcome down: plain values as they are, others as (name of the class, its attributes in order). Of an
    end, the limit that struck only if one did.
    """
    if outcome is None or isinstance(outcome, (str, bytes)):
        return outcome
    # Slots, or what a compiled class has in their place.
    slots = [name for name, value in vars(type(outcome)).items() if isdatadescriptor(value) and name[0] != "_"]
    names = sorted(slots or getattr(outcome, "__dict__", ()))
    if "excess" in names and outcome.excess is None:
        names.remove("excess")
    return (type(outcome).__name__, *(getattr(outcome, name) for name in names))
