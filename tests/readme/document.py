"""The README as docutils reads it: its samples by name, its literals, its table of settings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from docutils import nodes
from docutils.core import publish_doctree

from tests.support.processes import ROOT

README = ROOT / "README.rst"
STRICT = {
    "report_level": 1,
    "halt_level": 5,
    # A package index reads no files for a description, and takes no raw HTML.
    "file_insertion_enabled": False,
    "raw_enabled": False,
    # Colours take Pygments, which is not needed here.
    "syntax_highlight": "none",
}


@dataclass(frozen=True)
class Sample:
    """One ``code-block``. ``name`` is empty if it has none."""

    name: str
    language: str
    text: str


@cache
def document() -> nodes.document:
    """Parse the README. What docutils complains about stays in it, as nodes of type ``system_message``."""
    settings = {**STRICT, "warning_stream": False, "_disable_config": True}
    return publish_doctree(README.read_text(), source_path=str(README), settings_overrides=settings)


def samples() -> list[Sample]:
    """List the code blocks of all languages."""
    return [
        Sample("".join(node["names"]), next(name for name in node["classes"] if name != "code"), node.astext() + "\n")
        for node in document().findall(nodes.literal_block)
        if "code" in node["classes"]
    ]


def sample(name: str) -> Sample:
    """Return the code block of a name."""
    (found,) = (each for each in samples() if each.name == name)
    return found


def plain_blocks() -> list[str]:
    """List the texts of the literal blocks without a language: commands, and the format of the log."""
    blocks = document().findall(nodes.literal_block)
    return [node.astext() for node in blocks if "code" not in node["classes"]]


def literals() -> list[str]:
    """List what stands between double backquotes in the text, each once."""
    return list(dict.fromkeys(node.astext() for node in document().findall(nodes.literal)))


def expressions(kind: type[ast.expr]) -> Iterator[tuple[str, ast.expr]]:
    """Give the literals that are Python expressions of a kind, such as calls, as text and parsed."""
    for text in literals():
        try:
            expression = ast.parse(text, mode="eval").body
        except SyntaxError:
            continue
        if isinstance(expression, kind):
            yield text, expression


def settings_table() -> dict[str, tuple[str, str]]:
    """Return the table of settings: name to default and meaning."""
    (table,) = document().findall(nodes.table)
    (body,) = table.findall(nodes.tbody)
    rows = [[entry.astext() for entry in row.children] for row in body.children]
    return {name: (default, meaning) for name, default, meaning in rows}
