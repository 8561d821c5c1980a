"""Import order: web.py's state becomes local to the greenlet wherever it is held.

The test process itself is patched before web is imported, so the wrong order runs in processes of its own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apps.running import run_to_end


def observe(argument: str) -> dict[str, Any]:
    run = run_to_end("holders.py", argument)
    assert run.returncode == 0, run.stderr
    # Also at its end, when it drops what it made before the repair, the interpreter has nothing to complain about.
    complaints = [line for line in run.stderr.splitlines() if "ThreadedDict" in line or "Traceback" in line]
    assert complaints == []
    observed: dict[str, Any] = json.loads(run.stdout)
    return observed


@pytest.fixture(scope="module")
def unrepaired() -> dict[str, Any]:
    return observe("leave")


@pytest.fixture(scope="module")
def repaired() -> dict[str, Any]:
    return observe("repair")


def test_without_the_repair_greenlets_share_every_holder(unrepaired: dict[str, Any]) -> None:
    assert unrepaired["mixed"] == unrepaired["holders"]
    assert unrepaired["seen elsewhere"] == ["kept", "kept"]
    assert not unrepaired["own connection"]
    assert not unrepaired["local before"]
    assert not unrepaired["local after"]


def test_after_the_repair_no_holder_is_shared(repaired: dict[str, Any]) -> None:
    assert repaired["mixed"] == []
    assert repaired["own connection"]
    assert not repaired["local before"]
    assert repaired["local after"]


def test_the_second_repair_finds_nothing_to_do(repaired: dict[str, Any]) -> None:
    assert repaired["repaired"] == [True, False]


def test_values_set_while_importing_stay_with_the_main_greenlet(repaired: dict[str, Any]) -> None:
    assert repaired["kept"] == ["kept", "kept", "kept"]
    assert repaired["seen elsewhere"] == [None, None]
    assert repaired["table kept"]


@pytest.mark.parametrize("observation", ["absent after deletion", "cleared"])
def test_a_forwarding_instance_behaves_like_before(
    observation: str, unrepaired: dict[str, Any], repaired: dict[str, Any]
) -> None:
    assert unrepaired[observation]
    assert repaired[observation]


def test_the_right_order_needs_no_repair() -> None:
    from webpy_socketio.gateway import webpy_locals

    assert webpy_locals.is_greenlet_local()
    assert not webpy_locals.repair_web_locals()
