"""Find the browser of the end-to-end tests."""

from __future__ import annotations

import os
import shutil

from tests.support.node import MissingPrograms

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_chromium() -> str:
    """Return the path of Chromium: ``$CHROMIUM`` if that is set, else the first on the path.

    Raises:
        MissingPrograms: there is none; the text names the Debian package.
    """
    names = (os.environ["CHROMIUM"],) if "CHROMIUM" in os.environ else NAMES
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise MissingPrograms(f"no browser found ({', '.join(names)}): install the Debian package chromium")
