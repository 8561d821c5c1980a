from __future__ import annotations

from pathlib import Path

import pytest
import socketio

from tests.apps.raw_server import RawServer
from tests.support.python_client import end
from tests.support.waiting import wait_until

TIMEOUT = 10.0


@pytest.mark.parametrize("is_alive", [True, False], ids=["of a server", "of a server that is gone"])
def test_a_client_is_over(tmp_path: Path, is_alive: bool) -> None:
    client = socketio.Client(handle_sigint=False, reconnection_delay=0.01, reconnection_delay_max=0.01)
    with RawServer(tmp_path) as server:
        client.connect(f"http://127.0.0.1:{server.port}", transports=["websocket"], wait_timeout=TIMEOUT)
        if not is_alive:
            server.program.kill()
            wait_until(lambda: client._reconnect_task is not None, TIMEOUT, "the client's attempts to come back")
        end(client)
        assert not client.connected
        task = client._reconnect_task
        assert task is None if is_alive else not task.is_alive()
