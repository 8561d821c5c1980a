"""An application with limits of all kinds, for tests of what becomes of real clients that exceed them.

Arguments: the port, and the settings of `SocketIOServer` in JSON (the outbox policy "coalesce" stands for `Coalesce`).
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json
import sys
from typing import Any

import gevent
import web

from webpy_socketio import (
    Coalesce,
    SocketIOServer,
    Violation,
    emit,
    on_event,
    on_limit,
    on_message,
    rate_limit,
    socketio_urls,
)

BURST = 3
PADDING = 50_000
KEYS = 5
SLOW = 0.001
"""Events per second: nothing is gained while a test runs."""

told: list[dict[str, Any]] = []
handled: dict[str, int] = {}

for reaction in ("drop", "error", "disconnect"):
    rate_limit(SLOW, BURST, event="e", namespace=f"/{reaction}", reaction=reaction)  # type: ignore[arg-type]  # it is one of those
rate_limit(SLOW, BURST, per="address", namespace="/address", reaction="error")


def count(request: Any, socket: Any, context: Any, *arguments: Any) -> list[Any]:
    handled[socket.namespace] = handled.get(socket.namespace, 0) + 1
    return ["handled", *arguments]


for namespace in ("/drop", "/error", "/disconnect", "/address"):
    on_event("e", namespace=namespace)(count)
    on_event("other", namespace=namespace)(count)


@on_message
def echo(request: Any, socket: Any, context: Any, message: Any) -> Any:
    return message


@on_event("flood")
def flood(request: Any, socket: Any, context: Any, receiver: str, number: int) -> int:
    """Send so many numbered values to another client; tell how many of them were taken."""
    taken = 0
    for index in range(number):
        taken += emit("item", index % KEYS, index, "x" * PADDING, to=receiver)
        if index % 10 == 9:
            gevent.sleep(0)
    return taken


@on_limit
def note(violation: Violation) -> None:
    told.append(
        {
            "limit": violation.limit,
            "size": violation.size,
            "most": violation.most,
            "session": violation.session_id,
            "address": violation.request.get("REMOTE_ADDR"),
            "count": violation.count,
        }
    )


class state:
    def GET(self) -> str:
        return json.dumps({"told": told, "handled": handled})


def main() -> None:
    settings: dict[str, Any] = json.loads(sys.argv[2])
    if settings.get("outbox_policy") == "coalesce":
        settings["outbox_policy"] = Coalesce(lambda event, args: args[0] if event == "item" else None)
    application = web.application(("/state", "state", *socketio_urls), globals(), autoreload=False).wsgifunc()
    SocketIOServer(("127.0.0.1", int(sys.argv[1])), application, **settings).serve_forever()


if __name__ == "__main__":
    main()
