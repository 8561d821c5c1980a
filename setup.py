"""Say what TOML cannot: the top-level templates/ is installed as the package's own sub-directory, and the modules that
every message, and every client that comes, goes through can be compiled.

``WEBPY_SOCKETIO_COMPILE=1`` in the environment compiles them with mypyc, which the build needs then (``pip install
mypy``; a C compiler too): same sources, same behaviour, see "Compiling" in docs/design.rst. Without it nothing is
compiled and the package works everywhere. A class with a compiled base is interpreted only where `native.mypyc_attr`
allows that.
"""

import os

from setuptools import find_packages, setup

TEMPLATES = "webpy_socketio.templates"
HOT = {
    ".": "handler registry",
    "wire": "attachments engine_packets frames handshake request_head socket_packets values",
    "state": "engine_session engine_session_3 packet_stream peer peer_4 token_bucket websocket",
    "transport": "arrivals busy_poll link outbox outboxes outgoing_3 polling polling_3 timers turn websocket",
    "hub": "client core dispatch doorbell engine_client fanout handlers held home hub lifecycle mailbox message_log "
    "rates request socket_core subscriptions worker_pool",
    "gateway": "admission answers direct handoff line origins post primed upgrade",
}


def compiled_modules() -> list:
    """Have mypyc make C of the hot modules, if the environment asks for it."""
    if os.environ.get("WEBPY_SOCKETIO_COMPILE", "0") in ("", "0"):
        return []
    from mypyc.build import mypycify

    modules = [f"webpy_socketio/{layer}/{name}.py" for layer, names in HOT.items() for name in names.split()]
    return mypycify(modules, opt_level="3", debug_level="0")


setup(
    packages=[*find_packages(include=["webpy_socketio", "webpy_socketio.*"]), TEMPLATES],
    package_dir={"webpy_socketio": "webpy_socketio", TEMPLATES: "templates"},
    package_data={
        # static/vendor is filled by `make client` and ignored by git; a wheel built after it carries the client.
        "webpy_socketio": ["py.typed", "static/*", "static/vendor/*"],
        TEMPLATES: ["*.html", "**/*.html"],
    },
    ext_modules=compiled_modules(),
    include_package_data=False,
    zip_safe=False,
)
