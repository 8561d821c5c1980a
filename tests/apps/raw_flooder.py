"""Send without a pause: ``python raw_flooder.py PORT FILE``, until the server has enough of it.

The file: what is sent once (4,096 bytes with filling), its length (4 bytes), what is sent again and again.
"""

import socket
import sys
import threading

with open(sys.argv[2], "rb") as file:
    data = file.read()
opening, piece = data[: int.from_bytes(data[4_096:4_100], "big")], data[4_100:]
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))


def read_answers():
    try:
        while sock.recv(1_048_576):
            pass
    except OSError:
        pass


threading.Thread(target=read_answers, daemon=True).start()
print("flooding")
try:
    sock.sendall(opening)
    while True:
        sock.sendall(piece)
except OSError:
    print("the server has closed")
threading.Event().wait()  # the test ends us
