"""A link: one raw, non-blocking socket on the loop's watchers.

It knows bytes, and who owns it. Its callbacks run in the loop itself: they never block, run no application code, take
no lock and write no log. There is no greenlet per connection.
"""

from __future__ import annotations

import select
import socket as socket_module
import ssl
from typing import Any, Final, Protocol

from gevent import monkey

from .arrivals import Arrivals, Readable

__all__ = ["Link", "LinkOwner", "TLSLink", "make_link", "peer_is_gone"]

_WRITE: Final = 2  # of libev's event mask
#: Bytes asked of the kernel at a time.
READ_SIZE: Final = 65_536
#: Records of TLS (16 kB at most) that are taken of one connection before others have their turn.
READS_AT_ONCE: Final = 4

_WOULD_BLOCK: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_poll = monkey.get_original("select", "poll")


class LinkOwner(Protocol):
    """Who is told what happens on a link, always in the loop."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes that came in."""

    def receive_end(self) -> None:
        """Take the end of the stream, orderly or not. Called at most once."""

    def receive_room(self) -> None:
        """Take note that everything given to ``send`` has been taken by the kernel."""

    def receive_break(self) -> None:
        """Take note, within ``send``, that the connection is broken. The reader sees its end as well."""

    def receive_failure(self) -> None:
        """Take note that one of these methods raised; called in the ``except`` clause."""


class _Nobody:
    """The owner of a link that is closed: a link and its owner hold each other, and only the garbage collector would
    find the two.
    """

    def receive_data(self, data: bytes) -> None: ...

    def receive_end(self) -> None: ...

    def receive_room(self) -> None: ...

    def receive_break(self) -> None: ...

    def receive_failure(self) -> None: ...


_NOBODY: Final = _Nobody()


class Link(Readable):
    """Owns ``sock`` (a plain ``_socket`` one, or an ``SSLSocket``) and its watchers on the loop of ``arrivals``."""

    __slots__ = ("_arrivals", "_owner", "_reader", "_socket", "_unsent", "_writer", "is_blocked", "is_closed")

    def __init__(self, sock: Any, arrivals: Arrivals, owner: LinkOwner) -> None:  # Any: a raw socket of either kind
        self._socket = sock
        self._arrivals = arrivals
        self._owner: LinkOwner = owner
        #: What the kernel has not taken of what was sent; whether there is any.
        self._unsent = b""
        self.is_blocked = False
        self.is_closed = False
        #: Watchers of the loop, made when they are needed first.
        self._reader: Any = None
        self._writer: Any = None

    @property
    def unsent(self) -> int:
        """Give the number of bytes that were sent and that the kernel has not taken yet."""
        return len(self._unsent)

    def start(self) -> None:
        """Begin, or go on, to read."""
        if self.is_closed:
            return
        if self._reader is None:
            self._reader = self._arrivals.make_reader(self._socket.fileno())
        if not self._reader.active:
            self._arrivals.start(self._reader, self)

    def pause(self) -> None:
        """Stop to read: the kernel's buffers fill, and TCP slows the peer."""
        if self._reader is not None and self._reader.active:
            self._arrivals.stop(self._reader, self)

    def read_now(self) -> None:
        """Take what has come already, once and without waiting."""
        try:
            data = self._socket.recv(READ_SIZE)
        except _WOULD_BLOCK:
            return
        except OSError:
            data = b""
        self._hand_over(data)

    def start_with(self, early_data: bytes) -> None:
        """Begin to read, with bytes that somebody else has read before. Like all others they are handed over in the
        loop, where the owner expects to be called.
        """
        self._arrivals.loop.run_callback(self._begin, early_data)

    def _begin(self, early_data: bytes) -> None:
        if not self.is_closed:
            self.start()
            self._hand_over(early_data)

    def _hand_over(self, data: bytes) -> None:
        owner = self._owner  # it may close the link, and fail then
        try:
            if data:
                owner.receive_data(data)
            else:
                self.pause()
                owner.receive_end()
        except Exception:
            owner.receive_failure()

    def send(self, data: bytes) -> bool:
        """Write bytes; False if some of them have to wait (the owner's ``receive_room`` follows).

        Must not be called while ``is_blocked``. On a broken connection ``receive_break`` is called, and nothing waits.
        """
        try:
            sent = self._socket.send(data)
            if sent == len(data):
                return True
        except ssl.SSLWantReadError:
            # A writable socket would not help: `TLSLink` goes on when it can be read.
            self._unsent, self.is_blocked = data, True
            return False
        except _WOULD_BLOCK:
            sent = 0
        except OSError:
            self._owner.receive_break()
            return True
        self._unsent, self.is_blocked = data[sent:], True
        self._wait_to_write()
        return False

    def _wait_to_write(self) -> None:
        if self._writer is None:
            self._writer = self._arrivals.loop.io(self._socket.fileno(), _WRITE)
        self._writer.start(self._on_writable)

    def _on_writable(self) -> None:
        if self._writer is not None:
            self._writer.stop()
        data, self._unsent, self.is_blocked = self._unsent, b"", False
        if not data or self.send(data):
            owner = self._owner
            try:
                owner.receive_room()
            except Exception:
                owner.receive_failure()

    def finish_writing(self) -> None:
        """Send the end of our half of the stream; what the peer still sends can be read."""
        try:
            self._socket.shutdown(socket_module.SHUT_WR)
        except OSError:
            pass  # it is broken already, and the reader sees that

    def is_gone(self) -> bool:
        """Look whether the peer has closed, without reading what may still lie before the end."""
        return peer_is_gone(self._socket)

    def release(self) -> Any:  # Any: a raw socket
        """Give the socket away: somebody else reads and writes it now."""
        self._close_watchers()
        return self._socket

    def _close_watchers(self) -> None:
        self.pause()
        for watcher in (self._reader, self._writer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reader = self._writer = None
        self._unsent, self.is_blocked, self.is_closed = b"", False, True
        self._owner = _NOBODY

    def close(self, *, in_child: bool = False) -> None:
        """Stop and close the watchers, then the socket. ``in_child``: a forked process drops its copy, without
        shutdown.
        """
        if self.is_closed:
            return
        self._close_watchers()
        try:
            # A TLS socket's own close may want to say good-bye; the parent's connection must not hear it from a child.
            socket_module.close(self._socket.detach()) if in_child else self._socket.close()
        except OSError:
            pass  # the descriptor is gone either way


class TLSLink(Link):
    """A link over TLS: OpenSSL may hold data that the kernel does not, want to write in order to read, and the
    reverse.
    """

    __slots__ = ()

    def start(self) -> None:
        """Begin, or go on, to read; also what OpenSSL has decrypted already, which no watcher would announce."""
        super().start()
        if not self.is_closed:
            self._arrivals.loop.run_callback(self.read_now)

    def read_now(self) -> None:
        """Take what has come already, and what OpenSSL has decrypted."""
        for _ in range(READS_AT_ONCE):
            if self._reader is None or not self._reader.active:
                break
            try:
                data = self._socket.recv(READ_SIZE)
            except ssl.SSLWantWriteError:
                self._wait_to_write()  # a key update wants that
                return
            except _WOULD_BLOCK:
                break
            except OSError:
                data = b""
            self._hand_over(data)
            if not data:
                return
        else:
            # Others have their turn first. What is left in the kernel comes with the next event of the watcher.
            if self._socket.pending():
                self._arrivals.loop.run_callback(self.read_now)
        if self._unsent and (self._writer is None or not self._writer.active):
            super()._on_writable()  # what wanted to be read first

    def _on_writable(self) -> None:
        super()._on_writable()
        self.read_now()


def make_link(sock: Any, arrivals: Arrivals, owner: LinkOwner) -> Link:
    """Make the link that fits a socket; it does not read until it is started."""
    if sock.gettimeout() != 0.0:  # that it does not block already
        sock.setblocking(False)
    kind = TLSLink if isinstance(sock, ssl.SSLSocket) else Link
    return kind(sock, arrivals, owner)


def peer_is_gone(sock: Any) -> bool:
    """Tell whether the peer of a socket has closed it or is unreachable, without reading from it."""
    poller = _poll()
    try:
        poller.register(sock.fileno(), select.POLLRDHUP)
        return bool(poller.poll(0))
    except (OSError, ValueError):
        return True
