"""Values: JSON text decoded, compared with the standard library's decoder, encoded and decoded again."""

from __future__ import annotations

import json
import math
from typing import Any

from webpy_socketio.errors import ProtocolError
from webpy_socketio.wire.values import decode_value, encode_value

MAX_LENGTH = 16_000

SEEDS = [
    b'{"a":[1,-2,3.5e10,true,false,null,"text"],"b":{}}',
    b'"\\ud83d\\ude00 \\ud83d \\\\ud83d \\u0000 \\/ gr\xc3\xbc"',
    b"18446744073709551615",
    b"[18446744073709551616,-9223372036854775809,1e400]",
    b"NaN",
    b'{"a":1,"a":2}',
    b"[[[[[[[[]]]]]]]]",
    b'"\xed\xa0\x80"',
    b" [ 1 , 2 ] ",
    b"-0",
    b"1e-400",
]

WORDS = [
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b'"',
        b"\\u",
        b"\\ud83d",
        b"\\ude00",
        b"\\\\",
        b"\\n",
        b"true",
        b"false",
        b"null",
    ),
    *(
        b"-",
        b"1e5",
        b".5",
        b"18446744073709551615",
        b"9223372036854775808",
        b"1e308",
        b"1e-324",
        b"NaN",
        b"\xef\xbb\xbf",
    ),
]


class _TooLarge(ValueError):
    pass


def run(data: bytes) -> None:
    """Decode text in both of its forms; what we take, the standard library takes, and the other way round."""
    _compare(data)
    try:
        _compare(data.decode(errors="surrogatepass"))
    except UnicodeDecodeError:
        _compare(data.decode("latin-1"))


def _compare(text: str | bytes) -> None:
    try:
        value = decode_value(text)
    except ProtocolError:
        assert not _is_plain_json(text), text
        return
    expected = _standard(text)
    assert _same(value, expected), (value, expected)
    try:
        encoded = encode_value(value)
    except (TypeError, ValueError) as error:
        assert "nested" in str(error) or "ecursion" in str(error)
        return
    assert _same(decode_value(encoded), value)


def _standard(text: str | bytes) -> Any:
    """Decode as the standard library does, with our rules for large integers and lone surrogates."""
    return json.loads(text if isinstance(text, str) else text.decode(), parse_int=_integer, parse_constant=_constant)


def _integer(digits: str) -> int | float:
    number = float(digits)
    if abs(number) < 1e20 and -(1 << 63) <= int(digits) < 1 << 64:
        return int(digits)
    if math.isinf(number):
        raise _TooLarge(digits)
    return number


def _constant(name: str) -> float:
    raise _TooLarge(name)


def _is_plain_json(text: str | bytes) -> bool:
    """Tell whether the standard library takes it, with numbers that a float can hold, and not too deep."""
    try:
        value = _standard(text)
    except (ValueError, RecursionError):
        return False
    return not _holds_infinity(value)


def _holds_infinity(value: Any) -> bool:
    pending, levels = [value], 0
    while pending and levels < 1_000:
        levels += 1
        if any(isinstance(item, float) and math.isinf(item) for item in pending):
            return True
        pending = [
            item
            for container in pending
            if isinstance(container, (list, dict))
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    return bool(pending)  # too deep for us


def _same(value: Any, expected: Any) -> bool:
    """Compare, with U+FFFD in place of lone surrogates in what is expected."""
    if isinstance(expected, str):
        return isinstance(value, str) and value == _clean(expected)
    if isinstance(expected, list):
        return isinstance(value, list) and len(value) == len(expected) and all(map(_same, value, expected))
    if isinstance(expected, dict):
        cleaned = {_clean(key): item for key, item in expected.items()}
        return (
            isinstance(value, dict)
            and value.keys() == cleaned.keys()
            and all(_same(value[key], cleaned[key]) for key in cleaned)
        )
    return type(value) is type(expected) and value == expected


def _clean(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
