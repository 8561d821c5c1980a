"""What has to be true of the process before it serves: gevent's patches are in force and web.py's state is local.

Knows gevent's monkey patching and the second import of the main file by web.py's debug mode. Refuses to know servers:
`SocketIOServer` asks here, and acts.
"""

from __future__ import annotations

import os
import sys
from types import FrameType

from gevent import monkey

from ..errors import UsageError
from .webpy_locals import repair_web_locals

_NEEDED = (
    ("socket", "socket", "socket"),
    ("select", "select", "select"),
    ("ssl", "SSLContext", "ssl"),
    ("threading", "local", "thread"),
    ("time", "sleep", "time"),
)
"""Module, one object of it that gevent replaces, and the argument of ``patch_all`` that decides about it.

Only what one blocked call of would stop the whole process, and every web application calls; who leaves ``subprocess``
or ``signal`` out may have reasons."""

_REMEDY = """\
Make this the first line of the main file, before any other import:
    from gevent import monkey; monkey.patch_all()
or start the application with: python -m gevent.monkey app.py"""


def prepare() -> None:
    """Check that gevent has patched the standard library, and make web.py's state local to the greenlet.

    A server calls this when it starts; it may be called again.

    Raises:
        UsageError: gevent has not patched, or not all that a server needs.
    """
    check_patched()
    repair_web_locals()


def check_patched() -> None:
    """Make sure that a blocking call of the application blocks only the greenlet that makes it.

    Raises:
        UsageError: saying what was expected, what was found, and the line that mends it.
    """
    missing = [(module, argument) for module, item, argument in _NEEDED if not monkey.is_object_patched(module, item)]
    if not missing:
        return
    expected = ", ".join(module for module, _, _ in _NEEDED)
    if len(missing) == len(_NEEDED):
        raise UsageError(
            f"Serving needs gevent's patches of the standard library ({expected}), but none is in force: one request "
            f"that waits would stop all others.\n{_REMEDY}"
        )
    raise UsageError(
        f"Serving needs gevent's patches of the standard library ({expected}), but these are missing: "
        f"{', '.join(module for module, _ in missing)}.\nCall monkey.patch_all() first of all, with these arguments "
        f"left at True: {', '.join(argument for _, argument in missing)}."
    )


def is_main_imported_again() -> bool:
    """Tell whether the caller runs in a second import of the main file.

    web.py's debug mode, which is on by default, imports the file that was run as a script once more under its own name,
    inside ``web.application(...)``, and reloads that copy after each saved edit. A server that starts at module level
    would thus start inside the import, which then never ends: every request waits for it.
    """
    main_file = _file_of(vars(sys.modules["__main__"]))
    frame: FrameType | None = sys._getframe(1)
    while main_file and frame:
        is_module = frame.f_code.co_name == "<module>"
        if is_module and frame.f_globals.get("__name__") != "__main__" and _file_of(frame.f_globals) == main_file:
            return True
        frame = frame.f_back
    return False


def _file_of(namespace: dict[str, object]) -> str | None:
    file = namespace.get("__file__")
    return os.path.realpath(file) if isinstance(file, str) else None
