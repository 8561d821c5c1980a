"""Servers for badly behaved clients: one with the default time-outs, and one that loses patience soon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apps.raw_server import RawServer, bystanders

HASTY = {
    "head_timeout": 0.4,
    "body_timeout": 0.4,
    "keepalive_timeout": 0.8,
    "connect_timeout": 0.5,
    "upgrade_timeout": 0.5,
    "close_timeout": 0.4,
}
"""Seconds; all far below what a test waits for, and far above what an undisturbed exchange takes."""

SMALL = {"max_payload": 100_000, "max_head": 20_000, "max_attachments": 3, "outbox_limit": 500_000}


@pytest.fixture(scope="module")
def patient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with RawServer(tmp_path_factory.mktemp("patient"), **SMALL) as running:
        yield running


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with RawServer(tmp_path_factory.mktemp("hasty"), **SMALL, **HASTY) as running:
        yield running


@pytest.fixture
def server(patient_server: RawServer) -> Iterator[RawServer]:
    """The patient server, with bystanders who must not notice what the test does, and a fresh mark in its log."""
    with bystanders(patient_server):
        yield patient_server


@pytest.fixture
def hasty(hasty_server: RawServer) -> Iterator[RawServer]:
    """The hasty server, likewise."""
    with bystanders(hasty_server):
        yield hasty_server
