"""Where settings come from: arguments, the environment, `web.config`, the main module, the defaults, in this order."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..config import Config
from ..errors import UsageError

__all__ = ["PREFIX", "address", "resolve"]

logger = logging.getLogger("webpy_socketio.server")

#: Of names in the environment and in the main module.
PREFIX = "SOCKETIO_"
#: Old arguments without a meaning today.
_OLD_ARGUMENTS = ("policy_server", "policy_listener")
_OLD_TRANSPORTS = {"xhr-polling": "polling"}
_NO_TRANSPORTS = ("flashsocket", "htmlfile", "jsonp-polling", "xhr-multipart")

#: Where to listen: no settings of the endpoint.
_ADDRESS = ("host", "port")
#: How the environment says yes and no.
_FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

_TYPES = {field.name: str(field.type) for field in fields(Config)}


def resolve(arguments: Mapping[str, object]) -> Config:
    """Build the configuration; ``arguments`` are those given in code. Raises ``UsageError`` for what does not fit."""
    settings: dict[str, object] = {}
    for source in (_from_main_module(), _from_web_config(), _from_environment(), arguments):
        settings.update(source)
    ignored = [name for name in _OLD_ARGUMENTS if settings.pop(name, None) is not None]
    if "transports" in settings:
        settings["transports"], dropped = _today(settings["transports"])
        ignored += dropped
    if ignored:
        logger.warning("Ignored, as they have no meaning any more: %s", ", ".join(ignored))
    return Config.of(settings)


def _today(transports: object) -> tuple[tuple[str, ...], list[str]]:
    """Translate an old list of transports; give it, and what was left out."""
    names = transports.split(",") if isinstance(transports, str) else list(transports)  # type: ignore[call-overload]  # what is no iterable raises the right error
    names = [_OLD_TRANSPORTS.get(name.strip(), name.strip()) for name in names]
    return tuple(dict.fromkeys(n for n in names if n not in _NO_TRANSPORTS)), [n for n in names if n in _NO_TRANSPORTS]


def _from_environment() -> dict[str, object]:
    found: dict[str, object] = {}
    for name in Config.names():
        text = os.environ.get(PREFIX + name.upper())
        if text is not None:
            found[name] = _parse(name, text)
    return found


def _parse(name: str, text: str) -> object:
    """Read a value of the environment as the setting's type."""
    kind = _TYPES[name]
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        raise UsageError(f"{PREFIX}{name.upper()} must be a number, not {text!r}.") from None
    if kind == "int | None" and text.isdecimal():
        return int(text)
    if kind == "bool | int" and text.isdecimal() and text not in _FLAGS:
        return int(text)
    if kind in ("bool", "bool | int"):
        if text.lower() not in _FLAGS:
            raise UsageError(f"{PREFIX}{name.upper()} must be true or false, not {text!r}.")
        return _FLAGS[text.lower()]
    if "None" in kind and text in ("", "None"):
        return None
    if name == "cookie":
        return _FLAGS.get(text.lower(), text)
    if name in ("transports", "cors_allowed_origins", "trusted_proxies") and text != "*":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _from_web_config() -> dict[str, object]:
    web = sys.modules.get("web")
    settings: Any = getattr(getattr(web, "config", None), "socketio", None)  # Any: whatever the user put there
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise UsageError(f"web.config.socketio must be a dictionary of settings, not {settings!r}.")
    return {str(name): value for name, value in settings.items() if name not in _ADDRESS}


def _address_from_web_config() -> dict[str, Any]:
    settings = getattr(getattr(sys.modules.get("web"), "config", None), "socketio", None) or {}
    return {name: settings[name] for name in _ADDRESS if name in settings}


def _from_main_module() -> dict[str, object]:
    main = vars(sys.modules["__main__"])
    names = {PREFIX + name.upper(): name for name in Config.names()}
    return {names[key]: value for key, value in list(main.items()) if key in names}


def address() -> tuple[str, int]:
    """Give host and port by ``SOCKETIO_HOST`` and ``SOCKETIO_PORT`` of environment or main module, or ``host`` and
    ``port`` of ``web.config.socketio``; all, 8000.
    """
    main = vars(sys.modules["__main__"])
    settings: dict[str, Any] = {"host": "", "port": 8000}  # Any: whatever the user put there
    settings.update({name: main[PREFIX + name.upper()] for name in _ADDRESS if PREFIX + name.upper() in main})
    settings.update(_address_from_web_config())
    host = os.environ.get(f"{PREFIX}HOST", settings["host"])
    port = os.environ.get(f"{PREFIX}PORT", settings["port"])
    try:
        return str(host), int(port)
    except (TypeError, ValueError):
        raise UsageError(f"{PREFIX}PORT must be a number from 0 to 65535, not {port!r}.") from None
