"""Medians, ratios, tables in reStructuredText, and the parts of ``RESULTS.rst``. Nothing here measures."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

Figures = dict[str, dict[str, list[float]]]
"""``{load: {server: [figure of each round]}}``; a round that failed has none."""

PARTS = ("servers", "layers", "growth", "scale")
HEAD = """\
Results
=======

Written by ``make bench``, ``make profile`` and ``make scale``; each replaces its own parts. What is measured, and how,
is in ``README.rst``.

"""


def median(values: Sequence[float]) -> float | None:
    """Give the median, or None if no round has a figure."""
    return statistics.median(values) if values else None


def medians(figures: Figures) -> dict[str, dict[str, float | None]]:
    """Reduce the rounds to their median."""
    return {load: {name: median(values) for name, values in row.items()} for load, row in figures.items()}


def number(value: float | None) -> str:
    """Write a figure so that it can be read: ``12,345``, ``3.21``, and a dash for none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(mine: float | None, other: float | None) -> str:
    """Write mine as a multiple of the other's: ``1.25``, ``12.5``, ``125``."""
    if mine is None or not other:
        return "–"
    multiple = mine / other
    return f"{multiple:.2f}" if multiple < 10 else f"{multiple:.3g}"


def compare(row: dict[str, float | None], mine: Sequence[str], name: str) -> str:
    """Write one server's figure and, if it is another's, each of mine as a multiple: ``39,893 (0.95 / 1.10)``."""
    value = row.get(name)
    if name in mine or value is None:
        return number(value)
    return f"{number(value)} ({' / '.join(ratio(row.get(own), value) for own in mine)})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a simple table of reStructuredText; the first column is the rows' names."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = " ".join("=" * width for width in widths)
    # An empty first cell would continue the row above.
    texts = [
        " ".join((cell or "\\").ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([rule, texts[0], rule, *texts[1:], rule]) + "\n"


def paragraph(*sentences: str) -> str:
    """Join sentences, without the empty ones, and break them into lines."""
    return textwrap.fill(" ".join(filter(None, sentences)), 120, break_long_words=False, break_on_hyphens=False)


def titled(title: str, body: str, mark: str = "-") -> str:
    """Put a title above a text."""
    return f"{title}\n{mark * len(title)}\n\n{body.strip()}\n"


def put_part(text: str, name: str, body: str) -> str:
    """Replace one part of the results, or put it where it belongs among the others.

    Raises:
        ValueError: there is no such part.
    """
    if name not in PARTS:
        raise ValueError(f"parts are {', '.join(PARTS)}, not {name!r}")
    kept = {}
    for piece in text.split("\n.. part: ")[1:]:
        title, _, content = piece.partition("\n")
        kept[title.strip()] = content.strip()
    kept[name] = body.strip()
    return HEAD + "\n\n".join(f".. part: {part}\n\n{kept[part]}" for part in PARTS if part in kept) + "\n"


def write_part(path: Path, name: str, body: str) -> None:
    """Replace one part in the file."""
    path.write_text(put_part(path.read_text() if path.exists() else "", name, body))
    print(f"written: {path}")


def choose(text: str, known: Sequence[str]) -> list[str]:
    """Read a list of names, separated by commas, which some names hold themselves; all of them if it is empty.

    Raises:
        ValueError: a name is not known; the text lists those that are.
    """
    rest, found = text.strip(" ,"), set()
    while rest:
        name = max((name for name in known if f"{rest},".startswith(f"{name},")), key=len, default=None)
        if name is None:
            raise ValueError(f"{rest!r} does not begin with a name that is known: {'; '.join(known)}")
        found.add(name)
        rest = rest[len(name) :].lstrip(" ,")
    return [name for name in known if name in found or not found]


def growth(sizes: Sequence[int], costs: Sequence[float | None], *, allowed: float = 1.25) -> list[str]:
    """Judge costs *per item* over growing numbers of items: linear is the same cost, or less, for each.

    Gives for each size a text that is empty where the growth is linear; ``allowed`` is what noise may add.

    >>> growth([10, 100, 1000], [2.0, 1.0, 1.5])
    ['', '', 'above linear: 1.50 times']
    """
    verdicts: list[str] = []
    least: float | None = None
    for _, cost in zip(sizes, costs, strict=True):
        is_above = cost is not None and least is not None and cost > allowed * least
        verdicts.append(f"above linear: {ratio(cost, least)} times" if is_above else "")
        if cost is not None and (least is None or cost < least):
            least = cost
    return verdicts
