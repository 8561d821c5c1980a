"""How many sessions each address has, and what counts as one address."""

from __future__ import annotations

import pytest

from webpy_socketio.hub.addresses import Addresses, group_of


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("a:b", "a:b"),
    ],
)
def test_an_address_counts_as_one_customer(address: str, group: str) -> None:
    assert group_of(address) == group


def test_the_last_place_is_given_once_and_comes_back() -> None:
    addresses = Addresses(2)
    group = addresses.enter("192.0.2.1")
    assert group is not None
    assert addresses.enter("192.0.2.1") == group
    assert addresses.enter("192.0.2.1") is None
    assert addresses.enter("192.0.2.2") is not None, "another address has places of its own"
    addresses.leave(group)
    assert addresses.enter("192.0.2.1") == group


def test_a_session_keeps_its_place_until_it_ends_once() -> None:
    addresses = Addresses(1)
    group = addresses.enter("2001:db8::1")
    assert group is not None
    addresses.keep("sid", group)
    assert addresses.enter("2001:db8::2") is None
    addresses.end("sid")
    assert len(addresses) == 0
    addresses.end("sid")
    addresses.end("another")
    assert addresses.enter("2001:db8::2") == group
    assert addresses.enter("2001:db8::2") is None


def test_nothing_is_left_of_those_who_are_gone() -> None:
    addresses = Addresses(None)
    for number in range(100):
        group = addresses.enter(f"192.0.2.{number}")
        assert group is not None
        addresses.keep(str(number), group)
    assert len(addresses) == 100
    for number in range(99):
        addresses.end(str(number))
    assert len(addresses) == 1
    addresses.clear()
    addresses.end("99")
    assert len(addresses) == 0
