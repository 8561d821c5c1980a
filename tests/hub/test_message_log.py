"""The message log: formats, missing keys, escapes, and None."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hub.conftest import Log
from tests.support.dummy import DummyClient, connected
from webpy_socketio import on_event, on_message
from webpy_socketio.config import DEFAULT_MESSAGE_LOG_FORMAT
from webpy_socketio.hub import message_log as message_log_module
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.message_log import MessageLog

MakeHub = Callable[..., Hub]


def written(log: Log, log_format: str, message: object, **environ: object) -> str:
    MessageLog(log_format).write(environ, "message", ["message", message])
    return log.lines("messages")[-1]


class TestWhetherItIsOn:
    """What the loggers are told while the server runs counts from the next message on."""

    @pytest.fixture
    def messages(self) -> Iterator[logging.Logger]:
        logger = logging.getLogger("webpy_socketio.messages")
        level, disabled = logger.level, logger.disabled
        yield logger
        logger.setLevel(level)
        logger.disabled = disabled

    @staticmethod
    def lines_of_one(message_log: MessageLog, log: Log) -> int:
        before = len(log.lines("messages"))
        if message_log.is_on():
            message_log.write({}, "message", ["message", "x"])
        return len(log.lines("messages")) - before

    def test_it_follows_the_level(self, messages: logging.Logger, log: Log) -> None:
        message_log = MessageLog("%(MESSAGE)s")
        for level, lines in ((logging.WARNING, 0), (logging.INFO, 1), (logging.ERROR, 0), (logging.DEBUG, 1)):
            messages.setLevel(level)
            assert [self.lines_of_one(message_log, log) for _ in range(3)] == [lines] * 3

    def test_it_follows_the_level_of_a_logger_above_and_that_of_all(self, log: Log) -> None:
        message_log = MessageLog("%(MESSAGE)s")
        assert self.lines_of_one(message_log, log) == 1
        logging.disable(logging.CRITICAL)
        try:
            assert [self.lines_of_one(message_log, log) for _ in range(2)] == [0, 0]
        finally:
            logging.disable(logging.NOTSET)
        assert self.lines_of_one(message_log, log) == 1
        logging.getLogger("webpy_socketio").setLevel(logging.ERROR)  # the fixture `log` puts it back
        assert [self.lines_of_one(message_log, log) for _ in range(2)] == [0, 0]

    def test_a_logger_that_decides_by_itself_is_asked_each_time(
        self, monkeypatch: pytest.MonkeyPatch, log: Log
    ) -> None:
        class Moody(logging.Logger):
            mood = False

            def isEnabledFor(self, level: int) -> bool:
                return super().isEnabledFor(level) and self.mood

        moody = Moody("moody", logging.INFO)
        monkeypatch.setattr(message_log_module, "logger", moody)
        written: list[str] = []
        moody.handle = lambda record: written.append(record.getMessage())  # type: ignore[method-assign]  # no handler is needed
        message_log = MessageLog("%(MESSAGE)s")
        for mood in (False, True, False):
            moody.mood = mood
            assert message_log.is_on()
            message_log.write({}, "message", ["message", str(mood)])
        assert written == ["True"]

    def test_a_logger_that_is_disabled_writes_nothing(self, messages: logging.Logger, log: Log) -> None:
        message_log = MessageLog("%(MESSAGE)s")
        assert self.lines_of_one(message_log, log) == 1
        messages.disabled = True
        assert self.lines_of_one(message_log, log) == 0


class TestLines:
    def test_the_default_format_is_that_of_an_access_log(self, make_hub: MakeHub, log: Log) -> None:
        client = connected(make_hub(message_log_format=DEFAULT_MESSAGE_LOG_FORMAT))
        client.say('42["message","hello"]')
        [line] = log.lines("messages")
        assert re.fullmatch(
            r'192\.0\.2\.7 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "Socket\.IO message: hello"', line
        )

    def test_keys_are_those_of_the_environ_and_three_more(self, make_hub: MakeHub, log: Log) -> None:
        hub = make_hub(message_log_format="%(REMOTE_ADDR)s|%(HTTP_COOKIE)s|%(TYPE)s|%(MESSAGE)s|%(TIME)s")
        client = DummyClient(hub, {"REMOTE_ADDR": "192.0.2.1", "HTTP_COOKIE": "a=1"})
        client.join()
        client.say('42["message",5]')
        assert log.lines("messages")[0].startswith("192.0.2.1|a=1|message|5|")

    def test_there_is_one_line_per_message_in_and_out(self, make_hub: MakeHub, log: Log) -> None:
        hub = make_hub(message_log_format="%(TYPE)s: %(MESSAGE)s")

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            socket.send("back")
            socket.emit("event", 1)
            socket.broadcast("all")
            socket.send_and_broadcast("all and me")
            socket.broadcast_channel("some", "room")
            socket.send_and_broadcast_channel("some and me", "room")

        client = connected(hub)
        client.say('42["message","in"]', '42["move","a1"]')
        client.heard()
        assert log.lines("messages")[:8] == [
            "message: in",
            "send: back",
            "send: ['event', 1]",
            "broadcast: all",
            "broadcast: all and me",
            "broadcast_channel: some",
            "broadcast_channel: some and me",
            "move: ['move', 'a1']",
        ]

    def test_a_broadcast_is_one_line_however_many_receive_it(self, make_hub: MakeHub, log: Log) -> None:
        hub = make_hub(message_log_format="%(MESSAGE)s")
        clients = [connected(hub) for _ in range(5)]
        clients[0].socket().send_and_broadcast("x")
        assert log.lines("messages") == ["x"]

    def test_a_message_to_a_channel_shows_it(self, make_hub: MakeHub, log: Log) -> None:
        client = connected(make_hub(message_log_format="%(TYPE)s: %(MESSAGE)s"))
        client.say('42["__message__","room","hello"]')
        assert "__message__: ['__message__', 'room', 'hello']" in log.lines("messages")

    def test_calls_and_acks_are_no_messages(self, make_hub: MakeHub, log: Log) -> None:
        hub = make_hub(message_log_format="%(TYPE)s")

        @on_event("ask")
        def ask(request: Any, socket: Any, context: Any) -> str:
            return "answer"

        connected(hub).say('421["ask"]')
        assert log.lines("messages") == ["ask"]


class TestFormats:
    def test_what_is_missing_is_a_dash(self, log: Log) -> None:
        assert written(log, "%(REMOTE_ADDR)s %(HTTP_X)s %(MESSAGE)s", "m") == "- - m"

    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            ("one\ntwo", "one\\u000atwo"),
            ("\r\t\x00\x1b[31m", "\\u000d\\u0009\\u0000\\u001b[31m"),
            ("\x7f\x85\x9f", "\\u007f\\u0085\\u009f"),
            ("\u2028\u2029", "\\u2028\\u2029"),
            ("Grüße 👋 \xa0", "Grüße 👋 \xa0"),
            ("100 %", "100 %"),
            (b"\x00", "b'\\x00'"),
            (None, "None"),
            ([1, "a"], "[1, 'a']"),
            (("a", 2), "('a', 2)"),
        ],
    )
    def test_control_characters_are_escaped(self, log: Log, message: object, shown: str) -> None:
        assert written(log, "%(MESSAGE)s", message) == shown

    def test_those_of_a_header_are_escaped_too(self, log: Log) -> None:
        assert written(log, "%(HTTP_X)s", "m", HTTP_X="a\nb") == "a\\u000ab"

    @pytest.mark.parametrize("bad", ["%(MESSAGE", "%(MESSAGE)d", "%(X)d", "%q", "%", "%(A)s %s"])
    def test_a_format_that_does_not_fit_says_so_and_breaks_nothing(self, log: Log, bad: str) -> None:
        line = written(log, bad, "m")
        assert line.startswith("message_log_format") or "{" in line
        assert log.errors() == []

    def test_a_percent_sign_of_the_message_is_not_taken_for_a_format(self, log: Log) -> None:
        assert written(log, "%(MESSAGE)s", "%(HTTP_COOKIE)s %s %d") == "%(HTTP_COOKIE)s %s %d"


class TestSwitchingOff:
    def test_none_disables_it(self, make_hub: MakeHub, log: Log) -> None:
        hub = make_hub(message_log_format=None)
        assert not hub.message_log.is_on()
        client = connected(hub)
        client.say('42["message","x"]')
        client.socket().send_and_broadcast("y")
        assert log.lines("messages") == []

    def test_a_logger_that_is_not_interested_costs_nothing(self, log: Log, caplog: pytest.LogCaptureFixture) -> None:
        message_log = MessageLog("%(MESSAGE)s")
        assert message_log.is_on()
        with caplog.at_level(logging.WARNING, "webpy_socketio.messages"):
            message_log.write({}, "message", ["message", "x"])  # the first finds it out
            assert not message_log.is_on()
