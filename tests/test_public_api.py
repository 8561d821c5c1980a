"""The names and signatures that users see."""

from __future__ import annotations

import builtins
import inspect
import logging
import subprocess
import sys
from typing import Any

import pytest
import web

import webpy_socketio
from webpy_socketio import errors, events
from webpy_socketio.hub.hub import default_hub
from webpy_socketio.hub.socket import Socket

STAR = {
    "socketio_urls",
    "socketio",
    "SocketIOServer",
    "on_connect",
    "on_message",
    "on_event",
    "on_subscribe",
    "on_unsubscribe",
    "on_error",
    "on_disconnect",
    "on_finish",
    "send",
    "broadcast",
    "broadcast_channel",
    "emit",
    "NoSocket",
    "EventError",
    "Refused",
}
ATTRIBUTES = {
    "Namespace",
    "call",
    "disconnect",
    "channels",
    "channel_members",
    "clients",
    "template_dir",
    "socketio_scripts",
    "add_templates",
}


def parameters(function: Any) -> list[str]:
    """Write a function's parameters down, without annotations, `self` or the names of private defaults."""
    return [
        str(parameter.replace(annotation=inspect.Parameter.empty))
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    ]


class TestImportStar:
    def test_it_gives_these_names_and_no_others(self) -> None:
        assert set(webpy_socketio.__all__) == STAR
        assert len(webpy_socketio.__all__) == len(STAR)
        scope: dict[str, Any] = {}
        exec("from webpy_socketio import *", scope)
        assert set(scope) - {"__builtins__"} == STAR

    def test_it_shadows_no_builtin(self) -> None:
        assert STAR.isdisjoint(dir(builtins))

    def test_every_name_says_what_it_is(self) -> None:
        without = [
            name
            for name in STAR | ATTRIBUTES
            if name != "socketio_urls" and not inspect.getdoc(getattr(webpy_socketio, name))
        ]
        assert without == []


class TestAttributes:
    @pytest.mark.parametrize("name", sorted(ATTRIBUTES))
    def test_everything_else_is_reached_as_an_attribute(self, name: str) -> None:
        assert callable(getattr(webpy_socketio, name))

    def test_the_events_are_exported_by_their_module_too(self) -> None:
        for name in STAR:
            if name.startswith("on_"):
                assert getattr(events, name) is getattr(webpy_socketio, name)
                assert name in events.__all__

    def test_it_has_a_version(self) -> None:
        assert webpy_socketio.__version__[0].isdigit()


class TestUrls:
    def test_they_are_a_tuple_to_be_added_to_another(self) -> None:
        urls: tuple[Any, ...] = ("/", "index")
        urls += webpy_socketio.socketio_urls
        assert len(urls) == 4

    def test_they_hold_the_class_itself(self) -> None:
        # A string would be looked up in the application's globals, and in modules of that name.
        assert webpy_socketio.socketio_urls[1] is webpy_socketio.socketio

    def test_the_old_form_as_a_string_works_too(self) -> None:
        app = web.application(("/socket\\.io(?:/.*)?", "socketio"), {"socketio": webpy_socketio.socketio})
        response = app.request("/socket.io/?EIO=4&transport=nonsense")
        default_hub().stop(0)  # which the first request has opened
        assert response.status == "400 Bad Request"
        assert b"Transport unknown" in response.data

    def test_the_pattern_captures_nothing(self) -> None:
        import re

        assert re.compile(webpy_socketio.socketio_urls[0]).groups == 0

    @pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
    def test_the_class_answers_the_methods_of_the_protocol(self, method: str) -> None:
        assert callable(getattr(webpy_socketio.socketio, method))


class TestSignatures:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("send", ["session_id", "message"]),
            ("broadcast", ["message"]),
            ("broadcast_channel", ["message", "channel"]),
            ("emit", ["event", "*args", "to=None", "skip=None", "namespace='/'", "volatile=False"]),
            ("call", ["event", "*args", "to=None", "timeout=60", "skip=None", "namespace='/'"]),
            ("disconnect", ["to", "close=False", "namespace='/'"]),
            ("channels", ["namespace='/'"]),
            ("channel_members", ["channel", "namespace='/'"]),
            ("clients", ["namespace='/'"]),
            ("on_event", ["name", "*", "channel=None", "namespace='/'"]),
            ("SocketIOServer", ["listener=None", "application=None", "resource=None", "**options"]),
        ],
    )
    def test_functions(self, name: str, expected: list[str]) -> None:
        assert parameters(getattr(webpy_socketio, name)) == [part for part in expected if part != "*"]

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("send", ["message"]),
            ("emit", ["event", "*args", "callback=None"]),
            ("call", ["event", "*args", "timeout=60"]),
            ("broadcast", ["message"]),
            ("broadcast_channel", ["message", "channel=None"]),
            ("send_and_broadcast", ["message"]),
            ("send_and_broadcast_channel", ["message", "channel=None"]),
            ("subscribe", ["channel"]),
            ("unsubscribe", ["channel"]),
            ("disconnect", ["close=False"]),
        ],
    )
    def test_methods_of_the_socket(self, name: str, expected: list[str]) -> None:
        assert parameters(getattr(Socket, name)) == expected

    def test_members_of_the_socket(self) -> None:
        members = {"channels", "channel", "id", "session", "request", "context", "namespace", "connected", "reason"}
        assert members | {"protocol", "volatile"} <= set(dir(Socket))


class TestErrors:
    def test_the_callers_faults_are_one_family(self) -> None:
        for name in ("NoSocket", "EventError", "SocketClosed"):
            assert issubclass(getattr(errors, name), errors.UsageError)

    def test_all_of_ours_are_one_family_of_ordinary_exceptions(self) -> None:
        for name in errors.__all__:
            assert issubclass(getattr(errors, name), errors.WebpySocketIOError)
        assert issubclass(errors.WebpySocketIOError, Exception)

    def test_refused_has_a_message_and_data(self) -> None:
        plain, full = webpy_socketio.Refused(), webpy_socketio.Refused("Not you", {"retry": 5})
        assert (plain.message, plain.data) == ("Connection refused", None)
        assert (full.message, full.data, str(full)) == ("Not you", {"retry": 5}, "Not you")


class TestImporting:
    def test_without_logging_set_up_nothing_is_printed(self) -> None:
        assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("webpy_socketio").handlers)

    def test_it_claims_no_top_level_name_of_others(self) -> None:
        # gevent-socketio and python-socketio both install a module `socketio`.
        code = "import sys, webpy_socketio; print('socketio' in sys.modules)"
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert answer.stdout == "False\n"
