"""The benchmark's own arithmetic: medians, ratios, tables, and the parts of its results."""

from __future__ import annotations

import docutils.core
import pytest

from bench.benchlib import results

KNOWN = ["echo 1x1", "fan-out to 1,000", "fan-out to 1,000, 100 slow", "memory, a browser's headers"]


def test_a_median_leaves_out_rounds_that_failed() -> None:
    figures = {"echo": {"ours": [3.0, 1.0, 2.0], "theirs": [5.0], "broken": []}}
    assert results.medians(figures) == {"echo": {"ours": 2.0, "theirs": 5.0, "broken": None}}


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0"), (1.234, "1.23"), (99.4, "99.4"), (100.4, "100"), (12345.6, "12,346")]
)
def test_figures_are_written_as_people_read_them(value: float | None, text: str) -> None:
    assert results.number(value) == text


@pytest.mark.parametrize(
    ("mine", "other", "text"),
    [(95.0, 100.0, "0.95"), (1234.0, 100.0, "12.3"), (None, 1.0, "–"), (1.0, None, "–"), (1.0, 0.0, "–")],
)
def test_a_ratio_is_mine_as_a_multiple_of_the_others(mine: float | None, other: float | None, text: str) -> None:
    assert results.ratio(mine, other) == text


def test_a_cell_holds_the_ratio_of_each_of_our_builds() -> None:
    row = {"plain": 50.0, "compiled": 75.0, "node": 100.0, "broken": None}
    mine = ["plain", "compiled"]
    assert results.compare(row, mine, "node") == "100 (0.50 / 0.75)"
    assert results.compare(row, mine, "plain") == "50"
    assert results.compare(row, mine, "broken") == "–"


def test_a_table_is_restructuredtext_even_with_empty_cells() -> None:
    text = results.table(["load", "ours"], [["echo 1x1", "12,345"], ["", "–"]])
    page = docutils.core.publish_string(text, settings_overrides={"report_level": 2, "halt_level": 2})
    assert page.count(b"<row>") == 3
    assert b"12,345" in page


def test_a_part_is_replaced_and_the_others_stay_in_their_order() -> None:
    text = results.put_part("", "scale", "150,000\n")
    text = results.put_part(text, "servers", "old")
    text = results.put_part(text, "layers", "by layer")
    text = results.put_part(text, "servers", "new")
    assert text.startswith(results.HEAD)
    assert "old" not in text
    assert [text.index(piece) for piece in ("new", "by layer", "150,000")] == sorted(
        text.index(piece) for piece in ("new", "by layer", "150,000")
    )
    assert results.put_part(text, "servers", "new") == text


def test_a_paragraph_leaves_out_what_is_empty_and_keeps_words_whole() -> None:
    text = results.paragraph("one", "", "python-socketio " * 20)
    assert text.startswith("one python-socketio")
    assert max(map(len, text.splitlines())) <= 120
    assert set(text.split()) == {"one", "python-socketio"}


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(ValueError, match="servers, layers"):
        results.put_part("", "others", "")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", KNOWN),
        ("echo 1x1", ["echo 1x1"]),
        ("fan-out to 1,000, 100 slow,echo 1x1", ["echo 1x1", "fan-out to 1,000, 100 slow"]),
        ("fan-out to 1,000, echo 1x1", ["echo 1x1", "fan-out to 1,000"]),
    ],
)
def test_names_that_hold_commas_are_found_in_a_list_with_commas(text: str, found: list[str]) -> None:
    assert results.choose(text, KNOWN) == found


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"echo 9x9.*echo 1x1; fan-out"):
        results.choose("echo 1x1, echo 9x9", KNOWN)


def test_only_a_cost_per_item_that_grows_is_above_linear() -> None:
    assert results.growth([1, 10, 100], [3.0, 1.0, 1.2]) == ["", "", ""]
    assert results.growth([1, 10, 100], [1.0, 1.0, 4.0]) == ["", "", "above linear: 4.00 times"]
    assert results.growth([1, 10], [None, 1.0]) == ["", ""]
