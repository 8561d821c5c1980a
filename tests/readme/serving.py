"""Serve the samples of the README, each application in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.readme.document import sample
from tests.support.ports import HOST, free_port
from tests.support.processes import ROOT, Program, python_command, running

APP = Path(__file__).resolve().parent / "app.py"
PAGE = "<!doctype html>\n<html lang='en'>\n{head}\n<body></body>\n</html>\n"


@dataclass(frozen=True)
class Site:
    """What is served at ``url``, by ``program``."""

    url: str
    program: Program

    @property
    def page(self) -> str:
        """The address of a page with the scripts in its head."""
        return f"{self.url}/page"


@contextmanager
def _serving(directory: Path, command: Callable[[int], list[str]], script: str, env: dict[str, str]) -> Iterator[Site]:
    (directory / "page.html").write_text(PAGE.format(head=sample("include").text))
    (directory / "chat.js").write_text(script)
    port = free_port()
    environment = {"PYTHONPATH": str(ROOT), "README_PAGE": str(directory), **env}
    with running(command(port), directory / "server.log", ready=port, env=environment, cwd=directory) as program:
        yield Site(f"http://{HOST}:{port}", program)


@contextmanager
def serving(directory: Path, *samples: str, script: str = "") -> Iterator[Site]:
    """Serve samples that are parts of an application; ``script`` is that of the page."""
    paths = [directory / f"sample_{number}.py" for number in range(len(samples))]
    for path, text in zip(paths, samples, strict=True):
        path.write_text(text)
    with _serving(directory, lambda port: python_command(APP, port, *paths), script, {}) as site:
        yield site


@contextmanager
def serving_application(
    directory: Path, application: str, *, script: str = "", env: dict[str, str] | None = None
) -> Iterator[Site]:
    """Serve a sample that is an application, as it stands but for its port."""
    assert application.count("8000") == 1
    path = directory / "main_app.py"

    def command(port: int) -> list[str]:
        path.write_text(application.replace("8000", str(port)))
        return python_command(path)

    with _serving(directory, command, script, env or {}) as site:
        yield site
