"""The files of ``static/``. ``wsgifunc()``, unlike web.py's own development server, serves none by itself."""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

import web

from chat import settings

FOLDER = settings.EXAMPLE / "static"
TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}

# The folder is flat, and nothing in a name can lead out of it: no separator, no second dot, no NUL.
_NAME = re.compile(r"[a-z0-9_-]{1,64}\.(css|js|svg)")


class StaticFile:
    """A file of the static folder, with a validator, so that a browser fetches it again only when it has changed."""

    def GET(self, name: str) -> bytes:  # noqa: D102 (the class says it)
        match = _NAME.fullmatch(name)
        path = FOLDER / (match[0] if match else "")
        if match is None or not path.is_file():
            raise web.notfound()
        content, version = read(path, path.stat().st_mtime_ns)
        etag = f'"{version}"'
        web.header("ETag", etag)
        web.header("Cache-Control", "no-cache")  # keep it, but ask whether it is still the same
        if etag in web.ctx.env.get("HTTP_IF_NONE_MATCH", ""):
            raise web.notmodified()
        web.header("Content-Type", TYPES[match[1]])
        web.header("Content-Length", str(len(content)))
        return content


@lru_cache(maxsize=64)
def read(path: Path, _modified: int) -> tuple[bytes, str]:
    """Return the content of a file and its version; the time of its last change is there to miss the cache."""
    content = path.read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:20]
