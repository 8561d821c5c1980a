"""A real nginx as a child process, with the site of ``deploy/nginx`` in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.node import MissingPrograms
from tests.support.ports import HOST, free_port
from tests.support.processes import ROOT, Program, running

SYSTEM_PROGRAMS = "/usr/sbin"
"""Where Debian installs nginx; on the path of root only."""

SITE = ROOT / "deploy" / "nginx" / "webpy_socketio.conf"

# What Debian's nginx.conf has, with more of gzip than that, so that a site which leaves it on is found out; and all
# files in a directory of the test's.
MAIN = """\
daemon off;
{user}
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr info;

events {{
    worker_connections 768;
}}

http {{
    access_log off;
    client_body_temp_path {directory}/bodies;
    proxy_temp_path {directory}/proxied;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;

    gzip on;
    gzip_min_length 1;
    gzip_proxied any;
    gzip_types *;

    include {directory}/site.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """It listens on ``port``; its log is the output of ``program``."""

    port: int
    program: Program

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def find_nginx() -> str:
    """Return the path of nginx.

    Raises:
        MissingPrograms: it is not there; the text names the Debian package.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), SYSTEM_PROGRAMS])
    found = shutil.which("nginx", path=path)
    if found is None:
        raise MissingPrograms("no nginx found: install the Debian package nginx")
    return found


def replaced(text: str, old: str, new: str) -> str:
    """Replace what must be there exactly once."""
    assert text.count(old) == 1, f"{text.count(old)} times {old!r}"
    return text.replace(old, new)


@contextmanager
def running_nginx(directory: Path, upstream_port: int, *changes: tuple[str, str]) -> Iterator[Nginx]:
    """Run nginx in front of a server for the length of a block.

    Args:
        directory: where its files may be.
        upstream_port: the port of the server, on 127.0.0.1.
        changes: what else to change in the site, as pairs of old and new texts; its ports are changed anyway.
    """
    port = free_port()
    site = SITE.read_text()
    ports = (("listen 80;", f"listen {HOST}:{port};"), ("127.0.0.1:8000;", f"{HOST}:{upstream_port};"))
    for old, new in (*ports, *changes):
        site = replaced(site, old, new)
    (directory / "site.conf").write_text(site)
    # As root its workers would go on as somebody who may not write into a test's directory.
    user = "user root;" if os.getuid() == 0 else ""
    configuration = directory / "nginx.conf"
    configuration.write_text(MAIN.format(directory=directory, user=user))
    command = [find_nginx(), "-p", str(directory), "-c", str(configuration), "-e", "stderr"]
    with running(command, directory / "nginx.log", ready=port) as program:
        yield Nginx(port, program)
