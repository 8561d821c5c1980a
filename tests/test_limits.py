"""What applications may say about limits, and what is wrong with the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from webpy_socketio import Violation, rate_limit
from webpy_socketio.errors import UsageError
from webpy_socketio.events import registry
from webpy_socketio.limit_rules import RateLimit


@pytest.fixture(autouse=True)
def _own_rules() -> Iterator[None]:
    registry.limits.clear()
    yield
    registry.limits.clear()


def rules() -> tuple[RateLimit, ...]:
    return registry.limits.rates


class TestRateLimit:
    def test_a_second_is_the_least_burst(self) -> None:
        rate_limit(5)
        rate_limit(0.5, event="chat")
        assert [(rule.events_per_second, rule.burst) for rule in rules()] == [(5, 5), (0.5, 1)]

    @pytest.mark.parametrize(
        ("arguments", "named", "text"),
        [
            ((0,), {}, "events_per_second must be a number above 0, not 0"),
            (("5",), {}, "events_per_second must be a number above 0, not '5'"),
            ((True,), {}, "events_per_second"),
            ((float("nan"),), {}, "events_per_second"),
            ((5, -1), {}, "burst must be a number above 0, not -1"),
            ((5, 0.5), {}, "burst must be at least 1, or no event would ever pass; it is 0.5"),
            ((5,), {"per": "client"}, "per is one of .*not \\('client', 'drop'\\)"),
            ((5,), {"reaction": "ignore"}, "reaction of .*'error'.*not \\('socket', 'ignore'\\)"),
            ((5,), {"event": ""}, "event must be the name of an event, or None"),
            ((5,), {"cost": 3}, "cost must be a function of an event's name and its arguments, not 3"),
            ((5,), {"namespace": "a,b"}, "namespace must be"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, arguments: Any, named: Any, text: str) -> None:
        with pytest.raises(UsageError, match=text):
            rate_limit(*arguments, **named)
        assert rules() == ()

    def test_the_same_rule_again_takes_the_place_of_the_older_one(self) -> None:
        # As when web.py's debug mode imports the main file again, with other numbers in it.
        rate_limit(5, event="chat")
        rate_limit(1, per="address")
        rate_limit(7, event="chat", reaction="error")
        assert [(rule.events_per_second, rule.reaction) for rule in rules()] == [(7, "error"), (1, "drop")]

    def test_rules_for_something_else_stand_beside_it(self) -> None:
        def size(event: str, args: list[Any]) -> int:
            return len(args)

        rate_limit(5)
        rate_limit(5, per="address")
        rate_limit(5, event="chat")
        rate_limit(5, namespace="/side")
        rate_limit(5, namespace=re.compile("^/tenant-"))
        rate_limit(5, cost=size)
        assert len(rules()) == 6


class TestViolation:
    def test_it_says_all_in_one_line(self) -> None:
        violation = Violation("max_payload", 1_000_001, 1_000_000, session_id="abc", request={"REMOTE_ADDR": "::1"})
        assert str(violation) == "max_payload exceeded by session abc from ::1: 1000001, at most 1000000"
        assert repr(violation) == f"<Violation: {violation}>"

    def test_what_is_not_known_is_a_dash(self) -> None:
        violation = Violation("rate_limit", 3.5, 3, count=4, detail="at most 3 events per second")
        text = "rate_limit exceeded 4 times by session - from -: 3.5, at most 3 (at most 3 events per second)"
        assert (str(violation), violation.request, violation.socket) == (text, {}, None)
