"""The hub of the tests of ``tests/hub``, for what answers requests in the loop."""

from __future__ import annotations

from tests.hub.conftest import hub, log, make_hub

__all__ = ["hub", "log", "make_hub"]
