from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import sources
from tests.support.gates import count_waivers
from tests.support.processes import ROOT
from tests.support.sources import modules, repository_files, waivers_in

HERE = Path("module.py")
NO_COVER = "# pragma: " + "no cover"
IGNORE = "# type: " + "ignore"


def test_the_files_of_the_repository_are_listed_without_what_is_ignored() -> None:
    files = repository_files()
    assert ROOT / "pyproject.toml" in files
    assert Path(__file__) in files
    assert not [path for path in files if {".venv", "node_modules", "__pycache__"} & set(path.parts)]


def test_without_git_the_files_are_listed_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("pkg/a.py", ".venv/b.py", "pkg/__pycache__/a.pyc", "tests/js/node_modules/ws/index.js"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    assert repository_files() == [tmp_path / "pkg" / "a.py"]


def test_modules_are_found_in_sub_directories() -> None:
    assert Path(__file__) in modules(ROOT / "tests")


@pytest.mark.parametrize(
    ("comment", "kind", "reasoned"),
    [
        (NO_COVER, "pragma: no cover", False),
        (f"{NO_COVER} - only uWSGI gets here", "pragma: no cover", True),
        (f"{NO_COVER}: only uWSGI gets here", "pragma: no cover", True),
        (f"{NO_COVER} - x", "pragma: no cover", False),
        ("# pragma: " + "no branch - the loop never ends by itself", "pragma: no branch", True),
        (IGNORE, "type: ignore", False),
        (f"{IGNORE}[attr-defined]", "type: ignore", False),
        (f"{IGNORE}[attr-defined]  # set by gevent", "type: ignore", True),
        (f"{IGNORE}[attr-defined, no-any-return]  # gevent's types are wrong here", "type: ignore", True),
    ],
)
def test_a_waiver_needs_a_reason(comment: str, kind: str, reasoned: bool) -> None:
    (waiver,) = waivers_in(f"x = 1\ny = 2  {comment}\n", HERE)
    assert (waiver.line, waiver.kind, waiver.reasoned) == (2, kind, reasoned)


def test_one_waiver_is_no_reason_for_another() -> None:
    found = list(waivers_in(f"x = 1  {IGNORE}[misc]  {NO_COVER} - only on uWSGI\n", HERE))
    assert [(waiver.kind, waiver.reasoned) for waiver in found] == [
        ("type: ignore", False),
        ("pragma: no cover", True),
    ]


def test_a_waiver_in_a_string_is_none() -> None:
    assert not list(waivers_in(f"x = {NO_COVER!r}\n", HERE))


def test_waivers_are_counted_by_kind_and_those_without_a_reason_told() -> None:
    text = f"a = 1  {IGNORE}[misc]\nb = 2  {IGNORE}[misc]  # the stub is wrong\nc = 3  {NO_COVER} - only on uWSGI\n"
    line, unreasoned = count_waivers(waivers_in(text, HERE))
    assert line == "waived checks: pragma: no cover 1, pragma: no branch 0, type: ignore 2"
    assert [waiver.line for waiver in unreasoned] == [1]
