"""Which coding of an answer a client accepts."""

from __future__ import annotations

import gzip
import zlib

import pytest

from webpy_socketio.gateway.codings import choose, compress


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("gzip, deflate, br, zstd", "gzip"),
        ("deflate, gzip", "gzip"),
        ("deflate", "deflate"),
        ("GZip", "gzip"),
        ("br", None),
        ("identity", None),
        ("*", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.0, deflate", "deflate"),
        ("gzip;q=0.000, *", "deflate"),
        ("gzip; q=0.5, deflate;q=0.8", "deflate"),
        ("gzip;q=0.5,deflate;q=0.5", "gzip"),
        ("gzip;q=0.5, identity;q=0.8", None),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("*;q=0", None),
        ("gzip;q=1.000", "gzip"),
        ("gzip;q=2", None),
        ("gzip;q=", None),
        ("gzip;level=9", None),
        (",;,=;q=1", None),
    ],
)
def test_the_client_chooses_by_its_weights(header: str, coding: str | None) -> None:
    assert choose(header) == coding


def test_what_is_compressed_can_be_read_again() -> None:
    data = b"a message " * 1000
    assert gzip.decompress(compress(data, "gzip")) == data
    assert zlib.decompress(compress(data, "deflate")) == data, "of HTTP's deflate, which has zlib's head"
    assert len(compress(data, "gzip")) < 200
