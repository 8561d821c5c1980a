"""Application values: JSON by orjson, with what JavaScript and Python people expect around its edges.

Encoding takes any JSON value and `Decimal` (an exact JSON number), `datetime`, `UUID`, dataclasses, and bytes anywhere
inside, which become attachments. NaN and infinities become null, as in JavaScript's JSON.stringify. A lone surrogate
(a JavaScript string cut inside an emoji) becomes U+FFFD, both ways. orjson does the work; only what it refuses is
rewritten first, once, and given to it again.
"""

from __future__ import annotations

import dataclasses
import json
import re
from decimal import Decimal
from typing import Any, Final

import orjson

from ..errors import ProtocolError

__all__ = ["decode_value", "encode_value"]

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
#: An escape in JSON text: a surrogate pair, a lone surrogate, or anything else, with what simple ones follow it. The
#: alternatives exclude each other and the repetition is bounded: linear in time, no memory.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|.(?:\\[^u]){0,64})",
    re.DOTALL,
)
#: Integers that orjson writes itself: 64 bits, signed or unsigned.
_SMALLEST: Final = -(1 << 63)
_LARGEST: Final = (1 << 64) - 1
#: Containers in containers: more is a mistake or an attack, and would end in a RecursionError anyway.
_MAX_DEPTH: Final = 200
#: Dataclasses come to `_substitute`: some releases of orjson do not bound their own recursion into them, and a tree
#: whose nodes know their parents would end the process instead of raising.
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS


def encode_value(value: object, attachments: list[bytes] | None = None) -> bytes:
    """Encode a value as JSON text in UTF-8.

    Each bytes-like object inside is appended to ``attachments``, in the order of the text, and a placeholder stands in
    its place (socket.io-protocol, "Packet encoding"); with None it is an error. Raises ``TypeError`` or ``ValueError``
    for what cannot be encoded, naming it.
    """
    try:
        return orjson.dumps(value, None, _OPTIONS)
    except TypeError:
        return _encode_rest(value, attachments)


def _encode_rest(value: object, attachments: list[bytes] | None) -> bytes:
    def default(item: Any) -> object:
        return _substitute(item, attachments)

    before = len(attachments or ())
    try:
        return orjson.dumps(value, default, _OPTIONS)
    except TypeError:
        if attachments is not None:
            del attachments[before:]
    try:
        return orjson.dumps(_rewrite(value, 0), default, _OPTIONS)
    except TypeError as error:
        if isinstance(error.__cause__, TypeError):  # what `_substitute` said, wrapped by orjson
            raise error.__cause__ from None
        raise


def _substitute(item: Any, attachments: list[bytes] | None) -> object:
    if isinstance(item, (bytes, bytearray, memoryview)) and attachments is not None:
        attachments.append(bytes(item))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(item, Decimal):
        return orjson.Fragment(str(item)) if item.is_finite() else None
    if _is_dataclass(item):
        return _public_fields(item)
    if isinstance(item, tuple):  # a named one: orjson takes plain tuples only
        return list(item)
    kind = type(item).__name__
    if isinstance(item, (set, frozenset)):
        raise TypeError(f"A {kind} has no order and cannot be sent; make it a list first.")
    raise TypeError(
        f"{kind} cannot be sent: expected JSON values, Decimal, datetime, UUID, dataclasses or, in events, bytes."
    )


def _rewrite(value: Any, depth: int) -> Any:
    """Rewrite what orjson refuses: surrogates, integers above 64 bits, keys that are no strings."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"The value is nested deeper than {_MAX_DEPTH} levels, or contains itself.")
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        return orjson.Fragment(str(int(value)))
    if isinstance(value, dict):
        return {_rewrite_key(key): _rewrite(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rewrite(item, depth + 1) for item in value]
    return _rewrite(_public_fields(value), depth) if _is_dataclass(value) else value


def _is_dataclass(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _public_fields(value: Any) -> dict[str, Any]:
    """Give the fields of a dataclass; those whose name begins with an underscore are its own business."""
    names = [field.name for field in dataclasses.fields(value)]
    return {name: getattr(value, name) for name in names if not name.startswith("_")}


def _rewrite_key(key: object) -> str:
    """Write a key as JavaScript and the standard library do."""
    if isinstance(key, str):
        return _SURROGATE.sub("\ufffd", key)
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(key)
    raise TypeError(f"Keys of objects must be strings or numbers, not {type(key).__name__}.")


def decode_value(text: str | bytes) -> Any:  # Any: what the peer sent is user data
    """Decode JSON text; an integer above 64 bits becomes a float, as in JavaScript.

    Raises ``ProtocolError`` for what is not JSON (RFC 8259), NaN and Infinity included, for a number that no float can
    hold, and for more than some thousand levels.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return orjson.loads(_replace_surrogates(text))
    except ValueError as error:
        raise ProtocolError(f"not JSON: {error}") from error


def _replace_surrogates(text: str | bytes) -> str:
    """Put U+FFFD in place of each lone surrogate, which orjson refuses, and keep everything else as it stands."""
    if isinstance(text, bytes):
        text = text.decode()
    return _ESCAPE.sub(lambda match: "\\ufffd" if match["lone"] else match[0], _SURROGATE.sub("\ufffd", text))
