"""The script that installs or names Debian packages, on machines made up of little programs in a directory."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import ROOT

SCRIPT = ROOT / ".ci" / "system-packages"
BASH = "/bin/bash"


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Path]:
    """A function that puts a program on the path of the made-up machine."""

    def write(name: str, text: str = "exit 0") -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{BASH}\n{text}\n")
        path.chmod(0o755)
        return path

    write("id", "echo 1000")
    return write


def run(tmp_path: Path, *requirements: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(tmp_path / "bin")}
    command = [BASH, str(SCRIPT), *requirements]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)


def test_a_complete_machine_is_left_alone(tmp_path: Path, program: Callable[..., Path]) -> None:
    for name in ("python3", "node", "npm", "chromium", "nginx", "openssl"):
        program(name)
    done = run(tmp_path, "venv", "node", "npm", "chromium", "nginx", "openssl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_who_may_not_install_is_told_the_names_of_all_packages(tmp_path: Path, program: Callable[..., Path]) -> None:
    program("node")
    program("apt-get", "echo apt-get must not run >&2")
    done = run(tmp_path, "venv", "node", "npm", "chromium", "openssl")
    assert done.returncode == 1
    assert "missing Debian packages: python3 python3-venv npm chromium fonts-dejavu-core openssl" in done.stderr
    assert "must not run" not in done.stderr


def test_root_gets_them_installed(tmp_path: Path, program: Callable[..., Path]) -> None:
    program("id", "echo 0")
    program("python3", "exit 1")
    log = tmp_path / "log"
    program("apt-get", f'echo "$DEBIAN_FRONTEND: $*" >>{log}')
    assert run(tmp_path, "venv", "npm").returncode == 0
    assert log.read_text().splitlines() == [
        "noninteractive: -qq update",
        "noninteractive: -qq install -y --no-install-recommends python3-venv npm",
    ]


def test_a_failed_installation_fails(tmp_path: Path, program: Callable[..., Path]) -> None:
    program("id", "echo 0")
    program("apt-get", "exit 100")
    assert run(tmp_path, "npm").returncode == 100


def test_root_of_another_system_is_told_the_names(tmp_path: Path, program: Callable[..., Path]) -> None:
    program("id", "echo 0")
    done = run(tmp_path, "npm")
    assert done.returncode == 1
    assert "missing Debian packages: npm" in done.stderr


def test_an_unknown_requirement_is_an_error(tmp_path: Path, program: Callable[..., Path]) -> None:
    done = run(tmp_path, "rustc")
    assert done.returncode == 2
    assert "unknown requirement: rustc" in done.stderr
