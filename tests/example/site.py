"""The chat's site in this process, without its live half: importing ``chat.events`` would bind the chat's handlers to
the sockets of every other test. Requests go through ``app.request()``, as a browser with one cookie jar sends them.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import web

_debug, _parameters = web.config.debug, dict(web.config.session_parameters)
web.config.debug = False  # as the chat's main file does, before any web.application is made

from chat import pages, rendering, security, static_files

app = web.application((r"/static/(.*)", static_files.StaticFile, "/broken", "Broken", "", pages.app), globals())
app.add_processor(web.loadhook(security.send_headers))
app.notfound, app.internalerror = rendering.not_found, rendering.internal_error

# What the chat set for its whole process is not for the other tests in this one.
web.config.debug = _debug
web.config.session_parameters.update(_parameters)


class Broken:
    def GET(self) -> str:
        raise ZeroDivisionError("a secret of the server")


class Visitor:
    """Somebody at a browser: keeps cookies, and sends the token of the page that was seen last."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies: dict[str, str] = {}
        self.token = ""

    def request(self, path: str, method: str = "GET", data: Any = None, **environ: str) -> Any:
        environ = {"REMOTE_ADDR": self.address, "wsgi.url_scheme": "http", **environ}
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = app.request(path, method, data, host="chat.example", env=environ)
        for name, value in answer.header_items:
            if name == "Set-Cookie":
                self.cookies.update([value.split(";")[0].split("=", 1)])
        answer.text = answer.data.decode()
        token = re.search(r'name="token" value="([^"]*)"', answer.text)
        self.token = unescape(token[1]) if token else self.token
        return answer

    def get(self, path: str, **environ: str) -> Any:
        return self.request(path, **environ)

    def post(self, path: str, **fields: str) -> Any:
        """Send a form with the token that the page had."""
        return self.request(path, "POST", {"token": self.token, **fields})
