from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support import side_by_side


def test_the_numbers_of_both_are_added_up() -> None:
    outputs = [
        "....\n==== 1 failed, 4 passed, 2 deselected, 1 error in 3.50s ====\n",
        "..\n2 passed, 5 deselected, 2 warnings in 1.25s\n",
    ]
    assert side_by_side.closing_line(outputs, 4) == "1 failed, 6 passed, 1 error, 2 warning in 4.00s"


def test_a_run_that_died_without_a_closing_line_adds_nothing() -> None:
    assert side_by_side.closing_line(["Segmentation fault\n", "2 passed in 1.0s\n"], 2.5) == "2 passed in 2.50s"
    assert side_by_side.closing_line(["no tests ran in 0.1s\n"], 1) == "no tests ran in 1.00s"


@pytest.mark.parametrize(
    ("statuses", "together"),
    [((0, 0), 0), ((0, 5), 0), ((5, 0), 0), ((5, 5), 5), ((1, 0), 1), ((0, 1), 1), ((5, 1), 1), ((0, -11), -11)],
)
def test_a_failure_of_either_is_a_failure(statuses: tuple[int, int], together: int) -> None:
    assert side_by_side.status_of(statuses) == together


def test_both_halves_run_and_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The half beside fails: that is the status, and its output is not lost."""
    program = 'import sys; print("half", sys.argv[1:]); sys.exit("not browser" not in sys.argv)'
    monkeypatch.setattr(side_by_side, "PYTEST", (sys.executable, "-c", program))
    monkeypatch.setattr(side_by_side, "COVERED", (sys.executable, "-c", program))
    with (tmp_path / "beside").open("wb") as log:
        status, outputs = side_by_side.run(["-q"], log)
    assert status == 1
    assert "['-m', 'not browser', '-q']" in outputs[0]
    assert "['-p', 'no:cacheprovider', '-m', 'browser', '-q']" in outputs[1]
    shown = capsys.readouterr().out
    assert "'not browser'" in shown
    assert "'browser'" in shown


def test_a_choice_by_markers_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(side_by_side, "COVERED", (sys.executable, "-c", "import sys; print(sys.argv[1:])"))
    with (tmp_path / "beside").open("wb") as log:
        status, outputs = side_by_side.run(["-m", "npm"], log)
    assert (status, outputs) == (0, ["['-m', 'npm']\n"])
    assert not (tmp_path / "beside").read_bytes()
