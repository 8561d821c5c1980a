"""The include of a page: two script elements, as a function for any template language and as a Mako template.

It knows HTML and where the endpoint's scripts are addressed; what they do stands in ``static/webpy_socketio.js``, and
who serves them in `gateway.static`. Everything is an external file with its options in ``data-`` attributes, so that a
page may send ``Content-Security-Policy: default-src 'self'``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import web
from mako.exceptions import TopLevelLookupException
from mako.lookup import TemplateLookup

from . import config
from .errors import UsageError
from .gateway.static import CLIENT, EXTENSION

__all__ = ["Html", "add_templates", "socketio_scripts", "template_dir"]

_TEMPLATE = "socketio_scripts.html"
_Render = TypeVar("_Render")


class Html(str):
    """Text that is HTML already: Jinja, Mako's ``h`` and all else that honours ``__html__`` leave it as it is.

    Templetor knows no such mark: write ``$:socketio_scripts()`` there.
    """

    __slots__ = ()

    def __html__(self) -> Html:
        return self

    def __str__(self) -> Html:  # str() would give a plain str, and a filter after it would escape that
        return self


def socketio_scripts(
    *,
    resource: str | None = None,
    prefix: str | None = None,
    client: str | None = None,
    transports: Iterable[str] | None = None,
    nonce: str | None = None,
) -> Html:
    """Return the script elements that load the Socket.IO client and this package's extension of it.

    ``resource`` is the first part of the endpoint's path (default: the server's own). ``prefix`` is the path under
    which the whole application is mounted (default: SCRIPT_NAME of the request being answered, else none). ``client``
    is the address of another bundle of the client. ``transports`` are the carriers that the page may use, of
    ``polling`` and ``websocket`` (default: those that the server offers). ``nonce`` is that of the page's
    Content-Security-Policy. Raises ``UsageError`` for a transport that does not exist.
    """
    settings = config.current()
    mounted = _script_name() if prefix is None else prefix
    first = (settings.resource if resource is None else resource).strip("/")
    path = quote(f"/{mounted.strip('/')}/{first}/".replace("//", "/"), safe="/%:@")
    offered = _checked(settings.transports if transports is None else transports)
    data = {"data-path": path}
    if offered != config.TRANSPORTS:
        data["data-transports"] = ",".join(offered)
    return Html(_script(client or path + CLIENT, nonce, {}) + "\n" + _script(path + EXTENSION, nonce, data))


def _script(source: str, nonce: str | None, data: dict[str, str]) -> str:
    attributes = {"src": source, **({"nonce": nonce} if nonce else {}), **data}
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<script {written}></script>"


def _checked(transports: Iterable[str]) -> tuple[str, ...]:
    chosen = tuple(transports)
    if not chosen or set(chosen) - set(config.TRANSPORTS):
        raise UsageError(f"transports must be some of {config.TRANSPORTS}, not {chosen!r}.")
    return chosen


def _script_name() -> str:
    """Give the path under which the current request's application is mounted; nothing outside a request."""
    environ: dict[str, str] = getattr(web.ctx, "env", {})
    # A WSGI string holds bytes (PEP 3333). REAL_SCRIPT_NAME is what web.py itself prefers, for lighttpd.
    name = environ.get("REAL_SCRIPT_NAME", environ.get("SCRIPT_NAME", ""))
    return quote(name.encode("latin-1"))


def template_dir() -> str:
    """Return the directory that holds ``socketio_scripts.html``, for template engines that want to be told."""
    package = Path(__file__).resolve().parent
    # Installed, the templates are a part of the package; in a checkout they stand beside it.
    candidates = [package / "templates", package.parent / "templates"]
    return str(next(path for path in candidates if (path / _TEMPLATE).is_file()))


def add_templates(render: _Render) -> _Render:
    """Let a Mako lookup find ``socketio_scripts.html``, and return it.

    ``render`` is a ``web.contrib.template.render_mako`` or a ``mako.lookup.TemplateLookup``. This is needed only where
    something replaced Mako's own ``get_template``: importing this package teaches that one (see ``find_include``).
    Raises ``UsageError`` for anything else.
    """
    lookup = getattr(render, "_lookup", render)
    if not isinstance(lookup, TemplateLookup):
        raise UsageError(
            "add_templates() takes web.contrib.template.render_mako or mako.lookup.TemplateLookup, "
            f"not {type(render)!r}; in other template languages, hand the function socketio_scripts to the template: "
            "{{ socketio_scripts() }} in Jinja, $:socketio_scripts() in Templetor."
        )
    directory = template_dir()
    if directory not in lookup.directories:
        lookup.directories.append(directory)
    return render


def find_include(get_template: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Wrap ``TemplateLookup.get_template``: what it cannot find is ours, if and only if its name is ours.

    So ``<%include file="socketio_scripts.html"/>`` works from every directory of the user's templates without a set-up,
    and a template of that name among them still wins. Lookups are Any: Mako publishes no types.
    """

    @wraps(get_template)
    def find(self: Any, uri: str) -> Any:
        try:
            return get_template(self, uri)
        except TopLevelLookupException:
            if posixpath.basename(uri) != _TEMPLATE:
                raise
            return get_template(add_templates(self), "/" + _TEMPLATE)

    return find


TemplateLookup.get_template = find_include(TemplateLookup.get_template)
