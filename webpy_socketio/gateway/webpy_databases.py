"""What an event handler leaves open in web.py's databases.

``web.database`` keeps one connection per greenlet. With the greenlet its place is gone, but not always the connection:
sqlite's refers to itself and waits for the garbage collector, together with a transaction that nobody has ended, whose
locks stop everybody else. So it is ended here.
"""

from __future__ import annotations

import logging

import web.utils

__all__ = ["close_databases"]

logger = logging.getLogger("webpy_socketio.hub")


def close_databases() -> None:
    """Roll back what is not committed, and close the connections that the calling greenlet holds.

    A pooled connection goes back to its pool.
    """
    for instance in list(web.utils.ThreadedDict._instances):
        values = instance.__dict__
        if "transactions" not in values:  # not that of a database
            continue
        connection = values.pop("db", None)
        if connection is None:
            continue
        try:
            connection.rollback()
            connection.close()
        except Exception:
            logger.warning("A database connection could not be closed", exc_info=True)
