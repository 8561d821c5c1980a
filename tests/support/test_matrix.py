from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import matrix
from tests.support.processes import ROOT


def test_every_dependency_states_its_minimum() -> None:
    pins = matrix.oldest(matrix.dependencies())
    assert {re.split(r"[>=;]", pin)[0] for pin in pins} == {"web.py", "gevent", "Mako", "orjson"}
    assert all("==" in pin for pin in pins)


def test_lower_bounds_become_pins_and_markers_stay() -> None:
    assert matrix.oldest(["a>=1.2", "b>=3; python_version >= '3.13'"]) == ["a==1.2", "b==3; python_version >= '3.13'"]


@pytest.mark.parametrize("requirement", ["a", "a==1", "a>=1,<2"])
def test_a_dependency_without_a_plain_minimum_is_an_error(requirement: str) -> None:
    with pytest.raises(ValueError, match="expected name>=version"):
        matrix.oldest([requirement])


def test_this_python_is_found_by_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A broken interpreter on the path, as pyenv's shims are, does not hide a working one."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    shim = tmp_path / "bin" / f"python{version}"
    working = tmp_path / "pyenv" / "versions" / f"{version}.99" / "bin" / f"python{version}"
    for path in (shim, working):
        path.parent.mkdir(parents=True)
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    working.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    working.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert matrix.interpreter(version) == str(working)
    assert matrix.interpreter("2.0") is None


def test_rows_are_chosen_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "interpreter", lambda version: None if version == "3.12" else f"python{version}")
    assert [row.name for row in matrix.rows(["py3.1"])] == [row.name for row in matrix.rows([])]
    assert [row.name for row in matrix.rows(["py3.11", "py3.12", "py3.13-old"])] == [
        "py3.11-newest",
        "py3.11-oldest",
        "py3.13-oldest",
    ]


@pytest.mark.parametrize("line", ["12 passed in 3.41s", "==== 1 failed, 2 passed, 1 error in 61.00s (0:01:01) ===="])
def test_the_closing_line_is_recognised(line: str) -> None:
    match = matrix.CLOSING_LINE.match(line)
    assert match is not None
    assert match[1] == line.strip("= ")


def test_the_classifiers_name_only_versions_of_the_matrix() -> None:
    claimed = re.findall(r"Python :: (3\.\d+)\"", (ROOT / "pyproject.toml").read_text())
    assert claimed
    assert set(claimed) <= set(matrix.VERSIONS)


def test_it_needs_nothing_that_is_not_installed_yet() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import tests.support.matrix"
    subprocess.run([sys.executable, "-I", "-S", "-c", code, str(ROOT)], check=True, timeout=50)
