"""Mailboxes, and the desks at which workers empty them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Desk", "Mailbox", "Task"]

#: A function and its arguments.
Task = tuple[Any, ...]


class Mailbox:
    """Tasks that run one at a time, in order."""

    __slots__ = ("is_scheduled", "tasks")

    def __init__(self) -> None:
        #: Most mailboxes are empty most of the time: those have none.
        self.tasks: deque[Task] | None = None
        self.is_scheduled = False

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing runs and nothing waits."""
        return not self.is_scheduled and not self.tasks


class Desk:
    """What one worker works at, and what tells whether a task has left something in its greenlet.

    Beside the greenlet, as it is looked at after each task: an attribute of a greenlet takes ten times as long.
    """

    __slots__ = ("attributes", "has_links", "holders", "locals", "mailbox", "tree", "usual")

    def __init__(self) -> None:
        self.mailbox: Mailbox | None = None
        #: References to the worker while it is idle and nobody holds on to it.
        self.holders = 0
        #: The greenlet-locals of the running task, which want to hear when it ends.
        self.locals: list[Callable[[Any], object]] = []
        #: What the task shares with the greenlets that it spawns.
        self.tree: dict[str, Any] = {}  # Any: the application's
        #: Whether somebody else wants to hear of the worker's end.
        self.has_links = False
        #: The attributes of the greenlet, while it runs, and how many of them are the worker's own.
        self.attributes: dict[str, Any] = {}
        self.usual = 0

    def is_clean(self) -> bool:
        """Tell whether no task left anything in the worker's greenlet, references to it aside."""
        if self.locals or self.tree or self.has_links:
            return False
        return len(self.attributes) == self.usual
