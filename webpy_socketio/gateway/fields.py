"""The header fields of a request on gevent's pywsgi, and what is refused there before any application sees it."""

from __future__ import annotations

import re
from typing import Any

from gevent import pywsgi as _typed_pywsgi

from ..wire.request_head import MAX_FIELDS

__all__ = ["HeadRefused", "read_fields"]

#: Its published types leave out its message class.
pywsgi: Any = _typed_pywsgi
#: RFC 9112 section 5, without folded lines and single carriage returns. The standard library's parser takes those for
#: further fields, and what has no colon for the end of the head: a proxy before us may read something else.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)\r?\n")


class HeadRefused(ValueError):
    """A request whose head came too slowly, is too large, or leaves open where its body ends."""

    def __init__(self, status: str, detail: str = "") -> None:
        super().__init__(detail)
        self.status = status


def read_fields(rfile: Any, size: int, most: int) -> Any:  # Any: a buffered reader, and pywsgi's message
    """Read the header fields behind a request line of ``size`` bytes, `MAX_FIELDS` and ``most`` bytes together at most.

    The standard library's parser would take each of these lines as it is, in four times the time.
    """
    fields, count = pywsgi.OldMessage(), 0
    while True:
        line = rfile.readline(most + 1)
        size += len(line)
        if size > most:
            raise HeadRefused("431 Request Header Fields Too Large", f"more than {most} bytes, max_head")
        if not line.endswith(b"\n"):  # what has come may mean something else than what was to come
            raise HeadRefused("400 Bad Request", "the head broke off")
        if line in (b"\r\n", b"\n"):
            break
        field = _FIELD.fullmatch(line)
        if field is None:
            raise HeadRefused("400 Bad Request", "a line of the head is no field")
        count += 1
        if count > MAX_FIELDS:
            raise HeadRefused("431 Request Header Fields Too Large", f"more than {MAX_FIELDS} fields")
        fields.set_raw(field[1].decode("ascii"), field[2].strip(b" \t").decode("latin-1"))
    _check_host(fields)
    _check_length(fields)
    return fields


def _check_host(fields: Any) -> None:
    """Refuse a request that was sent to several hosts: a proxy may take another one for it (RFC 9112 section 3.2)."""
    count = len(fields.get_all("Host", ()))
    if count > 1:
        raise HeadRefused("400 Bad Request", f"one header field Host was expected, not {count}")


def _check_length(fields: Any) -> None:
    """Refuse a body whose end is a matter of opinion: a proxy may have another one (RFC 9112 sections 6.1 and 6.3)."""
    lengths = {value.strip() for value in fields.get_all("Content-Length", ())}
    codings = fields.get_all("Transfer-Encoding", ())
    if any(coding.lower() != "chunked" for coding in codings):
        raise HeadRefused("501 Not Implemented", "a transfer coding other than chunked")
    if len(codings) + len(lengths) > 1 or not all(value.isascii() and value.isdigit() for value in lengths):
        raise HeadRefused("400 Bad Request", "Content-Length and Transfer-Encoding do not tell where the body ends")
