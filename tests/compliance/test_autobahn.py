"""The harness of the Autobahn|Testsuite: what it finds, what it asks for, and what its results mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compliance.autobahn import EXCUSED, Case, NoPython27, Run, python27, read_report, specification
from tests.compliance.run_autobahn import main, summarise


def a_run(*cases: Case, is_over_time: bool = False) -> Run:
    return Run("1", cases, 1.0, is_over_time)


@pytest.mark.parametrize(
    ("case", "verdict", "is_bad"),
    [
        (Case("1.1.1", "OK", "OK"), "OK", False),
        (Case("7.1.6", "INFORMATIONAL", "INFORMATIONAL"), "INFORMATIONAL", False),
        (Case("1.1.1", "NON-STRICT", "OK"), "NON-STRICT", True),
        (Case("1.1.1", "FAILED", "OK"), "FAILED", True),
        (Case("12.1.1", "UNIMPLEMENTED", "OK"), "UNIMPLEMENTED", True),
        (Case("1.1.1", "OK", "WRONG CODE"), "OK, close WRONG CODE", True),
    ],
)
def test_a_case_is_good_only_if_both_its_results_are(case: Case, verdict: str, is_bad: bool) -> None:
    assert (case.verdict, case.is_bad) == (verdict, is_bad)


def test_what_is_excused_has_a_reason() -> None:
    assert all(EXCUSED.values())
    assert all(name.startswith("6.4.") for name in EXCUSED)


def test_a_part_without_results_or_out_of_time_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    good = Case("1.1.1", "OK", "OK")
    assert summarise([a_run(good)]) == 0
    assert summarise([a_run()]) == 1
    assert summarise([a_run(good, is_over_time=True)]) == 1
    assert summarise([a_run(good), a_run(Case("1.1.2", "FAILED", "OK"))]) == 1
    assert "1.1.2: FAILED" in capsys.readouterr().out


def test_a_report_is_read(tmp_path: Path) -> None:
    assert read_report(tmp_path) == ()
    results = {
        "1.1.2": {"behavior": "FAILED", "behaviorClose": "OK"},
        "1.1.1": {"behavior": "OK", "behaviorClose": "OK"},
    }
    (tmp_path / "index.json").write_text(json.dumps({"Server": results}))
    assert read_report(tmp_path) == (Case("1.1.1", "OK", "OK"), Case("1.1.2", "FAILED", "OK"))
    assert specification("12.1", 9001, tmp_path)["cases"] == ["12.1.*"]


def test_without_python_2_7_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr("tests.compliance.autobahn.ENVIRONMENT", tmp_path / "autobahn")
    with pytest.raises(NoPython27, match=r"needs CPython 2\.7"):
        python27()
    assert main([]) == 2
    assert "pyenv install 2.7" in capsys.readouterr().err
