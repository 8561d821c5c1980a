"""Connect again and again: ``python reconnector.py PORT RATE SECONDS``. Prints one line of JSON.

Each connection upgrades to a WebSocket, joins the namespace ``/``, and goes: with a close frame, the end of the stream,
or a reset.
"""

import base64
import json
import os
import socket
import struct
import sys
import time

AT_ONCE = 20
PATIENCE = 10.0
JOINED = b'40{"sid":'

port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
request = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
).encode() + b"\x81\x82\0\0\0\x0040"


def connect():
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    sock.sendall(request)
    return sock


def finish(sock, number):
    heard = b""
    while JOINED not in heard:
        data = sock.recv(4_096)
        if not data:
            raise EOFError(heard)
        heard += data
    if number % 3 == 0:
        sock.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
    if number % 3 < 2:  # no waiting for the peer's end, which would leave thousands of ports behind
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


began = time.monotonic()
done = failed = 0
slowest = 0.0
while time.monotonic() < began + seconds:
    time.sleep(max(0.0, began + done / rate - time.monotonic()))
    started = time.monotonic()
    socks = [connect() for _ in range(AT_ONCE)]
    for number, sock in enumerate(socks):
        try:
            finish(sock, number)
        except (OSError, EOFError):
            failed += 1
    done += AT_ONCE
    slowest = max(slowest, time.monotonic() - started)
spent = time.monotonic() - began
print(json.dumps({"connects": done, "failed": failed, "rate": done / spent, "slowest": slowest, "at once": AT_ONCE}))
