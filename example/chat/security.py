"""What keeps the pages safe: headers, form tokens, and the password of ``/sysmsg``."""

import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import parse_qs

import web

from chat import settings
from chat.ratelimit import Buckets
from chat.rendering import problem

#: Sent with every answer. Everything comes from this server; in a connect-src, 'self' covers its WebSocket too.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

#: The largest form that is read, in bytes: the longest message with each character escaped, and the other fields.
MAXIMUM_FORM = 64 * 1024
FORM_TYPE = "application/x-www-form-urlencoded"

_guesses = Buckets(burst=5, per_second=1 / 20)


def send_headers() -> None:
    """Add the headers of a careful site to the answer under way."""
    for name, value in HEADERS.items():
        web.header(name, value)


def form_token(session: Any) -> str:
    """Return the token that this session's forms carry, so that no other site can send them."""
    if "form_token" not in session:
        session.form_token = secrets.token_urlsafe(32)
    return str(session.form_token)


def read_form(session: Any) -> dict[str, str]:
    """Return the fields of the form that was sent; raise the answer that refuses it if it is none of ours."""
    # Checked before anything is read: web.py itself would take a body of any size.
    length = str(web.ctx.env.get("CONTENT_LENGTH") or "none")
    if not length.isdecimal() or int(length) > MAXIMUM_FORM:
        raise problem("413 Content Too Large", "Too large", "This is more than a form holds.", Connection="close")
    if not web.ctx.env.get("CONTENT_TYPE", FORM_TYPE).lower().startswith(FORM_TYPE):
        raise problem("415 Unsupported Media Type", "Not a form", "This page takes plain forms only.")
    try:
        fields = parse_qs(web.data().decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise problem("400 Bad Request", "Not a form", "This form cannot be read.") from None
    form = {name: values[-1] for name, values in fields.items()}
    if not _same(form.get("token", ""), form_token(session)):
        text = "The form was too old, or did not come from this site. Please go back, reload the page and try again."
        raise problem("403 Forbidden", "Form refused", text)
    return form


def is_password(guess: str) -> bool:
    """Tell whether `guess` opens ``/sysmsg``, in a time that tells nothing about it."""
    return _same(guess, settings.SYSMSG_PASSWORD)


def seconds_until_guess(address: str) -> float:
    """Count a guess from `address`; return 0.0 if it may be looked at, else the seconds until the next one may."""
    return _guesses.take(address)


def renew(session: Any) -> None:
    """Give the session a new id and a new token, so that what an intruder knew before a log-in is worth nothing."""
    del session.store[session.session_id]
    session.session_id = secrets.token_hex(20)
    session.form_token = secrets.token_urlsafe(32)


def _same(one: str, other: str) -> bool:
    # Digests are of one length, so that not even the length of the secret shows in the time.
    digests = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (one, other))
    return hmac.compare_digest(*digests)
