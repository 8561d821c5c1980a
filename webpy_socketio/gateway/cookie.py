"""The cookie of a handshake, with which a balancer may keep a client at one server (RFC 6265 section 4.1)."""

from __future__ import annotations

from ..config import Config
from ..types import Environ

__all__ = ["set_cookie"]


def set_cookie(environ: Environ, config: Config, sid: str) -> tuple[tuple[str, str], ...]:
    """Give the header that sets the cookie, if one is wanted. Over TLS it is secure unless that is set otherwise."""
    attributes = config.cookie
    if not isinstance(attributes, dict):
        return ()
    parts = [f"{attributes['name']}={sid}"]
    for attribute, written in (("path", "Path"), ("domain", "Domain"), ("max_age", "Max-Age")):
        if attributes.get(attribute) is not None:
            parts.append(f"{written}={attributes[attribute]}")
    if attributes["http_only"]:
        parts.append("HttpOnly")
    secure = attributes.get("secure")
    if environ.get("wsgi.url_scheme") == "https" if secure is None else secure:
        parts.append("Secure")
    same_site = attributes["same_site"]
    if same_site:
        parts.append(f"SameSite={'Strict' if same_site is True else str(same_site).capitalize()}")
    return (("Set-Cookie", "; ".join(parts)),)
