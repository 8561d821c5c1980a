"""What waits for one client: whole packets, bounded in bytes."""

from __future__ import annotations

from typing import Any

import pytest

from webpy_socketio.config import Config, OutboxPolicy
from webpy_socketio.transport.outbox import OVERHEAD, Budget, Outbox, OutgoingPacket
from webpy_socketio.transport.outboxes import make_outbox


def packet(text: str, *attachments: bytes, droppable: bool = True) -> OutgoingPacket:
    return OutgoingPacket(text.encode(), list(attachments), droppable)


def control(text: str) -> OutgoingPacket:
    return packet(text, droppable=False)


def outbox_of(limit: int, policy: OutboxPolicy = "disconnect", ceiling: int = 1_000_000) -> Outbox:
    return make_outbox(Config(outbox_limit=limit, outbox_policy=policy), Budget(ceiling), None, pytest.fail)


def texts(outbox: Outbox) -> list[str]:
    return [one.text.decode() for one in outbox.packets if one.text]  # gaps have none


class TestPackets:
    def test_text_becomes_one_frame(self) -> None:
        assert packet("42[]").frames() == b"\x81\x0442[]"

    def test_attachments_are_binary_frames_behind_it(self) -> None:
        assert packet("451-[]", b"\0", b"ab").frames() == b"\x81\x06451-[]" + b"\x82\x01\0" + b"\x82\x02ab"

    def test_in_a_payload_attachments_are_base64(self) -> None:
        assert packet("451-[]", b"\0\1").pieces() == (b"451-[]", b"bAAE=")

    def test_both_are_made_once(self) -> None:
        one = packet("451-[]", b"\0")
        assert one.frames() is one.frames()
        assert one.pieces() is one.pieces()

    def test_its_size_counts_everything_and_some_overhead(self) -> None:
        assert packet("42[]").size == OVERHEAD + 4
        assert packet("42[]", b"12345", b"6").size == OVERHEAD + 10


class TestLimit:
    @pytest.mark.parametrize("policy", ["disconnect", "drop_newest"])
    def test_what_does_not_fit_is_not_taken(self, policy: OutboxPolicy) -> None:
        outbox = outbox_of(2 * OVERHEAD + 10, policy)
        assert [outbox.push(packet(text)) for text in ("12345", "67890", "x")] == [True, True, False]
        assert texts(outbox) == ["12345", "67890"]
        assert outbox.size == 2 * OVERHEAD + 10

    def test_drop_oldest_makes_room_in_order(self) -> None:
        outbox = outbox_of(3 * OVERHEAD, "drop_oldest")
        for text in "abcd":
            assert outbox.push(packet(text))
        assert texts(outbox) == ["c", "d"]
        assert outbox.size == 2 * (OVERHEAD + 1)

    def test_drop_oldest_drops_no_more_than_it_must(self) -> None:
        outbox = outbox_of(4 * OVERHEAD, "drop_oldest")
        for text in "abc":
            outbox.push(packet(text))
        assert outbox.push(packet("d" * 100))
        assert texts(outbox) == ["b", "c", "d" * 100]

    def test_drop_oldest_passes_over_what_may_not_be_dropped(self) -> None:
        outbox = outbox_of(4 * (OVERHEAD + 1), "drop_oldest")
        for one in (control("1"), packet("a"), control("2"), packet("b")):
            outbox.push(one)
        assert outbox.push(packet("c"))
        assert texts(outbox) == ["1", "2", "b", "c"]
        assert outbox.size == sum(one.size for one in outbox.packets)
        assert outbox.take_frames(1_000_000) == b"".join(packet(text).frames() for text in "12bc")

    @pytest.mark.parametrize("held", [[], ["a", "b"]])
    def test_what_is_too_large_by_itself_costs_the_others_nothing(self, held: list[str]) -> None:
        outbox = outbox_of(4 * OVERHEAD, "drop_oldest")
        for text in held:
            outbox.push(packet(text))
        assert not outbox.push(packet("x" * 10_000))
        assert texts(outbox) == held

    def test_attachments_count_and_are_dropped_with_their_packet(self) -> None:
        outbox = outbox_of(2 * OVERHEAD + 100, "drop_oldest")
        outbox.push(packet("a", b"x" * 90))
        outbox.push(packet("b", b"y" * 90))
        [kept] = outbox.take_packets(1_000_000, 16)
        assert (kept.text, kept.attachments) == (b"b", [b"y" * 90])

    @pytest.mark.parametrize("policy", ["disconnect", "drop_oldest", "drop_newest"])
    def test_control_packets_may_go_beyond_up_to_twice_the_limit(self, policy: OutboxPolicy) -> None:
        outbox = outbox_of(2 * OVERHEAD + 2, policy)
        outbox.push(packet("a"))
        assert [outbox.push(control(str(number))) for number in range(5)] == [True, True, True, False, False]
        assert texts(outbox) == ["a", "0", "1", "2"]


class TestBudget:
    def test_only_the_bytes_of_stuck_clients_count(self) -> None:
        budget = Budget(1_000_000)
        outboxes = [Outbox(Config(), budget) for _ in range(2)]
        for outbox in outboxes:
            outbox.push(packet("before"))
        outboxes[0].set_stuck(True)
        assert budget.used == outboxes[0].size
        outboxes[0].push(packet("after"))
        outboxes[1].push(packet("after"))
        assert budget.used == outboxes[0].size
        outboxes[0].set_stuck(False)
        assert budget.used == 0

    def test_above_the_ceiling_nothing_more_is_taken_for_stuck_clients(self) -> None:
        budget = Budget(3 * OVERHEAD)
        stuck, other, quick = (Outbox(Config(), budget) for _ in range(3))
        stuck.set_stuck(True)
        other.set_stuck(True)
        assert [stuck.push(packet("a")), other.push(packet("b")), other.push(packet("c"))] == [True, True, False]
        assert quick.push(packet("d"))

    def test_control_packets_go_beyond(self) -> None:
        outbox = outbox_of(1_000_000, ceiling=OVERHEAD)
        outbox.set_stuck(True)
        assert outbox.push(control("1"))
        assert not outbox.push(packet("a"))

    @pytest.mark.parametrize("how", ["frames", "some frames", "packets", "clear", "unstick", "drop"])
    def test_what_leaves_does_not_count_any_more(self, how: str) -> None:
        budget = Budget(1_000_000)
        config = Config(outbox_limit=3 * OVERHEAD, outbox_policy="drop_oldest")
        outbox = make_outbox(config, budget, None, pytest.fail)
        outbox.set_stuck(True)
        outbox.push(packet("a"))
        outbox.push(packet("b"))
        leaving: dict[str, Any] = {
            "frames": lambda: outbox.take_frames(1_000_000),
            "some frames": lambda: outbox.take_frames(1),
            "packets": lambda: outbox.take_packets(1_000_000, 1),
            "clear": outbox.clear,
            "unstick": lambda: outbox.set_stuck(False),
            "drop": lambda: outbox.push(packet("c")),
        }
        leaving[how]()
        assert budget.used == (outbox.size if outbox.stuck else 0)

    def test_what_comes_back_counts_again(self) -> None:
        budget = Budget(1_000_000)
        outbox = Outbox(Config(), budget)
        outbox.push(packet("a"))
        taken = outbox.take_packets(1_000_000, 16)
        outbox.set_stuck(True)
        outbox.restore(taken)
        assert budget.used == outbox.size == OVERHEAD + 1


class TestTaking:
    def test_all_frames_at_once_if_they_fit(self) -> None:
        outbox = outbox_of(1_000_000)
        for text in ("42[1]", "42[2]"):
            outbox.push(packet(text))
        assert outbox.take_frames(1_000_000) == b"\x81\x0542[1]\x81\x0542[2]"
        assert (outbox.packets, outbox.size) == ([], 0)

    def test_or_about_as_many_bytes_and_at_least_one_packet(self) -> None:
        outbox = outbox_of(1_000_000)
        for text in "abc":
            outbox.push(packet(text))
        assert outbox.take_frames(1) == b"\x81\x01a"
        assert outbox.take_frames(OVERHEAD + 2) == b"\x81\x01b\x81\x01c"
        assert outbox.size == 0

    def test_a_single_large_one_is_taken_whole(self) -> None:
        outbox = outbox_of(1_000_000)
        outbox.push(packet("x" * 1000))
        assert len(outbox.take_frames(10)) == 1004

    def test_packets_by_size_and_number_of_pieces(self) -> None:
        outbox = outbox_of(1_000_000)
        for one in (packet("a", b"1", b"2"), packet("b"), packet("c")):
            outbox.push(one)
        assert [one.text for one in outbox.take_packets(1_000_000, 4)] == [b"a", b"b"]
        assert [one.text for one in outbox.take_packets(1_000_000, 4)] == [b"c"]

    def test_a_packet_is_never_split_even_if_it_is_too_much(self) -> None:
        outbox = outbox_of(1_000_000)
        outbox.push(packet("a", *[b"x"] * 20))
        outbox.push(packet("b"))
        [taken] = outbox.take_packets(10, 16)
        assert taken.text == b"a"

    def test_what_could_not_be_written_comes_back_to_the_front(self) -> None:
        outbox = outbox_of(1_000_000)
        for text in "abc":
            outbox.push(packet(text))
        size = outbox.size
        taken = outbox.take_packets(1_000_000, 2)
        outbox.restore(taken)
        assert (texts(outbox), outbox.size) == (["a", "b", "c"], size)
