"""Where settings come from, and how text of the environment becomes what the setting is."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import web

from webpy_socketio.config import Config
from webpy_socketio.errors import UsageError
from webpy_socketio.gateway.settings import address, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", True),
        ("true", True),
        ("Yes", True),
        ("ON", True),
        ("0", False),
        ("False", False),
        ("no", False),
        ("off", False),
    ],
)
def test_yes_and_no_are_said_in_several_ways(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("SOCKETIO_ALLOW_EIO3", text)
    assert resolve({}).allow_eio3 is value


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKETIO_ALLOW_EIO3", "no")
    assert resolve({"allow_eio3": True}).allow_eio3 is True


@pytest.mark.parametrize("text", ["", "maybe", "2", "None"])
def test_what_is_neither_yes_nor_no_is_an_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOCKETIO_ALLOW_EIO3", text)
    with pytest.raises(UsageError, match="SOCKETIO_ALLOW_EIO3 must be true or false"):
        resolve({})


def test_the_rest_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKETIO_MISSING_EIO", "3")
    assert resolve({}).missing_eio == "3"


@pytest.mark.parametrize(
    ("text", "value"), [("on", True), ("1", True), ("0", False), ("false", False), ("2000", 2_000), ("2", 2)]
)
def test_compression_is_a_flag_or_a_number(monkeypatch: pytest.MonkeyPatch, text: str, value: bool | int) -> None:
    monkeypatch.setenv("SOCKETIO_COMPRESSION", text)
    assert resolve({}).compression == value
    assert type(resolve({}).compression) is type(value)


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An empty main module."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


class TestWhereTheyComeFrom:
    """Argument, environment, `web.config.socketio`, main module, default: the first that says something."""

    @pytest.fixture
    def say(self, main: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[float], None]]:
        """Functions that set ``ping_interval`` in one of the places; ``argument`` is up to the test."""
        return {
            "main": lambda value: setattr(main, "SOCKETIO_PING_INTERVAL", value),
            "web.config": lambda value: monkeypatch.setitem(web.config, "socketio", {"ping_interval": value}),
            "environment": lambda value: monkeypatch.setenv("SOCKETIO_PING_INTERVAL", str(value)),
        }

    def test_without_any_the_defaults_hold(self, main: ModuleType) -> None:
        assert resolve({}) == Config()

    def test_each_place_wins_over_those_behind_it(self, say: dict[str, Callable[[float], None]]) -> None:
        seen = [resolve({}).ping_interval]
        for value, place in enumerate(("main", "web.config", "environment"), start=1):
            say[place](value)
            seen.append(resolve({}).ping_interval)
        seen.append(resolve({"ping_interval": 4}).ping_interval)
        assert seen == [25.0, 1, 2, 3, 4]

    def test_places_complete_each_other(self, say: dict[str, Callable[[float], None]], main: ModuleType) -> None:
        say["environment"](3)
        main.SOCKETIO_RESOURCE = "chat"  # type: ignore[attr-defined]  # any name may be set
        settings = resolve({"max_workers": 7})
        assert (settings.ping_interval, settings.resource, settings.max_workers) == (3, "chat", 7)

    def test_the_old_name_of_the_message_log_is_kept(self, main: ModuleType) -> None:
        main.SOCKETIO_MESSAGE_LOG_FORMAT = None  # type: ignore[attr-defined]  # likewise
        assert resolve({}).message_log_format is None

    def test_names_of_the_main_module_that_are_no_settings_are_its_own(self, main: ModuleType) -> None:
        main.SOCKETIO_SOMETHING = 5  # type: ignore[attr-defined]  # likewise
        main.ping_interval = 1  # type: ignore[attr-defined]  # likewise
        assert resolve({}) == Config()

    def test_so_are_those_of_the_environment(self, main: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOCKETIO_SOMETHING", "5")
        assert resolve({}) == Config()

    def test_a_typing_error_in_an_argument_names_the_known_ones(self, main: ModuleType) -> None:
        with pytest.raises(UsageError, match=r"Unknown setting 'ping_intervall'; the known ones are: .*ping_interval"):
            resolve({"ping_intervall": 5})

    def test_so_does_one_in_web_config(self, main: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(web.config, "socketio", {"ping_intervall": 5})
        with pytest.raises(UsageError, match="Unknown setting"):
            resolve({})

    @pytest.mark.parametrize("value", [5, "ping_interval=5", ["ping_interval"]])
    def test_web_config_must_be_a_dictionary(
        self, main: ModuleType, monkeypatch: pytest.MonkeyPatch, value: object
    ) -> None:
        monkeypatch.setitem(web.config, "socketio", value)
        with pytest.raises(UsageError, match="must be a dictionary of settings"):
            resolve({})


class TestTheEnvironment:
    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("ping_interval", "2.5", 2.5),
            ("max_workers", "7", 7),
            ("resource", "chat", "chat"),
            ("message_log_format", "%(MESSAGE)s", "%(MESSAGE)s"),
            ("message_log_format", "", None),
            ("message_log_format", "None", None),
            ("client_file", "", None),
            ("transports", "websocket", ("websocket",)),
            ("transports", " polling , websocket ", ("polling", "websocket")),
            ("cors_allowed_origins", "*", "*"),
            (
                "cors_allowed_origins",
                "https://a.example, https://b.example",
                ("https://a.example", "https://b.example"),
            ),
            ("outbox_policy", "drop_oldest", "drop_oldest"),
            ("trusted_proxies", "127.0.0.1, 10.0.0.0/8,unix", ("127.0.0.1", "10.0.0.0/8", "unix")),
            ("trusted_proxies", "", ()),
            ("max_connections_per_address", "20", 20),
            ("max_connections_per_address", "None", None),
            ("http_compression", "off", False),
            ("http_compression", "4096", 4096),
            ("jsonp", "on", True),
            ("cookie", "None", None),
            ("cookie", "off", None),
            ("cookie", "lb", {"name": "lb", "path": "/", "http_only": True, "same_site": "lax"}),
            ("cookie", "true", {"name": "io", "path": "/", "http_only": True, "same_site": "lax"}),
        ],
    )
    def test_text_becomes_what_the_setting_is(
        self, main: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
    ) -> None:
        monkeypatch.setenv(f"SOCKETIO_{name.upper()}", text)
        assert getattr(resolve({}), name) == value

    @pytest.mark.parametrize(("name", "text"), [("PING_INTERVAL", "soon"), ("MAX_WORKERS", "1.5"), ("MAX_WORKERS", "")])
    def test_what_is_no_number_is_an_error_that_names_it(
        self, main: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, text: str
    ) -> None:
        monkeypatch.setenv(f"SOCKETIO_{name}", text)
        with pytest.raises(UsageError, match=f"SOCKETIO_{name} must be a number, not '{text}'"):
            resolve({})

    def test_what_is_out_of_bounds_is_an_error_too(self, main: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOCKETIO_PING_TIMEOUT", "-1")
        with pytest.raises(UsageError, match="ping_timeout must be a number above 0"):
            resolve({})


class TestOldArguments:
    @pytest.fixture
    def ignored(self, main: ModuleType, caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
        """A function that gives what the log says about arguments that were ignored."""
        caplog.set_level(logging.WARNING, "webpy_socketio")
        return lambda: [record.getMessage() for record in caplog.records if "Ignored" in record.getMessage()]

    @pytest.mark.parametrize("name", ["policy_server", "policy_listener"])
    def test_those_of_flash_are_ignored_with_one_line(self, ignored: Callable[[], list[str]], name: str) -> None:
        assert resolve({name: True}) == Config()
        assert ignored() == [f"Ignored, as they have no meaning any more: {name}"]

    def test_old_transports_are_left_out_with_one_line(self, ignored: Callable[[], list[str]]) -> None:
        old = ["websocket", "flashsocket", "htmlfile", "xhr-multipart", "xhr-polling", "jsonp-polling"]
        assert resolve({"transports": old}).transports == ("websocket", "polling")
        assert ignored() == [
            "Ignored, as they have no meaning any more: flashsocket, htmlfile, xhr-multipart, jsonp-polling"
        ]

    def test_all_of_them_share_one_line(self, ignored: Callable[[], list[str]]) -> None:
        resolve({"policy_server": True, "policy_listener": ("", 843), "transports": ["websocket", "flashsocket"]})
        assert len(ignored()) == 1

    @pytest.mark.parametrize("value", [False, None])
    def test_switching_off_what_does_not_exist_is_accepted(
        self, ignored: Callable[[], list[str]], value: object
    ) -> None:
        assert resolve({"policy_server": value}) == Config()
        assert len(ignored()) <= 1

    def test_what_never_was_a_transport_is_an_error(self, main: ModuleType) -> None:
        with pytest.raises(UsageError, match="transports must be some of"):
            resolve({"transports": ["websocket", "pigeon"]})

    def test_if_nothing_is_left_it_is_an_error(self, ignored: Callable[[], list[str]]) -> None:
        with pytest.raises(UsageError, match="transports must be some of"):
            resolve({"transports": ["flashsocket"]})

    def test_a_string_will_do(self, main: ModuleType) -> None:
        assert resolve({"transports": "websocket, xhr-polling"}).transports == ("websocket", "polling")


class TestAddress:
    def test_the_default_is_all_interfaces_and_8000(self, main: ModuleType) -> None:
        assert address() == ("", 8000)

    def test_the_main_module_may_say_it(self, main: ModuleType) -> None:
        main.SOCKETIO_HOST, main.SOCKETIO_PORT = "127.0.0.1", 9000  # type: ignore[attr-defined]  # any name may be set
        assert address() == ("127.0.0.1", 9000)

    def test_web_config_wins_over_it_and_the_environment_over_both(
        self, main: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        main.SOCKETIO_HOST, main.SOCKETIO_PORT = "main", 1  # type: ignore[attr-defined]  # likewise
        monkeypatch.setitem(web.config, "socketio", {"host": "config", "port": 2, "ping_interval": 5})
        assert address() == ("config", 2)
        assert resolve({}).ping_interval == 5
        monkeypatch.setenv("SOCKETIO_PORT", "3")
        assert address() == ("config", 3)
        monkeypatch.setenv("SOCKETIO_HOST", "environment")
        assert address() == ("environment", 3)

    @pytest.mark.parametrize("port", ["http", "", None])
    def test_a_port_is_a_number(self, main: ModuleType, port: object) -> None:
        main.SOCKETIO_PORT = port  # type: ignore[attr-defined]  # likewise
        with pytest.raises(UsageError, match="SOCKETIO_PORT must be a number from 0 to 65535"):
            address()
