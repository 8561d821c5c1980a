from __future__ import annotations

import pytest

from tests.support.processes import ROOT

CONFTEST = """
from gevent import monkey; monkey.patch_all()
from tests.support.time_limits import pytest_timeout_set_timer, pytest_timeout_cancel_timer
"""

WAITING = """
import gevent, pytest, socket, time
from gevent.event import Event

pytestmark = pytest.mark.timeout(0.3)

def spin():
    while True:
        gevent.sleep(0)

def test_sleeping(): time.sleep(60)
def test_waiting_for_another_greenlet(): gevent.spawn(gevent.sleep, 60).join()
def test_waiting_while_others_run(): gevent.spawn(spin); Event().wait()
def test_running():
    while True: pass

def test_receiving():
    one, other = socket.socketpair()
    one.recv(1)

def test_in_time(): gevent.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def _helpers_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_a_test_that_waits_or_runs_for_ever_is_ended_and_the_next_one_runs(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(WAITING)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=5, passed=1)
    result.stdout.fnmatch_lines(["*test_receiving did not end within 0.3 s*"])


def test_a_test_in_time_is_left_alone_afterwards(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        """
        import pytest, time
        @pytest.mark.timeout(0.2)
        def test_short(): pass
        @pytest.mark.timeout(0)
        def test_longer_than_the_limit_of_the_one_before(): time.sleep(0.5)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2)
