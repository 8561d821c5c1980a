"""A hub for each test: the default one, so that the out-of-band helpers reach its clients too."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from tests.support.waiting import wait_until
from webpy_socketio import config
from webpy_socketio.events import registry
from webpy_socketio.hub.hub import Hub, default_hub


class FaultySettings:
    """What a hub is given in place of its settings, so that our own code raises where it looks at them."""

    def __getattr__(self, name: str) -> object:
        raise ZeroDivisionError("a fault of ours")


class Log:
    """What the package has logged. Errors that a test does not ask for fail it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self._is_asked = False
        #: What gevent itself reports: exceptions that left a callback or a greenlet.
        self.in_loop: list[BaseException] = []

    def _records(self) -> list[logging.LogRecord]:
        return [record for record in self._caplog.records if record.name.startswith("webpy_socketio")]

    def errors(self) -> list[tuple[str, BaseException | None]]:
        """Give the errors: text, and the exception that was logged with it."""
        self._is_asked = True
        return [
            (record.getMessage(), record.exc_info[1] if record.exc_info else None)
            for record in self._records()
            if record.levelno >= logging.ERROR
        ]

    def causes(self) -> list[BaseException | None]:
        """Give the exceptions that were logged as errors."""
        return [cause for _, cause in self.errors()]

    def lines(self, logger: str) -> list[str]:
        """Give what one of our loggers wrote."""
        return [record.getMessage() for record in self._records() if record.name == f"webpy_socketio.{logger}"]

    def check(self) -> None:
        """Fail if anything was reported that the test did not look at."""
        was_asked = self._is_asked
        errors = self.errors()
        assert was_asked or errors == []
        assert self.in_loop == []


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """What was logged, at INFO and above."""
    caplog.set_level(logging.INFO, "webpy_socketio")
    log = Log(caplog)

    def report(context: Any, type_: Any, value: Any, traceback: Any) -> None:
        log.in_loop.append(value if isinstance(value, BaseException) else type_(value))

    monkeypatch.setattr(gevent.get_hub(), "print_exception", report)
    yield log
    log.check()


@pytest.fixture
def make_hub(log: Log) -> Iterator[Callable[..., Hub]]:
    """A function that opens the default hub with the settings given; to be called once per test."""
    before, handlers = config.current(), dict(registry._handlers)
    registry.clear()
    made: list[Hub] = []

    def make(**settings: object) -> Hub:
        config.install(config.Config.of({"message_log_format": None, **settings}))
        hub = default_hub()
        assert hub.config == config.current(), "another test has left its hub open"
        assert not hub.is_open
        hub.open()
        made.append(hub)
        return hub

    yield make
    for hub in made:
        hub.stop(0.05)
        # One that has ended is forgotten in the loop's next turn.
        wait_until(lambda hub=hub: not hub.workers.is_busy, timeout=2, what="the end of all handlers")
        assert (hub.clients, hub.farewells, hub.budget.used) == ({}, {}, 0)
        assert hub.namespaces == {}
    registry.clear()
    registry._handlers.update(handlers)
    config.install(before)


@pytest.fixture
def hub(make_hub: Callable[..., Hub]) -> Hub:
    """A hub with the default settings, but for the message log."""
    return make_hub()
