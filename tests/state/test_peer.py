"""Which Socket.IO packet may come when: the table of a membership, cell by cell, and acks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpy_socketio.errors import ProtocolError, UsageError
from webpy_socketio.state.packet_stream import PacketStream
from webpy_socketio.state.peer import AckReceived, JoinRequested, Left, Membership, Outcome, Peer, State, new_ack_id
from webpy_socketio.wire.socket_packets import ACK, Packet

HOLE = '{"_placeholder":true,"num":0}'


def packet(*messages: str | bytes) -> Packet:
    stream = PacketStream(10)
    for message in messages:
        outcome = stream.receive_message(message)
    assert isinstance(outcome, Packet)
    return outcome


def receive(peer: Peer, *messages: str | bytes) -> Outcome:
    return peer.receive_packet(packet(*messages))


def join(peer: Peer, namespace: str = "/", *, accept: bool = True) -> Membership:
    outcome = receive(peer, f"0{namespace},")
    assert isinstance(outcome, JoinRequested)
    if accept:
        peer.accept(outcome.membership)
    return outcome.membership


def peer_in(state: State | None) -> Peer:
    """Bring the membership of ``/`` into a state by what leads there; None: it was never asked for."""
    peer = Peer(10)
    if state is not None:
        membership = join(peer, accept=state is not State.JOINING)
        if state is State.LEFT:
            peer.leave(membership)
        assert membership.state is state
    return peer


def said(outcome: Outcome) -> Any:
    if isinstance(outcome, ProtocolError):
        return outcome.reason
    if isinstance(outcome, JoinRequested):
        return ("join", outcome.auth)
    if isinstance(outcome, AckReceived):
        return ("ack", outcome.waiter, outcome.values)
    if isinstance(outcome, Left):
        return "left"
    return "event" if isinstance(outcome, Membership) else None


# -- the table -------------------------------------------------------------------------------------------------------

NOT_JSON = "not JSON"
SECOND = "a second CONNECT for '/'"
NO_OBJECT, NO_ARRAY = "the payload of CONNECT must be an object", "the payload of an event or ack must be an array"
NO_ID, NO_PAYLOAD = "an ack without an id", "DISCONNECT has no payload"
NOT_ATTACHED = "a placeholder must name one of 1 attachments by its number"


def not_joined(kind: int) -> str:
    return f"a packet of type {kind} for '/', which was not joined"


#: packet: the outcome where the namespace was (never asked for, asked for, joined, left)
TABLE: dict[tuple[str | bytes, ...], tuple[Any, Any, Any, Any]] = {
    ("0",): (("join", {}), SECOND, SECOND, ("join", {})),
    ('0{"a":1}',): (("join", {"a": 1}), SECOND, SECOND, ("join", {"a": 1})),
    ("0[]",): (NO_OBJECT, SECOND, SECOND, NO_OBJECT),
    ("0{",): (NOT_JSON, SECOND, SECOND, NOT_JSON),
    ("1",): (not_joined(1), "left", "left", None),
    ("1{}",): (not_joined(1), NO_PAYLOAD, NO_PAYLOAD, None),
    ('2["a"]',): (not_joined(2), "event", "event", None),
    ('27["a"]',): (not_joined(2), "event", "event", None),
    ("31[]",): (not_joined(3), None, None, None),
    ("3[]",): (not_joined(3), NO_ID, NO_ID, None),
    ("31{}",): (not_joined(3), NO_ARRAY, NO_ARRAY, None),
    ("31[",): (not_joined(3), NOT_JSON, NOT_JSON, None),
    ('4{"message":"no"}',): (not_joined(4), not_joined(4), not_joined(4), not_joined(4)),
    (f'51-["a",{HOLE}]', b"x"): (not_joined(5), "event", "event", None),
    (f"61-1[{HOLE}]", b"x"): (not_joined(6), None, None, None),
    (f"61-[{HOLE}]", b"x"): (not_joined(6), NO_ID, NO_ID, None),
    ('61-1[{"_placeholder":true,"num":1}]', b"x"): (not_joined(6), NOT_ATTACHED, NOT_ATTACHED, None),
}
STATES = [None, State.JOINING, State.JOINED, State.LEFT]


@pytest.mark.parametrize("messages", TABLE)
@pytest.mark.parametrize("column", range(4), ids=["never asked for", "joining", "joined", "left"])
def test_each_packet_in_each_state(messages: tuple[str | bytes, ...], column: int) -> None:
    outcome = said(receive(peer_in(STATES[column]), *messages))
    expected = TABLE[messages][column]
    if expected == NOT_JSON:
        assert outcome.startswith("not JSON: ")
    else:
        assert outcome == expected


def test_a_violation_names_its_namespace_but_not_at_any_length() -> None:
    assert said(receive(Peer(10), '2/chat,["a"]')) == "a packet of type 2 for '/chat', which was not joined"
    assert len(said(receive(Peer(10), f'2/{"x" * 100_000},["a"]'))) < 200


# -- joining and leaving ---------------------------------------------------------------------------------------------


def test_a_client_joins_sends_and_leaves() -> None:
    peer = Peer(10)
    membership = join(peer)
    assert receive(peer, '2["a"]') is membership
    outcome = receive(peer, "1")
    assert isinstance(outcome, Left)
    assert outcome.membership is membership
    assert membership.state is State.LEFT
    assert receive(peer, '2["late"]') is None


def test_namespaces_do_not_know_each_other() -> None:
    peer = Peer(10)
    main, chat = join(peer), join(peer, "/chat", accept=False)
    assert receive(peer, '2["a"]') is main
    assert receive(peer, '2/chat,["b"]') is chat
    receive(peer, "1")
    assert receive(peer, '2/chat,["c"]') is chat
    assert (main.namespace, chat.namespace) == ("/", "/chat")


def test_a_refused_client_may_ask_again() -> None:
    peer = Peer(10)
    peer.refuse(join(peer, accept=False))
    assert peer.memberships == {}
    assert said(receive(peer, '2["a"]')) == "a packet of type 2 for '/', which was not joined"
    assert said(receive(peer, "0")) == ("join", {})


def test_a_client_that_left_may_come_back_as_a_new_member() -> None:
    peer = Peer(10)
    old = join(peer)
    old.owner = "the old socket"
    receive(peer, "1")
    new = join(peer)
    assert new is not old
    assert new.owner is None
    assert (old.state, new.state) == (State.LEFT, State.JOINED)


def test_a_client_may_leave_while_it_waits_to_be_let_in() -> None:
    peer = Peer(10)
    membership = join(peer, accept=False)
    assert said(receive(peer, "1")) == "left"
    for answer in (peer.accept, peer.refuse, peer.leave):
        with pytest.raises(UsageError, match="The namespace '/' is left already"):
            answer(membership)


def test_we_may_leave_before_and_after_the_client_was_let_in() -> None:
    for state in (State.JOINING, State.JOINED):
        peer = peer_in(state)
        peer.leave(peer.memberships["/"])
        assert receive(peer, '2["late"]') is None


def test_a_member_is_let_in_or_refused_once() -> None:
    peer = Peer(10)
    membership = join(peer)
    for answer in (peer.accept, peer.refuse):
        with pytest.raises(UsageError, match="The namespace '/' is joined already"):
            answer(membership)
    assert receive(peer, '2["a"]') is membership


def test_a_refused_connect_leaves_no_trace() -> None:
    peer = Peer(10)
    assert isinstance(receive(peer, "0[]"), ProtocolError)
    assert peer.memberships == {}


# -- limits ----------------------------------------------------------------------------------------------------------


def test_a_client_may_be_in_so_many_namespaces() -> None:
    peer = Peer(3)
    for name in ("/", "/a", "/b"):
        join(peer, name)
    assert said(receive(peer, "0/c,")) == "more than 3 namespaces"
    assert sorted(peer.memberships) == ["/", "/a", "/b"]


def test_namespaces_that_were_left_or_refused_do_not_count() -> None:
    peer = Peer(2)
    join(peer)
    for number in range(100):  # a page that goes from room to room for days
        membership = join(peer, f"/tenant-{number}", accept=number % 3 != 0)
        if membership.state is State.JOINING:
            peer.refuse(membership)
        elif number % 3 == 1:
            peer.leave(membership)
        else:
            receive(peer, f"1/tenant-{number},")
    assert len(peer.memberships) <= 2
    assert isinstance(receive(peer, '2["still there"]'), Membership)


def test_the_namespace_that_was_left_last_is_remembered_longest() -> None:
    peer = Peer(2)
    for name in ("/a", "/b"):
        peer.leave(join(peer, name))
    join(peer, "/c")
    assert receive(peer, '2/b,["crossed our DISCONNECT"]') is None


# -- acks ------------------------------------------------------------------------------------------------------------


def test_an_ack_goes_to_who_waits_for_it() -> None:
    peer = Peer(10)
    membership = join(peer)
    first, second = membership.open_ack("first", 10), membership.open_ack("second", 10)
    assert said(receive(peer, f"3{second}[1,null]")) == ("ack", "second", [1, None])
    assert said(receive(peer, f"61-{first}[{HOLE}]", b"data")) == ("ack", "first", [b"data"])


def test_an_ack_counts_once() -> None:
    peer = Peer(10)
    id_ = join(peer).open_ack("waiter", 10)
    assert said(receive(peer, f"3{id_}[]")) == ("ack", "waiter", [])
    assert receive(peer, f"3{id_}[]") is None


def test_a_malformed_ack_ends_the_client_and_not_the_wait() -> None:
    peer = Peer(10)
    membership = join(peer)
    id_ = membership.open_ack("waiter", 10)
    assert isinstance(receive(peer, f"3{id_}{{}}"), ProtocolError)
    assert membership.take_all_acks() == ["waiter"]


def test_an_ack_that_nobody_waits_for_any_more_is_nothing() -> None:
    peer = Peer(10)
    membership = join(peer)
    id_ = membership.open_ack("waiter", 10)
    assert membership.take_ack(id_) == "waiter"
    assert membership.take_ack(id_) is None
    assert receive(peer, f"3{id_}[]") is None


def test_an_ack_belongs_to_its_namespace() -> None:
    peer = Peer(10)
    id_ = join(peer).open_ack("waiter", 10)
    join(peer, "/chat")
    assert receive(peer, f"3/chat,{id_}[]") is None


def test_an_answer_of_an_old_connection_does_not_answer_a_question_of_the_new_one() -> None:
    old = join(Peer(10)).open_ack("Delete everything?", 10)
    peer = Peer(10)
    join(peer).open_ack("Are you there?", 10)
    assert receive(peer, f"3{old}[true]") is None


def test_a_client_may_owe_so_many_acks() -> None:
    membership = join(Peer(10))
    ids = [membership.open_ack(number, 3) for number in range(3)]
    assert len(set(ids)) == 3
    with pytest.raises(UsageError, match="owes 3 acks already \\(max_pending_acks\\)"):
        membership.open_ack("one more", 3)
    membership.take_ack(ids[0])
    assert membership.open_ack("one more", 3) not in ids


def test_all_waiters_are_taken_when_the_client_is_gone() -> None:
    membership = join(Peer(10))
    assert membership.take_all_acks() == []
    for waiter in ("a", "b"):
        membership.open_ack(waiter, 10)
    assert membership.take_all_acks() == ["a", "b"]
    assert membership.take_all_acks() == []


# -- any packets -----------------------------------------------------------------------------------------------------

kinds = st.sampled_from(["0", "1", "2", "3", "4", "50-", "60-"])
rests = st.sampled_from(["", "{}", "[]", '["a"]', '1["a"]', "1[]", "[", "/b,", '/b,["a"]', '["connect"]'])


@given(st.lists(st.tuples(kinds, rests, st.sampled_from(["accept", "refuse", "wait"])), max_size=20))
def test_no_packets_raise(described: list[tuple[str, str, str]]) -> None:
    peer = Peer(2)
    for kind, rest, answer in described:
        outcome = receive(peer, kind + rest)
        if isinstance(outcome, JoinRequested) and answer != "wait":
            getattr(peer, answer)(outcome.membership)
        assert len(peer.memberships) <= 2


def test_one_ack_id_may_be_shared_by_several_clients() -> None:
    id_ = new_ack_id()
    peers = [Peer(10), Peer(10)]
    memberships = [join(peer) for peer in peers]
    assert [membership.share_ack(id_, f"waiter {at}", 1) for at, membership in enumerate(memberships)] == [True, True]
    for at, peer in enumerate(peers):
        outcome = peer.receive_packet(Packet(ACK, "/", id_, "[1]"))
        assert isinstance(outcome, AckReceived)
        assert (outcome.waiter, outcome.values) == (f"waiter {at}", [1])
    assert memberships[0].open_ack("other", 1) != id_
    assert memberships[0].share_ack(new_ack_id(), "one more", 1) is False
