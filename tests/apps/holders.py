"""Print, for every place that can hold web.py's per-request state, whether two greenlets see each other's values there.

Started with the argument ``repair`` or ``leave``. Everything is made before the patches, as in the old README.
"""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import web
import web.session
from web import ctx

KeptClass = web.utils.ThreadedDict


class OwnDict(web.utils.ThreadedDict):
    """Made before the repair: must go on as it was, not better and not worse."""


class View:
    state = web.ctx


class Library:
    """A library of CFFI's, imported as if it were a module, says this of itself: there is no such namespace in it."""

    __class__ = ModuleType


sys.modules["library"] = Library()


def from_default(held=web.ctx):
    return held


def from_closure():
    held = web.ctx
    return lambda: held


closure = from_closure()
own = OwnDict()
session = web.session.Session(None, web.session.DiskStore(tempfile.mkdtemp()))
database = web.database(dbn="sqlite", db=":memory:")
database.printing = False
database.query("create table opened_at_import (name text)")
ctx.set_at_import = session.set_at_import = own.set_at_import = "kept"

from gevent import monkey

monkey.patch_all()

import gevent

# By its path: importing the package repairs at once, which is what the other half of this comparison is without.
MODULE = Path(__file__).resolve().parents[2] / "webpy_socketio" / "gateway" / "webpy_locals.py"
spec = importlib.util.spec_from_file_location("webpy_locals", MODULE)
webpy_locals = importlib.util.module_from_spec(spec)
spec.loader.exec_module(webpy_locals)

before = webpy_locals.is_greenlet_local()
if sys.argv[1] == "repair":
    repaired = [webpy_locals.repair_web_locals(), webpy_locals.repair_web_locals()]
else:
    repaired = []

later = web.threadeddict()
later_of_kept_class = KeptClass()


class LaterDict(web.utils.threadeddict):
    pass


later_subclass = LaterDict()


def attribute(of):
    return lambda value: setattr(of(), "x", value), lambda: of().get("x")


def item(of):
    return lambda value: of().__setitem__("y", value), lambda: of().get("y")


HOLDERS = {
    "web.ctx": attribute(lambda: web.ctx),
    "web.webapi.context": attribute(lambda: web.webapi.context),
    "a name of the main module": attribute(lambda: ctx),
    "a class attribute": attribute(lambda: View.state),
    "a default argument": attribute(from_default),
    "a closure": attribute(closure),
    "an item": item(closure),
    "a session's attribute": attribute(lambda: session),
    "a session's item": item(lambda: session),
    "a session's data": attribute(lambda: session._data),
    "a database's state": attribute(lambda: database._ctx),
    "a later instance": attribute(lambda: later),
    "a later instance of the kept class": attribute(lambda: later_of_kept_class),
    "a later subclass": attribute(lambda: later_subclass),
}


def mixed(write, read):
    """Let two greenlets write, and then read what they wrote."""

    def visit(value):
        write(value)
        gevent.sleep(0)
        return read()

    visits = [gevent.spawn(visit, value) for value in ("a", "b")]
    gevent.joinall(visits, raise_error=True)
    return [visit.value for visit in visits] != ["a", "b"]


def connection_of_a_greenlet():
    return gevent.spawn(lambda: id(database.ctx.db)).get()


def absent_after_deletion():
    closure().gone = 1
    del closure().gone
    try:
        del closure().gone
    except AttributeError:
        return not hasattr(closure(), "gone")
    return False


def cleared_by_web():
    closure().left_over = later.left_over = 1
    web.utils.ThreadedDict.clear_all()
    return "left_over" not in closure() and "left_over" not in later


kept = [ctx.get("set_at_import"), session.get("set_at_import"), own.get("set_at_import")]
seen_elsewhere = gevent.spawn(lambda: [ctx.get("set_at_import"), session.get("set_at_import")]).get()
print(
    json.dumps(
        {
            "local before": before,
            "local after": webpy_locals.is_greenlet_local(),
            "repaired": repaired,
            "mixed": sorted(name for name, ways in HOLDERS.items() if mixed(*ways)),
            "holders": sorted(HOLDERS),
            "kept": kept,
            "seen elsewhere": seen_elsewhere,
            "table kept": len(list(database.select("opened_at_import"))) == 0,
            "own connection": connection_of_a_greenlet() != id(database.ctx.db),
            "absent after deletion": absent_after_deletion(),
            "cleared": cleared_by_web(),
        }
    )
)
