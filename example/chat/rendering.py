"""Templates into answers: ordinary pages, and the pages about something that went wrong."""

from typing import Any

import web
from web.contrib.template import render_mako

import webpy_socketio
from chat import settings

HTML = "text/html; charset=utf-8"

render = render_mako(
    directories=[str(settings.EXAMPLE / "templates")],
    default_filters=["h"],  # Mako does not escape unless it is told to
    input_encoding="utf-8",
    strict_undefined=True,
)
webpy_socketio.add_templates(render)  # where <%include file="socketio_scripts.html"/> is found


def page(name: str, **values: Any) -> str:
    """Return the template `name` as a page of the answer under way."""
    html = str(getattr(render, name)(settings=settings, **values))
    # After rendering: where that fails, the page about it brings its own headers.
    web.header("Content-Type", HTML)
    web.header("Cache-Control", "private, no-cache")
    return html


def problem(status: str, headline: str, explanation: str, **headers: str) -> Exception:
    """Return what to raise to answer with `status` and a page that explains it."""
    html = str(render.error(settings=settings, headline=headline, explanation=explanation))
    answer: Exception = web.HTTPError(status, {"Content-Type": HTML, **headers}, html)
    return answer


def not_found() -> Exception:
    """Return the answer where there is no such page, or no such room."""
    return problem("404 Not Found", "Nothing here", "There is no page at this address. Perhaps there was a room once.")


def internal_error() -> Exception:
    """Return the answer after an exception, whose traceback web.py has printed."""
    return problem("500 Internal Server Error", "Something broke", "The server could not answer. Please try again.")
