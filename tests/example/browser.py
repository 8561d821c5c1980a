"""A headless Chromium for the chat's tests, driven through ``tests/js/chat_browser.js``."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.node import node_command, node_environment

TIMEOUT = 15.0  # seconds for anything on a page to come true


class BrowserError(AssertionError):
    """What the browser was asked for did not happen."""


class Browser:
    """The browser; it ends with the ``with`` block."""

    def __init__(self, executable: str) -> None:
        environment = {**os.environ, **node_environment(), "CHROMIUM": executable}
        self._process = subprocess.Popen(
            node_command("chat_browser.js"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        self._names = count(1)
        self._open: list[str] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]  # it is a pipe, see above
        try:
            self._process.wait(TIMEOUT)
        finally:
            self._process.kill()

    def request(self, **request: Any) -> Any:
        """Send a request to the driver and return the value of its answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BrowserError(f"the driver ended (with {self._process.wait(TIMEOUT)})")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["value"]

    def open(self, url: str, *, init: str = "", beside: Page | None = None, **context: Any) -> Page:
        """Open a page, with cookies of its own unless it is opened `beside` another."""
        name = f"page {next(self._names)}"
        options = {"viewport": {"width": 1100, "height": 720}, "reducedMotion": "reduce", **context}
        self.request(open=name, url=url, init=init, context=options, beside=beside.name if beside else None)
        self._open.append(name)
        return Page(self, name)

    def close_pages(self) -> None:
        """Take all pages away."""
        while self._open:
            self.request(page=self._open.pop(), drop=True)


class Page:
    """One page. Selectors are Playwright's; every ``wait`` ends with an error that names what did not come true."""

    def __init__(self, browser: Browser, name: str) -> None:
        self.browser, self.name, self.gone = browser, name, False

    def call(self, method: str, *args: Any) -> Any:
        return self.browser.request(page=self.name, call=method, args=args)

    def fill(self, selector: str, text: str) -> None:
        self.call("fill", selector, text, {"timeout": TIMEOUT * 1000})

    def click(self, selector: str) -> None:
        self.call("click", selector, {"timeout": TIMEOUT * 1000})

    def press(self, selector: str, key: str) -> None:
        self.call("press", selector, key)

    def key(self, *keys: str) -> None:
        """Press keys, as a person without a mouse does."""
        for each in keys:
            self.browser.request(page=self.name, keyboard="press", text=each)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.browser.request(page=self.name, keyboard="type", text=text)

    def evaluate(self, script: str) -> Any:
        return self.call("evaluate", script)

    def wait(self, condition: str, timeout: float = TIMEOUT) -> None:
        """Wait until a JavaScript expression is true."""
        try:
            self.browser.request(page=self.name, wait=condition, timeout=timeout * 1000)
        except BrowserError as error:
            raise BrowserError(f"not on the page: {condition}\n{self.evaluate('document.body.innerText')}") from error

    def wait_text(self, selector: str, text: str, timeout: float = TIMEOUT) -> None:
        """Wait until an element that can be seen holds a text."""
        condition = (
            f"Array.from(document.querySelectorAll({json.dumps(selector)}))"
            f".some((each) => each.checkVisibility() && each.innerText.includes({json.dumps(text)}))"
        )
        self.wait(condition, timeout)

    def screenshot(self, path: Path | str) -> None:
        self.call("screenshot", {"path": str(path)})

    def problems(self) -> list[str]:
        """Return the errors of the page's console, violations of its security policy among them."""
        return list(self.browser.request(problems=self.name))

    def drop(self) -> None:
        """Take the page away with its whole browser context."""
        self.gone = True
        self.browser.request(page=self.name, drop=True)

    def barriers(self) -> list[str]:
        """Return what the accessibility checker axe finds wrong with the page as it is now."""
        return list(self.browser.request(page=self.name, audit=True))
