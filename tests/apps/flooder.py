"""A client that sends without a pause. ``python flooder.py PORT SECONDS [CERTIFICATE]``; a process of its own, so that
it is as fast as it can be.
"""

import socket
import ssl
import sys
import time

REQUEST = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PONGS = b"\x81\x81\0\0\0\0003" * 50_000
"""Engine.IO pongs: the cheapest thing that a server has to look at."""

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
if len(sys.argv) > 3:
    connection = ssl.create_default_context(cafile=sys.argv[3]).wrap_socket(connection, server_hostname="localhost")
connection.sendall(REQUEST)
assert connection.recv(1_000).startswith(b"HTTP/1.1 101 ")
sent, end = 0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    connection.sendall(PONGS)
    sent += len(PONGS)
print(sent)
