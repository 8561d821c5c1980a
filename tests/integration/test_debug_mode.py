"""web.py's debug mode, on by default: the main file is imported a second time, and again after each saved edit."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.polling_client import PollingClient
from tests.apps.running import APPS, Served, serving
from tests.support.waiting import wait_until

NAME = "debug_mode.py"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A copy of the application, to be edited."""
    copy = tmp_path / NAME
    copy.write_text((APPS / NAME).read_text())
    return copy


@pytest.fixture(params=["guarded", "unguarded", "started"])
def app(request: pytest.FixtureRequest, script: Path) -> Iterator[Served]:
    with serving(str(script), request.param, log_directory=script.parent) as served:
        yield served


def page(app: Served) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{app.port}/", timeout=10) as response:
        text: str = response.read().decode()
        return text


def reactions(app: Served, *messages: str) -> list[list[Any]]:
    """Send messages as one client, and return all that came back: the fence is answered after the last of them."""
    client = PollingClient(app.port)
    for message in messages:
        client.emit("message", message)
    client.emit("fence")
    events = client.events_until("fence")
    client.close()
    return events


def edit(app: Served, script: Path, edition: str, *, rename: tuple[str, str] = ("", "")) -> None:
    """Save the main file with another edition, and wait until web.py, asked for the page, has noticed."""
    newer = os.stat(script).st_mtime + 2  # seconds; a second save within the clock's grain would go unnoticed
    lines = script.read_text().replace(*rename).splitlines()
    changed = [f'EDITION = "{edition}"' if line.startswith("EDITION =") else line for line in lines]
    script.write_text("\n".join(changed) + "\n")
    os.utime(script, (newer, newer))
    wait_until(lambda: page(app).split()[0] == edition, what=f"the page is of the {edition} edition")


def test_pages_are_served(app: Served) -> None:
    assert page(app) == "first"


def test_a_message_runs_each_handler_once(app: Served) -> None:
    assert page(app) == "first"
    assert reactions(app, "hello") == [["above", "first", "hello"], ["below", "first", "hello"]]


def test_after_saved_edits_the_newest_handlers_run_once(app: Served, script: Path) -> None:
    reactions(app, "one")
    for edition in ("second", "third"):
        edit(app, script, edition)
        assert reactions(app, edition) == [["above", edition, edition], ["below", edition, edition]]


def test_a_handler_that_was_renamed_is_forgotten_under_its_old_name(app: Served, script: Path) -> None:
    assert page(app) == "first"
    edit(app, script, "second", rename=("def below_the_application", "def renamed"))
    assert reactions(app, "hello") == [["above", "second", "hello"], ["below", "second", "hello"]]


def test_a_client_stays_connected_across_an_edit(app: Served, script: Path) -> None:
    client = PollingClient(app.port)
    edit(app, script, "second")
    client.emit("message", "still here")
    client.emit("fence")
    assert client.events_until("fence") == [["above", "second", "still here"], ["below", "second", "still here"]]
    client.close()


def test_pages_and_handlers_share_the_globals_of_the_file(app: Served) -> None:
    reactions(app, "hello")
    assert page(app) == "first hello"


def test_a_script_started_by_an_untidy_path_runs_each_handler_once(script: Path) -> None:
    # As in ``python ./app.py``: the main module and its second import then name their file differently.
    untidy = os.path.join(script.parent, ".", NAME)
    with serving(untidy, "guarded", log_directory=script.parent) as app:
        assert page(app) == "first"
        assert reactions(app, "hello") == [["above", "first", "hello"], ["below", "first", "hello"]]


def test_the_second_import_does_not_serve(tmp_path: Path) -> None:
    with serving(NAME, "unguarded", log_directory=tmp_path) as app:
        assert page(app) == "first"
        served = [line for line in app.program.output().splitlines() if line.startswith("serves ")]
        assert served == ["serves debug_mode", "serves __main__"]
        assert "Address already in use" not in app.program.output()
