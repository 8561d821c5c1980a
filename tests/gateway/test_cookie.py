"""The cookie of a handshake, by what was set of it."""

from __future__ import annotations

from typing import Any

import pytest

from webpy_socketio.config import Config
from webpy_socketio.gateway.cookie import set_cookie


def header(cookie: Any, scheme: str = "http") -> str | None:
    headers = dict(set_cookie({"wsgi.url_scheme": scheme}, Config(cookie=cookie), "SID"))
    return headers.get("Set-Cookie")


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        (None, None),
        (False, None),
        (True, "io=SID; Path=/; HttpOnly; SameSite=Lax"),
        ("lb", "lb=SID; Path=/; HttpOnly; SameSite=Lax"),
        ({}, "io=SID; Path=/; HttpOnly; SameSite=Lax"),
        (
            {"name": "lb", "path": "/x", "domain": "a.example"},
            "lb=SID; Path=/x; Domain=a.example; HttpOnly; SameSite=Lax",
        ),
        ({"path": None, "http_only": False, "same_site": None}, "io=SID"),
        ({"httpOnly": False, "sameSite": "none", "maxAge": 60}, "io=SID; Path=/; Max-Age=60; SameSite=None"),
        ({"same_site": True, "secure": True}, "io=SID; Path=/; HttpOnly; Secure; SameSite=Strict"),
        ({"same_site": False}, "io=SID; Path=/; HttpOnly"),
    ],
)
def test_its_attributes_are_those_of_engine_io(cookie: Any, expected: str | None) -> None:
    assert header(cookie) == expected


def test_over_tls_it_is_secure_unless_told_otherwise() -> None:
    assert header(True, "https") == "io=SID; Path=/; HttpOnly; Secure; SameSite=Lax"
    assert header({"secure": False}, "https") == "io=SID; Path=/; HttpOnly; SameSite=Lax"
