"""The head of an HTTP/1.1 request (RFC 9112 sections 3 and 5), as nearly all clients write it.

It takes only what everybody reads alike: no folded lines, no bare line feeds, no repeated fields, no escapes in the
path, nothing but ASCII. Anything else gives None and is no error yet: the HTTP server's own parser, which knows the
rest and how to refuse it, looks at it then.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["MAX_FIELDS", "Fields", "RequestHead", "decode_head"]

#: Fields of a head; more are a mistake or an attack (CVE-2024-37890).
MAX_FIELDS: Final = 100
#: Bytes of the request line; gevent's pywsgi has about the same limit.
_MAX_LINE: Final = 8_000
_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) (/[!$&-.0-;=@-~/]*)(?:\?([!-~]*))? HTTP/1\.1\r\n")
#: No name has an underscore: in an environ it would be another one's; and none is long, as `_key` remembers them. Each
#: class excludes what follows it, so that this takes linear time.
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^`|~0-9A-Za-z-]{1,100}:[\t -~]*\r\n)*")
#: Names that are in a CGI environ without HTTP_ (RFC 3875 sections 4.1.2 and 4.1.3).
_BARE: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_MAX_LENGTH_DIGITS: Final = 9


class Fields:
    """The header fields of a request: as they came, and by their names in an environ."""

    __slots__ = ("block", "length", "values")

    def __init__(self, block: bytes, values: dict[str, str]) -> None:
        self.block = block
        self.values = values
        self.length = int(values.get("CONTENT_LENGTH", "0"))


class RequestHead:
    """A head of ``size`` bytes. ``environ`` has what a WSGI environ (PEP 3333) says of the request line and the
    fields.
    """

    __slots__ = ("environ", "fields", "size")

    def __init__(self, fields: Fields, environ: dict[str, str], size: int) -> None:
        self.fields = fields
        self.environ = environ
        self.size = size

    @property
    def length(self) -> int:
        """Give the length of the body behind the head."""
        return self.fields.length

    @property
    def keeps_alive(self) -> bool:
        """Tell whether the connection goes on after the answer, as it was (RFC 9112 section 9.3).

        Some proxies ask for an upgrade without saying to what.
        """
        return "HTTP_UPGRADE" not in self.environ and "close" not in self.environ.get("HTTP_CONNECTION", "").lower()


def decode_head(data: bytes, most: int, before: Fields | None = None) -> RequestHead | None:
    """Decode the head of at most ``most`` bytes with which ``data`` begins; None if it is not complete, or is not as
    plain as this module wants it. ``before`` has come earlier on the same connection: clients repeat their fields.
    """
    line = _REQUEST_LINE.match(data)
    end = data.find(b"\r\n\r\n") + 2
    if line is None or end < line.end() or end + 2 > most or line.end() > _MAX_LINE:
        return None
    block = data[line.end() : end]
    fields = before if before is not None and before.block == block else _decode_fields(block)
    if fields is None:
        return None
    method, path, query = line.groups(b"")
    environ = {
        **fields.values,
        "REQUEST_METHOD": method.decode(),
        "PATH_INFO": path.decode(),
        "QUERY_STRING": query.decode(),
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    return RequestHead(fields, environ, end + 2)


def _decode_fields(block: bytes) -> Fields | None:
    if _FIELDS.fullmatch(block) is None:
        return None
    lines = block.decode().split("\r\n")[:-1]
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[_key(name)] = value.strip(" \t")
    if len(fields) != len(lines) or len(lines) > MAX_FIELDS:
        return None  # one came twice, or there are too many
    # How long the body is must not be a matter of opinion (RFC 9112 section 6.3), nor does anybody here say "continue".
    length = fields.get("CONTENT_LENGTH", "0")
    if "HTTP_TRANSFER_ENCODING" in fields or "HTTP_EXPECT" in fields:
        return None
    return Fields(block, fields) if length.isdecimal() and len(length) <= _MAX_LENGTH_DIGITS else None


@lru_cache(maxsize=500)
def _key(name: str) -> str:
    """Give a field's name in an environ; the same string for all that have it."""
    return _BARE.get(name.lower()) or f"HTTP_{name.replace('-', '_').upper()}"
