"""Long-polling by JSONP, as the clients 1.x to 3.x have it: answers are scripts that call ``___eio[j]``, and what they
send are forms.

Scripts are not bound to an origin, so that the page that asks is told by its Referer.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

import orjson

from ..errors import ProtocolError
from ..types import Environ
from .origins import own_origin

__all__ = ["CONTENT_TYPE", "asked_by", "encode_answer", "number_of", "post_limit", "read_form"]

#: Of an answer.
CONTENT_TYPE = "text/javascript; charset=UTF-8"
#: Bytes of a form for one of its data, at most: ``%XX``; and the name of the field.
_FORM_FACTOR, _FORM_NAME = 3, 2
#: A client of JSONP writes a line's end as \n, and what was \n before as \\n.
_WRITTEN_NEWLINE = re.compile(rb"(\\?)\\n")
#: JavaScript before 2019 takes these for the end of a line, JSON does not.
_LINE_ENDS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def number_of(query: dict[str, str]) -> str | None:
    """Give the number of the callback that a request names, which says that it is one of JSONP; None without."""
    wanted = query.get("j")
    return None if wanted is None else re.sub(r"[^0-9]", "", wanted)


def asked_by(environ: Environ) -> Environ:
    """Give the environ of a request of JSONP with the origin of the page that it comes from.

    Scripts are asked for without an Origin. A page may hide its Referer, too, and is of no known origin ("null") then,
    unless the browser vouches for it (Sec-Fetch-Site, which no page can write).
    """
    if environ.get("HTTP_SEC_FETCH_SITE") == "same-origin":
        return {**environ, "HTTP_ORIGIN": own_origin(environ)}
    if "HTTP_ORIGIN" in environ:
        return environ
    try:
        page = urlsplit(str(environ.get("HTTP_REFERER", "")))
    except ValueError:
        page = urlsplit("")
    origin = f"{page.scheme}://{page.netloc}" if page.scheme in ("http", "https") and page.netloc else "null"
    return {**environ, "HTTP_ORIGIN": origin}


def encode_answer(number: str, payload: bytes) -> bytes:
    """Make the script that hands a payload to the client."""
    text = orjson.dumps(payload.decode())
    for end, escape in _LINE_ENDS:
        text = text.replace(end, escape)
    return b"___eio[%b](%b);" % (number.encode(), text)


def post_limit(max_payload: int) -> int:
    """Give how many bytes a form may have whose payload has ``max_payload``."""
    return _FORM_FACTOR * max_payload + _FORM_NAME


def read_form(body: bytes) -> bytes:
    """Give the payload in a form. Raises ``ProtocolError`` for a form without one."""
    try:
        fields = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=2, encoding="latin-1"))
        payload = fields["d"].encode("latin-1")
    except (KeyError, ValueError):
        raise ProtocolError("a POST of JSONP must be a form with the field d") from None
    return _WRITTEN_NEWLINE.sub(lambda found: b"\\n" if found[1] else b"\n", payload)
