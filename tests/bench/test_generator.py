"""What is read from the load generators' lines."""

from __future__ import annotations

from bench.benchlib.generator import parse
from bench.benchlib.loads import AIMS, ALL, LOADS, UNITS


def test_numbers_are_read_and_words_are_not() -> None:
    line = "mode=echo conns=50 msgs_per_s=42510 setup_s=0.07 loadgen_cpu=38% lost=0 failed=0"
    assert parse(line) == {
        "conns": 50.0,
        "msgs_per_s": 42510.0,
        "setup_s": 0.07,
        "loadgen_cpu": 38.0,
        "lost": 0.0,
        "failed": 0.0,
    }


def test_a_line_without_numbers_gives_none() -> None:
    assert parse("refused: HTTP/1.1 400 Bad Request") == {}


def test_every_load_has_a_unit_and_every_aim_a_load() -> None:
    assert set(UNITS) == set(ALL)
    assert set(AIMS) <= set(ALL)
    assert set(LOADS) <= set(ALL)
