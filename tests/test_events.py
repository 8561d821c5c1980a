"""The decorators, and the registry of handlers that they fill."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from webpy_socketio import events
from webpy_socketio import registry as registry_module
from webpy_socketio.errors import EventError
from webpy_socketio.events import (
    Event,
    Handler,
    Registry,
    check_event_name,
    describe,
    on_connect,
    on_disconnect,
    on_error,
    on_event,
    on_finish,
    on_message,
    on_subscribe,
    on_unsubscribe,
    registry,
)
from webpy_socketio.types import RESERVED_EVENTS

DECORATORS: dict[str, Any] = {
    "on_connect": on_connect,
    "on_message": on_message,
    "on_subscribe": on_subscribe,
    "on_unsubscribe": on_unsubscribe,
    "on_error": on_error,
    "on_disconnect": on_disconnect,
    "on_finish": on_finish,
    "on_event": on_event("name"),
}
#: What each takes behind ``request, socket, context``.
EXTRAS = {
    "on_connect": "",
    "on_message": ", message",
    "on_subscribe": ", channel",
    "on_unsubscribe": ", channel",
    "on_error": ", exception",
    "on_disconnect": "",
    "on_finish": "",
}
WITH_CHANNEL = ["on_message", "on_subscribe", "on_unsubscribe", "on_error", "on_disconnect", "on_finish"]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[Callable[[], list[Handler]]]:
    """A function that gives what is registered; nothing is at the beginning."""
    before = dict(registry._handlers)
    registry.clear()
    yield lambda: list(registry._handlers.values())
    registry.clear()
    registry._handlers.update(before)


def make(signature: str) -> Any:
    """Make a function of this signature."""
    scope: dict[str, Any] = {"__name__": "made"}
    exec(f"def handler({signature}): return 'called'", scope)
    return scope["handler"]


class TestDecorators:
    @pytest.mark.parametrize("name", DECORATORS)
    def test_they_return_the_function_that_they_were_given(self, name: str) -> None:
        function = make(f"request, socket, context{EXTRAS.get(name, '')}")
        assert DECORATORS[name](function) is function
        assert function(*"abcd"[: function.__code__.co_argcount]) == "called"

    @pytest.mark.parametrize("name", WITH_CHANNEL)
    def test_with_arguments_too(self, name: str) -> None:
        function = make(f"request, socket, context{EXTRAS[name]}")
        assert DECORATORS[name](channel="^room-")(function) is function
        assert DECORATORS[name]()(function) is function
        assert DECORATORS[name](namespace="/chat")(function) is function

    def test_one_function_may_handle_several_events(self, handlers: Any) -> None:
        @on_message
        @on_event("move")
        @on_error
        def handle(request: Any, socket: Any, context: Any, what: Any) -> None: ...

        assert [handler.event for handler in handlers()] == [Event.ERROR, Event.NAMED, Event.MESSAGE]
        assert all(handler.function is handle for handler in handlers())

    def test_a_channel_for_on_connect_is_an_error_with_a_readable_text(self, handlers: Any) -> None:
        with pytest.raises(EventError) as caught:
            on_connect(channel="room")
        assert str(caught.value) == ("on_connect takes no channel=: a socket that connects is subscribed to none yet.")
        assert handlers() == []

    @pytest.mark.parametrize("name", WITH_CHANNEL)
    def test_all_others_take_one(self, name: str, handlers: Any) -> None:
        DECORATORS[name](channel="^room-")(make(f"request, socket, context{EXTRAS[name]}"))
        [handler] = handlers()
        assert handler.pattern.pattern == "^room-"

    def test_on_event_takes_one_too(self, handlers: Any) -> None:
        on_event("move", channel="^room-")(make("request, socket, context"))
        [handler] = handlers()
        assert (handler.name, handler.pattern.pattern) == ("move", "^room-")

    @pytest.mark.parametrize("channel", ["[", "*", "(", 5, b"room", ["room"]])
    def test_what_is_no_regular_expression_is_an_error(self, channel: Any) -> None:
        with pytest.raises(EventError, match="channel must be a regular expression as a string, not "):
            on_message(channel=channel)(make("request, socket, context, message"))

    def test_the_forgotten_keyword_is_explained(self) -> None:
        with pytest.raises(
            EventError, match=r"^Write @on_message or @on_message\(channel=…\), not @on_message\('room'\)"
        ):
            on_message("room")  # type: ignore[call-overload]  # that is the test

    @pytest.mark.parametrize(
        ("given", "name"), [("/chat", "/chat"), ("chat", "/chat"), ("/", "/"), ("", "/"), ("/a/b", "/a/b")]
    )
    def test_a_namespace_begins_with_a_slash(self, given: str, name: str, handlers: Any) -> None:
        on_message(namespace=given)(make("request, socket, context, message"))
        on_event("move", namespace=given)(make("request, socket, context"))
        assert [handler.namespace for handler in handlers()] == [name, name]

    def test_or_is_a_regular_expression(self, handlers: Any) -> None:
        pattern = re.compile("^/tenant-")
        on_message(namespace=pattern)(make("request, socket, context, message"))
        on_event("move", namespace=pattern)(make("request, socket, context"))
        assert [handler.namespace for handler in handlers()] == [pattern, pattern]
        assert [handlers()[0].serves(name) for name in ("/tenant-1", "/my/tenant-1", "/")] == [True, False, False]
        assert [registry.knows(name) for name in ("/tenant-1", "/tenant", "/")] == [True, False, True]

    @pytest.mark.parametrize("given", ["/a,b", ",", None, 5, re.compile(b"/chat")])
    def test_what_cannot_be_one_is_an_error(self, given: Any) -> None:
        with pytest.raises(EventError, match="namespace must be a string"):
            on_message(namespace=given)(make("request, socket, context, message"))


class TestArity:
    """It is checked at registration: a handler that does not fit never waits for its first event to fail."""

    @pytest.mark.parametrize("name", EXTRAS)
    def test_what_fits(self, name: str) -> None:
        for signature in (
            f"request, socket, context{EXTRAS[name]}",
            f"r, s, c{', x' if EXTRAS[name] else ''}, more=None, *, option=1, **rest",
            "*args",
            "*args, **kwargs",
            "request, *args",
            "request, socket, context, *rest",
            f"request, socket, context{EXTRAS[name]}, /",
        ):
            DECORATORS[name](make(signature))

    @pytest.mark.parametrize("name", EXTRAS)
    @pytest.mark.parametrize("signature", ["", "request", "request, socket", "a, b, c, d, e"])
    def test_what_does_not_is_named_with_what_was_expected(self, name: str, signature: str, handlers: Any) -> None:
        with pytest.raises(EventError) as caught:
            DECORATORS[name](make(signature))
        expected = f"(request, socket, context{EXTRAS[name]})"
        assert str(caught.value) == f"{name} handlers take {expected}; handler({signature}) does not."
        assert handlers() == []

    @pytest.mark.parametrize("name", ["on_message", "on_subscribe", "on_unsubscribe", "on_error"])
    def test_the_argument_of_the_event_must_be_taken(self, name: str) -> None:
        with pytest.raises(EventError, match=r"handler\(request, socket, context\) does not"):
            DECORATORS[name](make("request, socket, context"))

    @pytest.mark.parametrize("name", ["on_connect", "on_disconnect", "on_finish"])
    def test_one_too_many_is_too_many(self, name: str) -> None:
        with pytest.raises(EventError, match=r"handler\(request, socket, context, message\) does not"):
            DECORATORS[name](make("request, socket, context, message"))

    def test_on_event_may_take_any_number_behind_the_first_three(self, handlers: Any) -> None:
        for signature in ("r, s, c", "r, s, c, a, b, d=1", "r, s, c, *args", "*args"):
            on_event(f"e{signature}")(make(signature))
        assert [[handler.takes(count) for count in range(5)] for handler in handlers()] == [
            [True, False, False, False, False],
            [False, False, True, True, False],
            [True] * 5,
            [True] * 5,
        ]

    def test_but_not_fewer(self) -> None:
        with pytest.raises(EventError) as caught:
            on_event("move")(make("request, socket"))
        assert str(caught.value) == (
            "on_event handlers take (request, socket, context, *args); handler(request, socket) does not."
        )

    def test_a_required_keyword_is_never_brought(self) -> None:
        with pytest.raises(EventError, match="requires the keyword 'option', which no event brings"):
            on_message(make("request, socket, context, message, *, option"))

    @pytest.mark.parametrize("thing", [5, None, "text"])
    def test_what_is_no_function_is_an_error(self, thing: Any) -> None:
        with pytest.raises(EventError, match=r"must be a function|Write @on_message"):
            on_message()(thing)

    def test_methods_partials_and_callables_count_without_what_they_bring(self, handlers: Any) -> None:
        class Handlers:
            def method(self, request: Any, socket: Any, context: Any, message: Any) -> None: ...

            def __call__(self, request: Any, socket: Any, context: Any, message: Any) -> None: ...

        on_message(Handlers().method)
        on_message(Handlers())
        on_message(functools.partial(make("extra, request, socket, context, message"), 1))
        assert len(handlers()) == 3

    def test_an_object_does_not_make_functions_of_its_module_forgotten(self, handlers: Any) -> None:
        class Handlers:
            def __call__(self, request: Any, socket: Any, context: Any, message: Any) -> None: ...

        @on_message
        def function(request: Any, socket: Any, context: Any, message: Any) -> None: ...

        on_message(Handlers())
        on_message(channel="a")(function)
        assert len(handlers()) == 3

    def test_builtins_without_a_signature_are_let_pass(self, handlers: Any) -> None:
        def has_none(function: Any) -> bool:
            try:
                inspect.signature(function)
            except ValueError:
                return True
            return False

        builtin = next(filter(has_none, (dict.update, getattr, max, iter)))  # Python gives them one by one
        on_message(builtin)
        assert len(handlers()) == 1


class TestNames:
    @pytest.mark.parametrize("name", [*sorted(RESERVED_EVENTS), "__subscribe__", "__x__", "____"])
    def test_reserved_ones_are_an_error(self, name: str) -> None:
        with pytest.raises(EventError, match=f"^'{name}' is a reserved name: "):
            on_event(name)

    @pytest.mark.parametrize("name", ["", None, 5, b"x", on_message])
    def test_what_is_no_name_is_an_error(self, name: Any) -> None:
        with pytest.raises(EventError, match="An event needs a name"):
            on_event(name)

    @pytest.mark.parametrize("name", ["message", "chat", "__half", "half__", "Connect", "a b", "ü", "error", "ping"])
    def test_all_others_are_fine(self, name: str) -> None:
        check_event_name(name)
        on_event(name)(make("r, s, c, *args"))

    def test_the_reserved_ones_are_those_of_the_protocol(self) -> None:
        assert (
            frozenset(("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"))
            == RESERVED_EVENTS
        )


class TestRegistration:
    """It is keyed by file, qualified name, event and pattern; the newest wins in the place of the older one."""

    def register(self, text: str, file: str = "app.py", decorate: Any = None) -> Any:
        """Run a module's text as if it stood in ``file``; give its function ``chat``."""
        scope: dict[str, Any] = {"__name__": "app"}
        exec(compile(text, file, "exec"), {**scope, "decorate": decorate or on_message}, scope)
        return scope["chat"]

    CHAT = "@decorate\ndef chat(request, socket, context, message): return {!r}"

    def test_a_second_import_of_a_file_replaces(self, handlers: Any) -> None:
        self.register(self.CHAT.format("old"))
        new = self.register(self.CHAT.format("new"))
        assert [handler.function for handler in handlers()] == [new]

    def test_in_its_place(self, handlers: Any) -> None:
        self.register(self.CHAT.format(1))
        other = on_message(make("request, socket, context, message"))
        new = self.register(self.CHAT.format(2))
        assert [handler.function for handler in handlers()] == [new, other]

    def test_however_the_files_name_is_written(self, handlers: Any) -> None:
        self.register(self.CHAT.format(1), "./app.py")
        self.register(self.CHAT.format(2), "app.py")
        assert len(handlers()) == 1

    def test_of_another_file_it_is_another(self, handlers: Any) -> None:
        self.register(self.CHAT.format(1), "a/app.py")
        self.register(self.CHAT.format(2), "b/app.py")
        assert len(handlers()) == 2

    def test_of_another_event_pattern_or_namespace_it_is_another(self, handlers: Any) -> None:
        decorators = [
            on_message,
            on_message(channel="a"),
            on_message(channel="b"),
            on_message(namespace="/side"),
            on_error,
            on_event("x"),
            on_event("y"),
        ]
        for _ in range(2):
            for decorate in decorators:
                self.register(self.CHAT.format(1), decorate=decorate)
        assert len(handlers()) == len(decorators)

    def test_of_another_name_it_is_another(self, handlers: Any) -> None:
        @on_message
        def one(request: Any, socket: Any, context: Any, message: Any) -> None: ...

        @on_message
        def two(request: Any, socket: Any, context: Any, message: Any) -> None: ...

        assert [handler.function for handler in handlers()] == [one, two]

    def test_a_wrapped_function_counts_by_what_it_wraps(self, handlers: Any) -> None:
        def logged(function: Any) -> Any:
            @functools.wraps(function)
            def wrapper(*args: Any) -> Any:
                return function(*args)

            return wrapper

        @on_message
        @logged
        def one(request: Any, socket: Any, context: Any, message: Any) -> None: ...

        @on_message
        @logged
        def two(request: Any, socket: Any, context: Any, message: Any) -> None: ...

        assert [handler.function for handler in handlers()] == [one, two]

    def run(self, text: str, name: str = "app", spec: object = None) -> dict[str, Any]:
        """Run a module's text under a name, as an import of its own (``spec``) or again."""
        scope: dict[str, Any] = {"__name__": name, "__spec__": spec, "decorate": on_message}
        exec(compile(text, "app.py", "exec"), scope)
        return scope

    def test_what_a_reloaded_module_does_not_register_any_more_is_forgotten(self, handlers: Any) -> None:
        self.run(self.CHAT.format(1), spec="first run")
        other = on_message(make("request, socket, context, message"))
        renamed = self.run(self.CHAT.replace("chat", "talk").format(2), spec="second run")["talk"]
        assert [handler.function for handler in handlers()] == [other, renamed]

    def test_within_one_run_all_are_kept(self, handlers: Any) -> None:
        self.run(f"{self.CHAT.format(1)}\n{self.CHAT.replace('chat', 'talk').format(2)}", spec="a run")
        assert len(handlers()) == 2

    @pytest.mark.parametrize("order", [("app", "__main__"), ("__main__", "app")])
    def test_the_second_import_of_the_main_file_wins_whichever_came_first(
        self, handlers: Any, order: tuple[str, str]
    ) -> None:
        scopes = {name: self.run(self.CHAT.format(name), name, f"spec of {name}") for name in order}
        assert [handler.function for handler in handlers()] == [scopes["app"]["chat"]]

    def test_an_edited_signature_is_checked_anew(self, handlers: Any) -> None:
        old = self.register(self.CHAT.format(1))
        with pytest.raises(EventError):
            self.register("@decorate\ndef chat(request): pass")
        assert [handler.function for handler in handlers()] == [old]


class TestRegistry:
    def registry(self) -> Registry:
        filled = Registry()
        for event, name, namespace in (
            (Event.MESSAGE, None, "/"),
            (Event.NAMED, "message", "/"),
            (Event.NAMED, "move", "/"),
            (Event.MESSAGE, None, "/side"),
            (Event.CONNECT, None, "/"),
        ):
            filled.add(Handler(event, make("*args"), name, namespace, None))
        return filled

    def test_stages_are_found_by_namespace(self) -> None:
        filled = self.registry()
        assert [len(filled.of("/", event)) for event in (Event.MESSAGE, Event.CONNECT, Event.FINISH)] == [1, 1, 0]
        assert len(filled.of("/side", Event.MESSAGE)) == 1
        assert filled.of("/nowhere", Event.MESSAGE) == ()

    def test_message_has_the_handlers_of_both_decorators(self) -> None:
        found = self.registry().named("/", "message")
        assert [handler.event for handler in found] == [Event.MESSAGE, Event.NAMED]

    def test_names_are_found_by_namespace(self) -> None:
        filled = self.registry()
        assert [len(filled.named("/", name)) for name in ("move", "unheard of", "on_connect")] == [1, 0, 0]
        assert filled.named("/side", "move") == ()

    def test_what_is_added_later_is_found_too(self) -> None:
        filled = self.registry()
        assert (len(filled.named("/", "move")), len(filled.of("/", Event.FINISH))) == (1, 0)
        filled.add(Handler(Event.NAMED, make("r, s, c"), "move", "/", "other"))
        filled.add(Handler(Event.FINISH, make("r, s, c"), None, "/", None))
        assert (len(filled.named("/", "move")), len(filled.of("/", Event.FINISH))) == (2, 1)

    @pytest.mark.parametrize("length", [10, registry_module.MAX_NAME + 1])
    def test_of_names_that_nobody_handles_only_some_short_ones_are_remembered(
        self, monkeypatch: pytest.MonkeyPatch, length: int
    ) -> None:
        monkeypatch.setattr(registry_module, "MAX_FOUND", 50)
        filled = self.registry()
        for number in range(1000):
            assert filled.named("/", str(number).rjust(length)) == ()
        assert len(filled._found) <= (50 if length <= registry_module.MAX_NAME else 0)

    def test_a_name_has_the_handlers_of_patterns_too_in_order_of_registration(self) -> None:
        filled = self.registry()
        for name, namespace in (("a", re.compile("/s")), ("a", "/side"), ("a", re.compile(".*e$")), ("*", "/side")):
            filled.add(Handler(Event.NAMED, make("*args"), name, namespace, None))
        wanted = [re.compile("/s"), "/side", re.compile(".*e$")]
        assert [handler.namespace for handler in filled.named("/side", "a")] == wanted
        assert [handler.namespace for handler in filled.named("/several", "a")] == wanted[:1]
        assert [handler.name for handler in filled.named("/side", "b")] == ["*"]

    def test_the_same_pattern_compiled_anew_is_the_same(self) -> None:
        filled, function = Registry(), make("*args")
        for flags in (0, 0, re.IGNORECASE):
            re.purge()
            filled.add(Handler(Event.MESSAGE, function, None, re.compile("/s", flags), None))
        assert len(filled.of("/side", Event.MESSAGE)) == 2

    def test_of_names_that_clients_make_up_only_so_many_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry_module, "MAX_FOUND", 50)
        filled = Registry()
        filled.add(Handler(Event.MESSAGE, make("*args"), None, re.compile("/s"), None))
        for number in range(1000):
            assert len(filled.named(f"/s{number}", "message")) == 1
            assert filled.of(f"/s{number}", Event.CONNECT) == ()
        assert len(filled._found) <= 50

    def test_it_knows_which_namespaces_are_handled(self) -> None:
        filled = self.registry()
        assert [filled.knows(name) for name in ("/", "/side", "/nowhere")] == [True, True, False]
        assert Registry().knows("/")

    def test_clearing_forgets_all(self) -> None:
        filled = self.registry()
        filled.named("/", "move")
        filled.clear()
        assert (filled.named("/", "move"), filled.of("/", Event.MESSAGE)) == ((), ())


class TestMatching:
    def handler(self, pattern: str | None) -> Handler:
        return Handler(Event.MESSAGE, make("*args"), None, "/", pattern)

    @pytest.mark.parametrize(
        ("pattern", "channel", "subscribed", "matches"),
        [
            (None, None, [], True),
            (None, "x", [], True),
            ("^room-", "room-1", [], True),
            ("^room-", "lobby", ["room-1"], False),
            ("^room-", None, ["lobby", "room-1"], True),
            ("^room-", None, ["lobby"], False),
            ("^room-", None, [], False),
            ("room", "my room", [], False),
            ("room$", "roomy", [], False),
            ("", "anything", [], True),
        ],
    )
    def test_by_the_channel_of_the_event_or_else_by_those_of_the_socket(
        self, pattern: str | None, channel: str | None, subscribed: list[str], matches: bool
    ) -> None:
        assert self.handler(pattern).matches(channel, subscribed) is matches


def test_a_function_without_a_signature_is_described_by_its_name() -> None:
    class Odd:
        __signature__ = "none at all"

        def __call__(self) -> None: ...

    odd: Any = Odd()
    odd.__qualname__ = "odd"
    assert describe(odd) == "odd"
    assert describe(make("a, b=1")) == "handler(a, b=1)"


def test_the_module_exports_the_decorators() -> None:
    assert {*EXTRAS, "on_event"} <= set(events.__all__)
    assert all(getattr(events, name) is not None for name in events.__all__)
