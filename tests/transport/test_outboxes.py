"""The outboxes that make room: by dropping the oldest, or by keeping only the latest of those alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import is_linear
from webpy_socketio.config import Config, OutboxPolicy
from webpy_socketio.policies import Coalesce
from webpy_socketio.transport.outbox import OVERHEAD, Budget, Outbox, OutgoingPacket
from webpy_socketio.transport.outboxes import make_outbox
from webpy_socketio.transport.outgoing_3 import Base64Packet3, Packet3, translate
from webpy_socketio.types import Excess
from webpy_socketio.wire.socket_packets import encode_event


class Owner:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def receive_drop(self, excess: Excess) -> None:
        self.told.append(excess)

    def receive_relief(self, dropped: int) -> None:
        self.told.append(dropped)


def event(name: str, *arguments: object, id_: int | None = None, namespace: str = "/") -> OutgoingPacket:
    text, attachments = encode_event(namespace, id_, [name, *arguments])
    return OutgoingPacket(b"4" + text, attachments, droppable=True)


def control(text: str) -> OutgoingPacket:
    return OutgoingPacket(text.encode())


def by_first(name: str, arguments: list[Any]) -> Any:
    return arguments[0] if arguments else None


def outbox_of(policy: OutboxPolicy, *, limit: int = 1_000_000, owner: Owner | None = None, **more: Any) -> Outbox:
    config = Config(outbox_limit=limit, outbox_policy=policy)
    return make_outbox(config, more.get("budget") or Budget(10_000_000), owner, more.get("on_failure", pytest.fail))


def stuck_outbox(policy: OutboxPolicy, **more: Any) -> Outbox:
    outbox = outbox_of(policy, **more)
    outbox.set_stuck(True)
    return outbox


def heard(outbox: Outbox) -> list[str]:
    taken = outbox.take_packets(10_000_000, 1_000_000) if outbox.packets else []
    return [packet.text.decode() for packet in taken if packet.text]


class TestCoalescing:
    def test_a_newer_value_stands_where_the_older_one_stood(self) -> None:
        outbox = stuck_outbox(Coalesce(by_first))
        for packet in (event("p", "EUR", 1), event("p", "USD", 1), event("p", "EUR", 2)):
            assert outbox.push(packet)
        assert heard(outbox) == ['42["p","EUR",2]', '42["p","USD",1]']

    def test_the_sizes_are_right_afterwards(self) -> None:
        budget = Budget(10_000)
        outbox = stuck_outbox(Coalesce(by_first), budget=budget)
        for number in (1, 1_000_000, 3):
            outbox.push(event("p", "EUR", number))
            assert outbox.size == budget.used == sum(packet.size for packet in outbox.packets)
        outbox.take_frames(1_000_000)
        assert (outbox.size, budget.used) == (0, 0)

    def test_a_client_that_takes_what_is_there_gets_everything(self) -> None:
        outbox = outbox_of(Coalesce(by_first))
        for number in range(3):
            outbox.push(event("p", "EUR", number))
        assert len(heard(outbox)) == 3

    def test_of_what_waits_when_it_gets_stuck_the_latest_is_kept(self) -> None:
        outbox = outbox_of(Coalesce(by_first))
        for number in range(3):
            outbox.push(event("p", "EUR", number))
        outbox.set_stuck(True)
        assert heard(outbox) == ['42["p","EUR",2]']

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (event("p", "EUR"), event("q", "EUR")),
            (event("p", "EUR"), event("p", "EUR", namespace="/side")),
            (event("p", "EUR"), event("p", "USD")),
            (event("p", "EUR", id_=7), event("p", "EUR", id_=8)),
            (event("p"), event("p")),
            (control("43[]"), control("43[]")),
            (control("2"), control("2")),
        ],
    )
    def test_what_is_not_alike_is_kept(self, first: OutgoingPacket, second: OutgoingPacket) -> None:
        outbox = stuck_outbox(Coalesce(by_first))
        outbox.push(first)
        outbox.push(second)
        assert len(heard(outbox)) == 2

    def test_a_packet_goes_with_its_attachments(self) -> None:
        outbox = stuck_outbox(Coalesce(lambda name, arguments: bytes(arguments[0][:1])))
        for data in (b"a1", b"b1", b"a2"):
            outbox.push(event("file", data))
        kept = outbox.take_packets(1_000_000, 16)
        assert [packet.attachments for packet in kept] == [[b"a2"], [b"b1"]]

    @pytest.mark.parametrize("kind", [Packet3, Base64Packet3])
    def test_bytes_are_the_applications_for_clients_of_old_too(self, kind: type[Packet3]) -> None:
        seen: list[Any] = []
        outbox = stuck_outbox(Coalesce(lambda name, arguments: seen.append(arguments)))
        outbox.push(translate(event("file", b"a1"), kind))
        assert seen == [[b"a1"]]

    def test_what_was_taken_is_not_replaced(self) -> None:
        outbox = stuck_outbox(Coalesce(by_first))
        for key in ("a", "b", "c"):
            outbox.push(event("p", key, 1))
        assert outbox.take_frames(1) == event("p", "a", 1).frames()
        for key in ("a", "c"):
            outbox.push(event("p", key, 2))
        assert heard(outbox) == ['42["p","b",1]', '42["p","c",2]', '42["p","a",2]']

    def test_what_comes_back_gives_way_to_what_is_newer(self) -> None:
        outbox = stuck_outbox(Coalesce(by_first))
        outbox.push(event("p", "a", 1))
        outbox.push(event("p", "b", 1))
        outbox.set_stuck(False)
        taken = outbox.take_packets(1_000_000, 16)
        outbox.set_stuck(True)
        outbox.push(event("p", "a", 2))
        outbox.restore(taken)
        assert heard(outbox) == ['42["p","a",2]', '42["p","b",1]']

    def test_a_value_that_does_not_fit_is_refused(self) -> None:
        owner = Owner()
        outbox = stuck_outbox(Coalesce(by_first), limit=OVERHEAD + 100, owner=owner)
        assert outbox.push(event("p", "a"))
        large = event("p", "a", "x" * 200)
        assert not outbox.push(large)
        assert outbox.excess_of(large).limit == "outbox_limit"
        assert heard(outbox) == ['42["p","a"]']

    def test_nor_one_above_the_ceiling_of_the_process(self) -> None:
        outbox = stuck_outbox(Coalesce(by_first), budget=Budget(OVERHEAD + 100))
        assert outbox.push(event("p", "a"))
        assert not outbox.push(event("p", "a", "x" * 200))
        assert not outbox.push(event("p", "b"))

    @pytest.mark.parametrize("result", [[1], {}])
    def test_a_key_that_is_none_costs_only_the_saving(self, result: object) -> None:
        failures: list[int] = []
        policy = Coalesce(lambda name, arguments: result)  # type: ignore[arg-type, return-value]  # that is the point
        outbox = stuck_outbox(policy, on_failure=lambda: failures.append(1))
        assert outbox.push(event("p", 1)) and outbox.push(event("p", 2))
        assert (len(heard(outbox)), failures) == (2, [1, 1])

    def test_a_key_is_made_once_for_all_receivers(self) -> None:
        asked: list[str] = []
        policy = Coalesce(lambda name, arguments: asked.append(name))
        packet = event("p", 1)
        for _ in range(3):
            assert stuck_outbox(policy).push(packet)
        assert asked == ["p"]

    def test_nothing_is_left_when_the_client_is_gone(self) -> None:
        budget = Budget(10_000)
        outbox = stuck_outbox(Coalesce(by_first), budget=budget)
        outbox.push(event("p", "a"))
        outbox.clear()
        assert (outbox.packets, outbox.size, budget.used) == ([], 0, 0)

    def test_what_may_be_said_of_it_is_checked(self) -> None:
        with pytest.raises(Exception, match="function of an event's name and arguments"):
            Coalesce("price")  # type: ignore[arg-type]  # that is the point
        with pytest.raises(Exception, match="otherwise must be"):
            Coalesce(by_first, otherwise="drop_oldest")  # type: ignore[arg-type]  # likewise


class TestDropping:
    def test_the_owner_hears_of_the_first_drop_and_of_the_end(self) -> None:
        owner = Owner()
        outbox = outbox_of("drop_oldest", limit=2 * OVERHEAD + 50, owner=owner)
        for number in range(5):
            outbox.push(event("p", number))
        assert owner.told == [("outbox_limit", 3 * OVERHEAD + 27, 2 * OVERHEAD + 50)]
        assert (outbox.stuck, outbox.dropped) == (True, 3)
        outbox.take_frames(1_000_000)
        outbox.set_stuck(False)
        assert owner.told[1:] == [3]
        for number in range(3):
            outbox.push(event("p", number))
        assert len(owner.told) == 3

    def test_under_the_ceiling_of_the_process_it_drops_its_own(self) -> None:
        budget = Budget(3 * OVERHEAD)
        first, second = (stuck_outbox("drop_oldest", budget=budget) for _ in range(2))
        assert first.push(event("p", 1))
        assert [second.push(event("p", number)) for number in range(3)] == [True, True, True]
        assert (heard(first), heard(second)) == (['42["p",1]'], ['42["p",2]'])
        assert budget.used == 0

    def test_one_with_nothing_to_drop_gets_nothing(self) -> None:
        budget = Budget(2 * OVERHEAD)
        first, second = (stuck_outbox("drop_oldest", budget=budget) for _ in range(2))
        assert first.push(event("p", 1))
        assert not second.push(event("p", 2))
        assert second.excess_of(event("p", 2)).limit == "outbox_ceiling"

    def test_what_comes_back_can_be_dropped_again(self) -> None:
        outbox = stuck_outbox("drop_oldest", limit=2 * OVERHEAD + 50)
        outbox.push(event("p", 1))
        taken = outbox.take_packets(1_000_000, 16)
        outbox.push(event("p", 2))
        outbox.restore(taken)
        outbox.push(event("p", 3))
        assert heard(outbox) == ['42["p",2]', '42["p",3]']

    @given(st.lists(st.tuples(st.sampled_from("eccckt"), st.integers(0, 400)), max_size=120))
    def test_order_and_sizes_hold_whatever_comes(self, steps: list[tuple[str, int]]) -> None:
        budget = Budget(1_000_000)
        outbox = outbox_of("drop_oldest", limit=2_000, budget=budget)
        out: list[int] = []
        controls: list[int] = []
        for number, (step, size) in enumerate(steps):
            if step == "t" and outbox.packets:
                out += [int(one.text) for one in outbox.take_packets(size * 3, 3)]
            elif step == "k":
                outbox.set_stuck(not outbox.stuck)
            elif step == "c":
                if outbox.push(OutgoingPacket(b"%d" % number)):
                    controls.append(number)
            else:
                outbox.push(OutgoingPacket(b"%d" % number, [b"x" * size], droppable=True))
            assert outbox.size == sum(one.size for one in outbox.packets)
            assert budget.used == (outbox.size if outbox.stuck else 0)
        out += [int(text) for text in heard(outbox)]
        assert out == sorted(out)
        assert set(controls) <= set(out)


@pytest.mark.parametrize("policy", ["drop_oldest", Coalesce(by_first)])
def test_a_packet_costs_the_same_however_many_wait(policy: OutboxPolicy) -> None:
    def push(count: int) -> None:
        outbox = stuck_outbox(policy, limit=2 * (count + 1_000) * OVERHEAD)
        for number in range(count):
            outbox.push(control(str(number)))
        for number in range(count):
            outbox.push(event("p", number))
        for number in range(2 * count):
            assert outbox.push(event("p", number % count))

    assert is_linear(push, 9_000)
