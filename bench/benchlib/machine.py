"""Say on what was measured: the machine, the day, and the versions of what took part."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

from .servers import ROOT

PACKAGES = (
    "web.py",
    "gevent",
    "greenlet",
    "orjson",
    "python-socketio",
    "gevent-websocket",
    "uvicorn",
    "uvloop",
    "websockets",
)


def _first_line(*command: str) -> str:
    try:
        return (
            subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            .stdout.partition("\n")[0]
            .strip()
        )
    except (OSError, subprocess.CalledProcessError):
        return ""


def processor() -> str:
    """Name the processor, or say that it is unknown."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )


def interpreter() -> str:
    """Describe the Python that runs this."""
    if sys.base_prefix == "/usr":
        return f"Python {platform.python_version()} (the system's own build)"
    is_optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    how = "with" if is_optimised else "without"
    return f"Python {platform.python_version()} (not the system's; built {how} --enable-optimizations)"


def versions() -> str:
    """List the versions of the packages that are installed."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    node = _first_line("node", "--version").removeprefix("v")
    return ", ".join([*found, *([f"Node {node}"] if node else [])])


def describe() -> str:
    """Give a paragraph for the results."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    today = datetime.datetime.now(datetime.timezone.utc).date()
    commit = _first_line("git", "describe", "--always", "--dirty", "--exclude", "*")
    return (
        f"{today}, commit {commit or 'unknown'}. {os.cpu_count()} cores of {processor()}, {memory:.0f} GB, Linux "
        f"{platform.release().partition('-')[0]}. {interpreter()}, {versions()}."
    )


def warn_if_busy() -> str:
    """Warn, and give a sentence for the results, if others use the machine."""
    load = os.getloadavg()[0]
    if load < 0.5:
        return ""
    sentence = f"When the measurements began the machine had other work (load average {load:.1f})."
    print(f"warning: {sentence}", file=sys.stderr)
    return sentence
