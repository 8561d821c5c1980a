"""Limits on how often clients may send: what they count, whom they hit, and what happens then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.hub.conftest import Log
from tests.support.dummy import ENVIRON, DummyClient, connected
from tests.support.waiting import wait_until
from webpy_socketio import Violation, on_error, on_event, on_limit, on_message, on_subscribe, rate_limit
from webpy_socketio.hub import rates
from webpy_socketio.hub.hub import Hub

MakeHub = Callable[..., Hub]
SLOW = 0.001
"""Events per second: no bucket gains anything while a test runs."""


@pytest.fixture
def got(hub: Hub) -> list[Any]:
    """What handlers got, of any event in / or /side."""
    values: list[Any] = []

    def take(request: Any, socket: Any, context: Any, name: str, *arguments: Any) -> str:
        values.append((name, *arguments))
        return "done"

    on_event("*")(take)
    on_event("*", namespace="/side")(take)

    @on_message
    def message(request: Any, socket: Any, context: Any, message: Any) -> str:
        values.append(("message", message))
        return "done"

    return values


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock for the buckets, which the test turns."""
    clock = [1_000.0]
    monkeypatch.setattr(rates, "monotonic", lambda: clock[0])
    yield clock


def at(address: str) -> dict[str, str]:
    return {**ENVIRON, "REMOTE_ADDR": address}


def joined(hub: Hub, address: str) -> DummyClient:
    client = DummyClient(hub, at(address))
    client.join()
    return client


class TestPerSocket:
    def test_above_the_burst_events_do_not_reach_handlers(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 3)
        client = connected(hub)
        client.say(*[f'42["e",{number}]' for number in range(10)])
        assert client.take() == []
        assert got == [("e", 0), ("e", 1), ("e", 2)]

    def test_in_the_long_run_it_is_the_rate_that_counts(self, hub: Hub, got: list[Any], now: list[float]) -> None:
        rate_limit(2, 4)
        client = connected(hub)
        for _ in range(10):
            client.say('42["e"]')
            now[0] += 0.25
        assert len(got) == 8  # four at once, and two in each second
        now[0] += 100
        client.say(*['42["e"]'] * 10)
        assert len(got) == 12

    def test_each_socket_has_its_own(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 1)
        for client in (connected(hub), connected(hub)):
            client.say('42["e"]', '42["e"]')
        assert len(got) == 2

    def test_joining_again_does_not_fill_it(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 1)
        client = connected(hub)
        client.say('42["e"]', "41")
        client.join()
        client.say('42["e"]')
        assert len(got) == 1

    def test_other_namespaces_have_their_own_rules(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 1)
        client = connected(hub)
        client.join("/side")
        client.say(*['42["e"]', '42/side,["s"]'] * 3)
        assert got == [("e",), ("s",), ("s",), ("s",)]

    def test_a_rule_may_be_for_many_namespaces(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 1, namespace=re.compile("/"))
        client = connected(hub)
        client.join("/side")
        client.say(*['42["e"]', '42/side,["s"]'] * 3)
        assert got == [("e",), ("s",)]


class TestPerAddress:
    def test_clients_of_one_address_share_it(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 2, per="address")
        first, second, other = (joined(hub, address) for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"))
        for client in (first, second, first, other):
            client.say('42["e"]')
        assert len(got) == 3

    def test_in_ipv6_those_of_one_network_do(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 1, per="address")
        for address in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"):
            joined(hub, address).say('42["e"]')
        assert len(got) == 2

    def test_an_address_without_a_name_is_shared_by_nobody(self, hub: Hub, got: list[Any]) -> None:
        # Through a Unix socket, and no proxy is trusted to say more.
        rate_limit(SLOW, 1, per="address")
        for _ in range(3):
            joined(hub, "").say('42["e"]', '42["e"]')
        assert len(got) == 3
        assert len(hub.rates) == 0

    def test_coming_back_does_not_fill_it(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 1, per="address")
        for _ in range(3):
            client = joined(hub, "192.0.2.1")
            client.say('42["e"]')
            client.leave()
        assert len(got) == 1

    def test_full_ones_are_forgotten(self, hub: Hub, got: list[Any], now: list[float]) -> None:
        rate_limit(1, 1, per="address")
        for number in range(50):
            joined(hub, f"192.0.2.{number}").say('42["e"]')
            now[0] += 10
        assert len(hub.rates) < 5


class TestWhatCounts:
    def test_only_the_event_that_is_named(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 1, event="move")
        connected(hub).say('42["move"]', '42["stop"]', '42["move"]', '42["stop"]')
        assert got == [("move",), ("stop",), ("stop",)]

    def test_messages_to_a_channel_are_messages(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 2, event="message")
        client = connected(hub, "room")
        client.say('42["message","a"]', '42["__message__","room","b"]', '42["__message__","room","c"]')
        assert got == [("message", "a"), ("message", "b")]

    @pytest.mark.parametrize("event", [None, "__subscribe__"])
    def test_subscriptions_count_too_and_are_answered_with_no(self, hub: Hub, event: str | None) -> None:
        rate_limit(SLOW, 2, event=event, reaction="error")
        asked: list[str] = []

        @on_subscribe
        def subscribe(request: Any, socket: Any, context: Any, channel: str) -> None:
            asked.append(channel)

        client = connected(hub, "a", "b")
        assert client.ask("__subscribe__", "c") == [False]
        assert asked == ["a", "b"]

    def test_an_event_may_cost_more_or_nothing(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 10, cost=lambda event, args: len(args[0]))
        client = connected(hub)
        for text in ("12345", "", "123456", "12345", "", "1"):
            client.say(f'42["e","{text}"]')
        assert [text for _, text in got] == ["12345", "", "12345", ""]

    @pytest.mark.parametrize("cost", [lambda event, args: args[5], lambda event, args: -1, lambda event, args: "x"])
    def test_a_cost_that_is_none_counts_as_one_and_is_told(self, hub: Hub, got: list[Any], log: Log, cost: Any) -> None:
        rate_limit(SLOW, 2, cost=cost)
        raised: list[BaseException] = []
        on_error(lambda request, socket, context, exception: raised.append(exception))
        connected(hub).say(*['42["e"]'] * 3)
        wait_until(lambda: len(raised) == 3)
        assert (len(got), len(log.errors())) == (2, 3)

    def test_each_rule_counts_for_itself(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 2)
        rate_limit(SLOW, 5, event="e", reaction="disconnect")
        client = connected(hub)
        client.say(*['42["e"]'] * 5)
        assert (len(got), client.carrier.ended) == (2, None)
        client.say('42["e"]')
        assert client.wait_for_end() == (1008, "rate limit")

    def test_without_a_rule_nothing_is_kept(self, hub: Hub, got: list[Any]) -> None:
        client = connected(hub)
        client.say('42["e"]')
        assert (client.client.rates, len(hub.rates), len(got)) == (None, 0, 1)


class TestReactions:
    def test_drop_answers_nothing(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 1)
        client = connected(hub)
        client.say('421["e"]', '422["e"]')
        assert client.take() == ['431["done"]']

    @pytest.mark.parametrize("event", [None, "e"])
    def test_error_answers_who_asked(self, hub: Hub, got: list[Any], now: list[float], event: str | None) -> None:
        rate_limit(2, 1, event=event, reaction="error")
        client = connected(hub)
        assert client.ask("e") == ["done"]
        [answer] = client.ask("e")
        assert (answer["__error__"], answer["retry_after"]) == ("rate_limit", 0.5)
        assert answer["message"].startswith("Too fast: at most 2 ")
        client.say('42["e"]')
        assert client.take() == []
        now[0] += answer["retry_after"]
        assert client.ask("e") == ["done"]

    def test_what_will_never_pass_need_not_be_tried_again(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 5, cost=lambda event, args: 6, reaction="error")
        assert connected(hub).ask("e")[0]["retry_after"] is None

    def test_disconnect_closes_and_what_was_sent_already_is_not_handled(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 2, reaction="disconnect")
        client = connected(hub)
        socket = client.socket()
        client.say(*[f'42["e",{number}]' for number in range(10)])
        assert client.wait_for_end() == (1008, "rate limit")
        assert socket.reason == "transport error"
        assert got == [("e", 0), ("e", 1)]

    def test_a_client_that_was_closed_otherwise_is_heard_to_its_end(self, hub: Hub, got: list[Any]) -> None:
        rate_limit(SLOW, 5)
        client = connected(hub)
        client.say(*['42["e"]'] * 3, "1")
        wait_until(lambda: len(got) == 3)

    @pytest.mark.parametrize("reaction", ["drop", "error", "disconnect"])
    def test_each_is_told_to_the_hook(self, hub: Hub, got: list[Any], reaction: Any, log: Log) -> None:
        told: list[Violation] = []
        on_limit(told.append)
        rate_limit(SLOW, 2, event="e", reaction=reaction)
        client = connected(hub)
        socket = client.socket()
        client.say(*['42["e"]'] * 3)
        wait_until(lambda: told)
        assert (told[0].limit, round(told[0].size), told[0].most) == ("rate_limit", 3, 2)
        assert (told[0].session_id, told[0].socket) == (socket.id, socket)
        wait_until(lambda: any("rate_limit exceeded by session" in line for line in log.lines("session")))

    def test_what_is_refused_is_not_in_the_log_of_messages(self, make_hub: MakeHub, log: Log) -> None:
        rate_limit(SLOW, 1)
        connected(make_hub(message_log_format="%(MESSAGE)s")).say('42["message","a"]', '42["message","b"]')
        wait_until(lambda: log.lines("messages") == ["a"])
