"""Make web.py's per-request state local to the greenlet, in whatever order the imports came.

web.py keeps its per-request state in instances of one class, ``web.utils.ThreadedDict``: ``web.ctx``, the data of every
``Session`` and the connection of every ``DB``. The class is built on ``threading.local`` when ``web`` is imported. If
that was before ``monkey.patch_all()``, all greenlets of a thread share the values: requests that run at the same time
overwrite each other's user, status and cookies.

The repair has two halves:

* The old class forwards. Its attribute access reads and writes the greenlet-local twin of the instance, so that *every*
  holder is right at once: module globals, the methods that ``Session`` binds in ``__init__``, a ``DB``, a closure, a
  default argument. Looking for holders instead (in ``sys.modules``, through ``gc``) would always miss some.
* What modules hold by name is replaced by the twin itself: the class, so that later instances and subclasses need no
  forwarding, and the instances, because the twin answers in half the time.

A subclass of ``ThreadedDict`` that existed before the repair keeps its own behaviour: only its author knows what its
``__init__`` does once per thread.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import web
import web.utils
from gevent.local import local

_NOT_INHERITED = frozenset({"__dict__", "__weakref__", "__del__", "_instances"})
"""What the twin's class must not copy: slots of the old class, and its register of instances with its clean-up."""


def is_greenlet_local() -> bool:
    """Tell whether each greenlet sees its own ``web.ctx``, and its own part of sessions and databases made later."""
    return isinstance(web.ctx, local) and issubclass(web.utils.ThreadedDict, local)


def repair_web_locals() -> bool:
    """Give every greenlet its own ``web.ctx``, session data and database connection.

    Values that are there already, such as a connection opened while the main module was imported, stay with the
    greenlet that calls. Calling again costs nothing.

    Returns:
        True if something had to be repaired, False if all was right.
    """
    shared = web.utils.ThreadedDict
    if issubclass(shared, local):
        return False
    twin_class = _twin_of_class(shared)
    # type(), for isinstance() would take in subclasses, which are left alone.
    twins = {id(instance): _twin_of(instance, twin_class) for instance in _instances_of(shared)}
    twin_class._instances.update(twins.values())  # for `clear_all`
    _forward(shared, twin_class, twins)
    _rebind(shared, twin_class, twins)
    return True


def _instances_of(shared: Any) -> list[Any]:
    """Return all instances, but for those of subclasses; the class itself keeps a register of them for `clear_all`."""
    return [instance for instance in shared._instances if type(instance) is shared]


def _twin_of_class(shared: Any) -> type[Any]:
    """Build the class that web.py would have built after ``patch_all()``: the same methods on gevent's local."""
    body = {name: value for name, value in vars(shared).items() if name not in _NOT_INHERITED}
    return type(shared.__name__, (local,), {**body, "_instances": set()})


def _twin_of(instance: Any, twin_class: type[Any]) -> Any:
    twin = twin_class()
    twin.__dict__.update(instance.__dict__)
    return twin


def _forward(shared: Any, twin_class: type[Any], twins: dict[int, Any]) -> None:
    """Let the instances of the old class answer with the values of their twins."""
    own_get, own_set, own_delete = shared.__getattribute__, shared.__setattr__, shared.__delattr__

    def values_of(instance: Any) -> dict[str, Any]:
        try:
            twin = twins[id(instance)]
        except KeyError:  # made after the repair, by code that had kept the old class
            twin = twins.setdefault(id(instance), twin_class())
        values: dict[str, Any] = twin.__dict__
        return values

    def __getattribute__(self: Any, name: str) -> Any:
        if type(self) is not shared:
            return own_get(self, name)
        values = values_of(self)
        if name in values:
            return values[name]
        return values if name == "__dict__" else own_get(self, name)

    def __setattr__(self: Any, name: str, value: Any) -> None:
        if type(self) is not shared:
            own_set(self, name, value)
        else:
            values_of(self)[name] = value

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is not shared:
            own_delete(self, name)
        elif name in (values := values_of(self)):
            del values[name]
        else:
            raise AttributeError(name)

    # Its only work is to leave the register, which holds every instance: it runs at the interpreter's end at the
    # earliest, and would then look in the register of the twin's class.
    del shared.__del__
    shared.__getattribute__ = __getattribute__
    shared.__setattr__ = __setattr__
    shared.__delattr__ = __delattr__


def _rebind(shared: Any, twin_class: type[Any], twins: dict[int, Any]) -> None:
    """Replace the old class and its instances in the globals of all modules, ``__main__`` included."""
    modules: list[object] = list(sys.modules.values())  # which may hold anything
    for module in modules:
        if not issubclass(type(module), ModuleType):  # `isinstance` believes what an object says of its class
            continue
        # Not vars(): asking a lazily loading module for any attribute would load it.
        namespace = ModuleType.__getattribute__(module, "__dict__")
        for name, value in list(namespace.items()):
            if value is shared:
                namespace[name] = twin_class
            elif type(value) is shared:
                namespace[name] = twins[id(value)]
