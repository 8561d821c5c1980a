"""All settings: their defaults, their bounds, and which are in force."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from webpy_socketio import config
from webpy_socketio.config import Config
from webpy_socketio.errors import UsageError

DEFAULTS = Config()
NUMBERS = [name for name in Config.names() - {"busy_poll"} if type(getattr(DEFAULTS, name)) in (int, float)]


@pytest.fixture
def restored() -> Iterator[None]:
    before = config.current()
    yield
    config.install(before)


def test_the_defaults_are_those_of_socket_io() -> None:
    assert (DEFAULTS.resource, DEFAULTS.transports) == ("socket.io", ("polling", "websocket"))
    assert (DEFAULTS.ping_interval, DEFAULTS.ping_timeout) == (25, 20)
    assert (DEFAULTS.connect_timeout, DEFAULTS.upgrade_timeout) == (45, 10)
    assert (DEFAULTS.max_payload, DEFAULTS.max_attachments) == (1_000_000, 10)
    assert DEFAULTS.cors_allowed_origins is None
    assert DEFAULTS.outbox_policy == "disconnect"


def test_the_default_log_format_is_that_of_the_contract() -> None:
    assert DEFAULTS.message_log_format == '%(REMOTE_ADDR)s - - [%(TIME)s] "Socket.IO %(TYPE)s: %(MESSAGE)s"'


def test_settings_are_frozen_and_given_by_name() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULTS.resource = "other"  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        Config("socket.io")  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize("given", ["ws", "/ws", "ws/", "/ws/"])
def test_the_resource_is_a_name_with_or_without_slashes(given: str) -> None:
    assert Config(resource=given).resource == "ws"


@pytest.mark.parametrize("given", ["", "/", "//"])
def test_the_resource_must_not_be_empty(given: str) -> None:
    with pytest.raises(UsageError, match="resource must be the first part of a path"):
        Config(resource=given)


@pytest.mark.parametrize("given", [["websocket"], ("polling",), ["websocket", "polling"]])
def test_transports_are_some_of_two_in_any_order(given: Any) -> None:
    assert Config(transports=given).transports == tuple(given)


@pytest.mark.parametrize("given", [(), ("flashsocket",), ("polling", "webtransport")])
def test_other_transports_are_an_error_that_names_the_known_ones(given: Any) -> None:
    with pytest.raises(UsageError, match=r"transports must be some of .*polling.*websocket"):
        Config(transports=given)


@pytest.mark.parametrize("given", ["", "drop", None])
def test_other_outbox_policies_are_an_error_that_names_the_known_ones(given: Any) -> None:
    with pytest.raises(UsageError, match=r"outbox_policy must be one of .*disconnect.*drop_oldest.*drop_newest"):
        Config(outbox_policy=given)


@pytest.mark.parametrize("given", [0, 0.0, 0.00002, 0.01])
def test_looking_longer_is_a_matter_of_a_few_milliseconds(given: float) -> None:
    assert Config(busy_poll=given).busy_poll == given


@pytest.mark.parametrize("given", [-1, 0.011, 50, float("nan"), "0.0001", None, True])
def test_looking_for_longer_is_an_error(given: Any) -> None:
    with pytest.raises(UsageError, match=r"busy_poll must be seconds from 0 to 0\.01, not "):
        Config(busy_poll=given)


@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "10", None, True, [1]])
def test_every_number_must_be_one_above_zero(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{name} must be a (whole )?number above 0, not "):
        Config.of({name: value})


@pytest.mark.parametrize("name", sorted(name for name in NUMBERS if not name.endswith(("_interval", "_timeout"))))
def test_sizes_and_counts_must_be_whole(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} must be a whole number above 0, not 1.5"):
        Config.of({name: 1.5})


@pytest.mark.parametrize("setting", ["resource", "transports"])
def test_none_is_no_value_for_a_name(setting: str) -> None:
    with pytest.raises(UsageError, match=f"{setting} must be "):
        Config.of({setting: None})


def test_one_transport_as_a_string_is_an_error_that_shows_it_whole() -> None:
    with pytest.raises(UsageError, match="not 'websocket'"):
        Config(transports="websocket")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(("given", "threshold"), [(True, 1_024), (False, 0), (1, 1), (5_000, 5_000)])
def test_the_compression_of_answers_is_on_unless_told_otherwise(given: Any, threshold: int) -> None:
    assert DEFAULTS.http_compression is True
    assert Config(http_compression=given).http_compression_threshold == threshold


@pytest.mark.parametrize("given", [0, -1, None, "on"])
def test_other_values_of_it_are_an_error(given: Any) -> None:
    with pytest.raises(UsageError, match="http_compression must be True, False or a number of bytes above 0, not "):
        Config(http_compression=given)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ((), ()),
        ("127.0.0.1", ("127.0.0.1",)),
        (["10.0.0.0/8", "unix", "fd00::/8", "10.1.2.3/8"], ("10.0.0.0/8", "unix", "fd00::/8", "10.1.2.3/8")),
        ([ip_network("10.0.0.0/8"), ip_address("::1")], ("10.0.0.0/8", "::1")),
    ],
)
def test_trusted_proxies_are_addresses_networks_and_unix(given: Any, names: tuple[str, ...]) -> None:
    assert Config(trusted_proxies=given).trusted_proxies == names


@pytest.mark.parametrize("given", ["localhost", ["10.0.0.0/33"], ["*"], [""], 5, None, [None]])
def test_anything_else_is_an_error_that_shows_it(given: Any) -> None:
    with pytest.raises(
        UsageError, match=r'trusted_proxies must be addresses, networks such as "10.0.0.0/8", or "unix"'
    ):
        Config(trusted_proxies=given)


def test_without_proxies_nobody_is_believed() -> None:
    assert (DEFAULTS.trusted_proxies, DEFAULTS.forwarded_header) == ((), "x-forwarded")


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (None, None),
        ("*", "*"),
        ([], ()),
        ("https://chat.example", ("https://chat.example",)),
        (["http://localhost:3000/", "capacitor://localhost"], ("http://localhost:3000/", "capacitor://localhost")),
        (iter(["http://[::1]:80", "null", "file://"]), ("http://[::1]:80", "null", "file://")),
    ],
)
def test_origins_are_kept_so_that_each_request_can_look_through(given: Any, rule: Any) -> None:
    assert Config(cors_allowed_origins=given).cors_allowed_origins == rule


@pytest.mark.parametrize(
    "given", [["*"], "chat.example", "https://chat.example/page", "a, b", "", 5, [None], "https://*.a"]
)
def test_what_is_no_origin_is_an_error_that_shows_one(given: Any) -> None:
    with pytest.raises(UsageError, match=r'cors_allowed_origins must be .* such as "https://chat.example"'):
        Config(cors_allowed_origins=given)


@pytest.mark.parametrize("given", ["X-Forwarded-For", None, ""])
def test_the_forwarded_header_is_of_two_kinds(given: Any) -> None:
    assert Config(forwarded_header="forwarded").forwarded_header == "forwarded"
    with pytest.raises(UsageError, match='forwarded_header must be "x-forwarded" or "forwarded", not '):
        Config(forwarded_header=given)


@pytest.mark.parametrize("given", ["check", 1, True])
def test_admit_is_a_function(given: Any) -> None:
    assert DEFAULTS.admit is None
    with pytest.raises(UsageError, match="admit must be a function that takes the handshake's request, not "):
        Config(admit=given)


@pytest.mark.parametrize(
    "given",
    [
        5,
        "a b",
        "a;b",
        "a=b",
        "",
        {"path": "/;x"},
        {"expires": "never"},
        {"max_age": "60"},
        {"name": None},
        [1],
        {"same_site": "loose"},
    ],
)
def test_a_cookie_that_cannot_be_is_an_error_that_lists_what_can(given: Any) -> None:
    assert DEFAULTS.cookie is None
    with pytest.raises(
        UsageError, match=r"cookie must be .* some of name, path, domain, max_age, http_only, same_site"
    ):
        Config(cookie=given)


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "5"])
def test_connections_per_address_are_a_number_or_not_counted(given: Any) -> None:
    assert DEFAULTS.max_connections_per_address is None
    assert Config(max_connections_per_address=5).max_connections_per_address == 5
    with pytest.raises(UsageError, match="max_connections_per_address must be a whole number above 0, not "):
        Config(max_connections_per_address=given)


def test_as_many_packets_fit_into_a_payload_as_the_smallest_events_do() -> None:
    assert DEFAULTS.max_packets_per_payload == DEFAULTS.max_payload // len('42["x"]\x1e')


@pytest.mark.parametrize(("given", "threshold"), [(True, 1_024), (1, 1), (5_000, 5_000)])
def test_compression_is_on_or_a_number_of_bytes(given: Any, threshold: int) -> None:
    assert DEFAULTS.compression is False
    assert Config(compression=given).compression_threshold == threshold


@pytest.mark.parametrize("given", [0, -1, None, "on", 10.5])
def test_other_values_of_compression_are_an_error(given: Any) -> None:
    with pytest.raises(UsageError, match="compression must be True, False or a number of bytes above 0, not "):
        Config(compression=given)


@pytest.mark.parametrize("marks", [(64, 64, 100), (64, 63, 100), (1, 2, 2), (5, 4, 3)])
def test_the_marks_of_mailboxes_must_rise(marks: tuple[int, int, int]) -> None:
    low, high, hard = marks
    with pytest.raises(UsageError, match=f"must hold, not {low}, {high}, {hard}"):
        Config(mailbox_low=low, mailbox_high=high, mailbox_hard=hard)


def test_settings_can_be_given_as_a_dictionary() -> None:
    assert Config.of({}) == DEFAULTS
    assert Config.of({"resource": "/x/", "ping_interval": 0.3}) == Config(resource="x", ping_interval=0.3)


def test_an_unknown_setting_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match=r"Unknown setting 'pingInterval'; the known ones are: .*, ping_interval, "
    ) as caught:
        Config.of({"pingInterval": 1})
    assert all(name in str(caught.value) for name in Config.names())


def test_the_names_are_those_of_the_fields() -> None:
    assert Config.names() == {field.name for field in dataclasses.fields(Config)}


@pytest.mark.usefixtures("restored")
def test_what_was_installed_last_is_in_force() -> None:
    mine = Config(resource="mine")
    config.install(mine)
    assert config.current() is mine


@pytest.mark.parametrize("given", ["false", 0, 1, None])
def test_allow_eio3_is_true_or_false(given: Any) -> None:
    with pytest.raises(UsageError, match="allow_eio3 must be True or False"):
        Config(allow_eio3=given)


@pytest.mark.parametrize("given", ["", "4", 3, None])
def test_missing_eio_has_two_values(given: Any) -> None:
    assert (DEFAULTS.missing_eio, Config(missing_eio="3").missing_eio) == ("refuse", "3")
    with pytest.raises(UsageError, match='missing_eio must be "refuse" or "3"'):
        Config(missing_eio=given)
