"""The page of the README: its head made by Mako from the sample, its script a file of its own.

The environment variable ``README_PAGE`` names the directory that holds both: ``page.html`` and ``chat.js``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import web
from web.contrib.template import render_mako

DIRECTORY = Path(os.environ["README_PAGE"])
render = render_mako(directories=[str(DIRECTORY)])


class Page:
    def GET(self) -> Any:
        web.header("Content-Type", "text/html; charset=utf-8")
        web.header("Content-Security-Policy", "default-src 'self'")
        return render.page()


class Script:
    def GET(self) -> str:
        web.header("Content-Type", "text/javascript; charset=utf-8")
        return (DIRECTORY / "chat.js").read_text()


class Icon:
    def GET(self) -> str:
        raise web.HTTPError("204 No Content")


page_urls = ("/page", Page, "/static/chat.js", Script, "/favicon.ico", Icon)
