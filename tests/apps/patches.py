"""Apply gevent's patches with the given arguments left out (``none``: apply none), and print what the check says."""

import sys

from gevent import monkey

left_out = sys.argv[1:]
if left_out != ["none"]:
    monkey.patch_all(**dict.fromkeys(left_out, False))

from webpy_socketio.errors import UsageError
from webpy_socketio.gateway.startup import prepare

try:
    prepare()
except UsageError as error:
    print(error)
else:
    print("ready")
