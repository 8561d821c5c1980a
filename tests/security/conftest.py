"""A server under attack, with bystanders who must not notice anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apps.raw_server import RawServer, bystanders


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with RawServer(tmp_path_factory.mktemp("attacked"), most_records=10_000) as running:
        yield running


@pytest.fixture
def server(attacked: RawServer) -> Iterator[RawServer]:
    """A server with the default settings. What it prints during a test, and a bystander that is disturbed, fail it."""
    with bystanders(attacked):
        yield attacked
