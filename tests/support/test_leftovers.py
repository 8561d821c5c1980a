from __future__ import annotations

import gevent
import pytest
from gevent.event import Event

from tests.support.leftovers import running_greenlets
from tests.support.processes import ROOT


def test_running_greenlets_are_found_and_ended_ones_are_not() -> None:
    end = Event()
    waiting, ended = gevent.spawn(end.wait), gevent.spawn(int)
    ended.join()
    assert waiting in running_greenlets()
    assert ended not in running_greenlets()
    end.set()
    waiting.join()
    assert waiting not in running_greenlets()


def test_a_thread_that_a_test_left_running_does_not_keep_the_process(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(
        """
        from gevent import monkey; monkey.patch_all()
        from tests.support.leftovers import pytest_unconfigure
        """
    )
    pytester.makepyfile(
        """
        import threading, time
        def forever():
            while True:
                time.sleep(0.1)
        def test_failing():
            threading.Thread(target=forever, daemon=False).start()
            assert False
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=30)
    result.assert_outcomes(failed=1)
