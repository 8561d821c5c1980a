from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.imports import cycle_in, import_graph, imports_of, top_level_imports

KNOWN = {"pkg.__init__", "pkg.a", "pkg.sub.__init__", "pkg.sub.b", "pkg.sub.c"}


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import pkg.a", {"pkg.a"}),
        ("import pkg", {"pkg.__init__"}),
        ("import pkg.sub.b as b, os", {"pkg.sub.b"}),
        ("from pkg import a", {"pkg.a"}),
        ("from pkg import something", {"pkg.__init__"}),
        ("from pkg import *", {"pkg.__init__"}),
        ("from pkg.a import name", {"pkg.a"}),
        ("from pkg.sub import b, name", {"pkg.sub.b", "pkg.sub.__init__"}),
        ("from . import b", {"pkg.sub.b"}),
        ("from .b import name", {"pkg.sub.b"}),
        ("from .. import a", {"pkg.a"}),
        ("from ..a import name", {"pkg.a"}),
        ("def f():\n    import pkg.a", {"pkg.a"}),
        ("if TYPE_CHECKING:\n    from pkg.a import name", {"pkg.a"}),
        ("import os\nfrom package import a", set()),
        ("from pkg.sub.c import itself", set()),
    ],
)
def test_every_way_of_importing_is_seen(source: str, imported: set[str]) -> None:
    assert imports_of(source, "pkg.sub.c", KNOWN) == imported


def test_a_package_imports_relatively_from_itself() -> None:
    assert imports_of("from .b import name", "pkg.sub.__init__", KNOWN) == {"pkg.sub.b"}


def test_the_graph_of_a_package_is_read_from_its_files(tmp_path: Path) -> None:
    package = tmp_path / "pkg"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("from pkg.sub.b import name")
    (package / "a.py").write_text("import os")
    (package / "sub" / "b.py").write_text("from pkg import a")
    assert import_graph(package) == {"pkg.__init__": {"pkg.sub.b"}, "pkg.a": set(), "pkg.sub.b": {"pkg.a"}}


def test_a_cycle_is_found_and_a_diamond_is_none() -> None:
    assert cycle_in({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"b"}}) == ["b", "c", "d", "b"]


def test_the_outside_world_is_named_by_its_top_level() -> None:
    source = "import os.path, gevent.hub as h\nfrom web.utils import x\nfrom . import y\nfrom .z import w\nimport ssl"
    assert top_level_imports(source) == {"os", "gevent", "web", "ssl"}
