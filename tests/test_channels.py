"""Who is subscribed to what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webpy_socketio.channels import Channels


def filled() -> Channels[str]:
    """Ann is in a and b, Bob in b and c."""
    channels: Channels[str] = Channels()
    for member, channel in (("ann", "a"), ("ann", "b"), ("bob", "b"), ("bob", "c")):
        assert channels.subscribe(member, channel)
    return channels


def test_subscribing_twice_is_subscribing_once() -> None:
    channels = filled()
    assert channels.subscribe("ann", "a") is False
    assert (channels.of("ann"), channels.members("a")) == (["a", "b"], ["ann"])


def test_unsubscribing() -> None:
    channels = filled()
    assert channels.unsubscribe("ann", "b") is True
    assert channels.unsubscribe("ann", "b") is False
    assert (channels.of("ann"), channels.members("b")) == (["a"], ["bob"])


def test_unsubscribing_from_what_one_is_not_in_changes_nothing() -> None:
    channels = filled()
    assert channels.unsubscribe("ann", "c") is False
    assert channels.unsubscribe("ann", "nowhere") is False
    assert channels.unsubscribe("nobody", "a") is False
    assert list(channels) == ["a", "b", "c"]


def test_a_channel_without_members_ceases_to_be() -> None:
    channels = filled()
    channels.unsubscribe("ann", "a")
    assert "a" not in channels
    assert list(channels) == ["b", "c"]
    assert len(channels) == 2


def test_leaving_all() -> None:
    channels = filled()
    channels.unsubscribe_all("bob")
    assert (channels.of("bob"), list(channels), channels.members("b")) == ([], ["a", "b"], ["ann"])
    channels.unsubscribe_all("bob")
    channels.unsubscribe_all("nobody")
    channels.unsubscribe_all("ann")
    assert len(channels) == 0


def test_members_and_channels_stand_in_order_of_subscription() -> None:
    channels: Channels[str] = Channels()
    for channel in ("z", "m", "a"):
        channels.subscribe("ann", channel)
    for member in ("zoe", "bob"):
        channels.subscribe(member, "m")
    assert channels.of("ann") == ["z", "m", "a"]
    assert channels.members("m") == ["ann", "zoe", "bob"]
    channels.unsubscribe("ann", "z")
    channels.subscribe("ann", "z")
    assert channels.of("ann") == ["m", "a", "z"]


def test_asking_who_holds_what() -> None:
    channels = filled()
    assert [channels.holds("ann", channel) for channel in ("a", "b", "c", "nowhere")] == [True, True, False, False]
    assert not channels.holds("nobody", "a")
    assert (channels.of("nobody"), channels.members("nowhere")) == ([], [])


def test_the_union_has_each_member_once() -> None:
    channels = filled()
    assert list(channels.union(["a", "b", "c", "nowhere"])) == ["ann", "bob"]
    assert list(channels.union([])) == []


def test_what_is_given_out_may_be_changed() -> None:
    channels = filled()
    channels.of("ann").clear()
    channels.members("a").clear()
    channels.union(["a"]).clear()
    for channel in channels:
        channels.unsubscribe("ann", channel)
    assert channels.members("b") == ["bob"]


steps = st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from("xyz")), max_size=60)


@given(steps)
def test_it_behaves_like_a_set_of_pairs(taken: list[tuple[bool, str, str]]) -> None:
    channels: Channels[str] = Channels()
    pairs: set[tuple[str, str]] = set()
    for subscribing, member, channel in taken:
        pair = (member, channel)
        if subscribing:
            assert channels.subscribe(member, channel) is (pair not in pairs)
            pairs.add(pair)
        else:
            assert channels.unsubscribe(member, channel) is (pair in pairs)
            pairs.discard(pair)
        for name in "abc":
            assert set(channels.of(name)) == {c for m, c in pairs if m == name}
        for name in "xyz":
            assert set(channels.members(name)) == {m for m, c in pairs if c == name}
            assert (name in channels) is any(c == name for _, c in pairs)
    assert len(channels) == len({c for _, c in pairs})
