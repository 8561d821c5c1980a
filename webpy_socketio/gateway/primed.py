"""A request whose head was read in the loop: nobody parses it again, and it is answered as any other.

It knows what pywsgi's handler keeps of a request, and how the environ of one without a body looks (PEP 3333).
"""

from __future__ import annotations

import time
from typing import Any

from ..config import Config
from ..wire.request_head import RequestHead
from .endpoint import PATH
from .forwarding import believe_proxies
from .handoff import KEY, Connection
from .lazy_socket import NoBody

__all__ = ["complete_environ", "is_fit", "make_environ", "prime"]


def is_fit(head: RequestHead, endpoint: str) -> bool:
    """Tell whether a request can be answered without pywsgi's parser.

    Upgrades elsewhere than at the ``endpoint`` may be some other package's, which reads frames from pywsgi's reader.
    """
    environ = head.environ
    if environ["REQUEST_METHOD"] != "GET" or head.length or "CONTENT_LENGTH" in environ:
        return False
    return "HTTP_UPGRADE" not in environ or environ["PATH_INFO"] == endpoint


def prime(handler: Any, head: RequestHead) -> None:  # Any: pywsgi's handler is untyped
    """Give a handler what pywsgi would read from the request."""
    environ = head.environ
    query = environ["QUERY_STRING"]
    handler.command, handler.request_version = environ["REQUEST_METHOD"], environ["SERVER_PROTOCOL"]
    handler.path = f"{environ['PATH_INFO']}?{query}" if query else environ["PATH_INFO"]
    handler.requestline = f"{handler.command} {handler.path} {handler.request_version}"
    handler.content_length = None
    handler.close_connection = environ.get("HTTP_CONNECTION", "").lower() == "close"
    handler.time_start, handler.time_finish = time.time(), 0
    handler.response_length = 0
    handler.wsgi_input = handler.rfile


def make_environ(server: Any, address: Any, head: RequestHead, body: NoBody) -> dict[str, Any]:
    # Any: pywsgi's server and a peer's name are untyped, and values of an environ are of any type
    """Make the environ as pywsgi does, of a request from ``address``."""
    environ: dict[str, Any] = server.get_environ()
    environ.update(head.environ)
    environ["SCRIPT_NAME"] = ""
    if isinstance(address, tuple):
        environ["REMOTE_ADDR"] = str(address[0])
        environ["REMOTE_PORT"] = str(address[1])
    environ["wsgi.input"] = body
    environ["wsgi.input_terminated"] = "HTTP_UPGRADE" not in head.environ
    return environ


def complete_environ(environ: dict[str, Any], config: Config, connection: Connection) -> None:  # Any: as above
    """Put the ``connection`` into an environ, and the endpoint's path as the application knows it."""
    if config.trusted_proxies:
        believe_proxies(environ, config)
    environ[KEY] = connection
    resource = f"/{config.resource}"
    path = environ["PATH_INFO"]
    if resource != PATH and (path == resource or path.startswith(f"{resource}/")):
        environ["PATH_INFO"] = PATH + path[len(resource) :]
