from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.browser import find_chromium
from tests.support.node import MissingPrograms


def test_the_browser_is_found_and_starts(chromium: str) -> None:
    version = subprocess.run([chromium, "--version"], capture_output=True, text=True, timeout=30, check=True)
    assert "Chrom" in version.stdout


def test_the_environment_may_name_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "my-browser"
    other.touch(0o755)
    monkeypatch.setenv("CHROMIUM", str(other))
    assert find_chromium() == str(other)


@pytest.mark.parametrize("named", [None, "no-such-browser"])
def test_a_missing_browser_is_an_error_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str | None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    if named:
        monkeypatch.setenv("CHROMIUM", named)
    with pytest.raises(MissingPrograms, match="Debian package chromium"):
        find_chromium()
