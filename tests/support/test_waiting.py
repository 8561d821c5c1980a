from __future__ import annotations

import time
from itertools import count

import pytest

from tests.support.waiting import wait_until


def test_the_true_value_is_returned() -> None:
    assert wait_until(lambda: "value") == "value"


def test_it_looks_again_until_the_condition_is_true() -> None:
    calls = count(1)
    assert wait_until(lambda: next(calls) >= 3)
    assert next(calls) == 4


def test_giving_up_names_what_was_waited_for() -> None:
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"the second coming did not come true within 0\.05 s"):
        wait_until(lambda: False, 0.05, "the second coming")
    assert time.monotonic() - began >= 0.05
