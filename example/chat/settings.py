"""What can be set from outside, and the numbers that the rest of the chat goes by."""

import os
import secrets
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent

#: Where the SQLite file lies (environment ``CHAT_DATABASE``).
DATABASE = Path(os.environ.get("CHAT_DATABASE") or EXAMPLE / "chat.sqlite3")

#: What opens ``/sysmsg`` (environment ``CHAT_SYSMSG_PASSWORD``); without it, a new one at every start.
SYSMSG_PASSWORD = os.environ.get("CHAT_SYSMSG_PASSWORD") or secrets.token_urlsafe(12)

NAME_LENGTH = 24
ROOM_LENGTH = 40
MESSAGE_LENGTH = 1000
MAXIMUM_ROOMS = 200
HISTORY = 50
#: Messages kept per room; older ones are deleted.
KEPT_MESSAGES = 1000

#: Seconds for which a name stays its owner's after the socket has gone. A page that said goodbye is closed or being
#: reloaded, which takes a moment; a connection that broke off may need several attempts to come back.
GOODBYE_GRACE = 3.0
LOST_GRACE = 12.0


def announce_password() -> None:
    """Print the password of ``/sysmsg`` if it was made up at this start; one that was set is not shown."""
    if not os.environ.get("CHAT_SYSMSG_PASSWORD"):
        print(f"The password of /sysmsg is {SYSMSG_PASSWORD} (set CHAT_SYSMSG_PASSWORD to choose it)", flush=True)
