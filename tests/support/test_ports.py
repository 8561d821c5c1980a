from __future__ import annotations

import socket

from tests.support.ports import HOST, accepts_connections, free_port


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    assert not accepts_connections(port)
    with socket.create_server((HOST, port)):
        assert accepts_connections(port)
    assert not accepts_connections(port)
