"""A request whose head was read in the loop: pywsgi does not parse it again, and answers it as any other.

It knows what pywsgi's handler keeps of a request, and how the environ of one without a body looks (PEP 3333).
"""

from __future__ import annotations

import time
from typing import Any

from ..wire.request_head import RequestHead

__all__ = ["is_fit", "make_environ", "prime"]


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


def make_environ(handler: Any, head: RequestHead) -> dict[str, Any]:  # Any: as above, and values of an environ
    """Make the environ as pywsgi does."""
    environ: dict[str, Any] = handler.server.get_environ()
    environ.update(head.environ, SCRIPT_NAME="")
    if isinstance(handler.client_address, tuple):
        environ["REMOTE_ADDR"] = str(handler.client_address[0])
        environ["REMOTE_PORT"] = str(handler.client_address[1])
    environ["wsgi.input"] = handler.wsgi_input
    environ["wsgi.input_terminated"] = "HTTP_UPGRADE" not in head.environ
    return environ
