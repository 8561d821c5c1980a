"""The packets of a POST: its body, read within the limits, and what is in it."""

from __future__ import annotations

from gevent import Timeout

from ..config import Config
from ..errors import HandshakeRefused, ProtocolError
from ..hub.engine_client import EngineClient
from ..types import Environ
from ..wire.engine_packets import CLOSE, BadPayload
from .admission import LimitStruck, refusal, session_ended
from .answers import Answer, make_answer
from .jsonp import post_limit, read_form

__all__ = ["BATCH", "decode_packets", "post_answer", "read_packets"]

#: Packets of one POST that are taken before others have their turn.
BATCH = 500
#: Of a Content-Length, those that are looked at.
_MAX_DIGITS = 18


def read_packets(
    environ: Environ, config: Config, client: EngineClient, *, is_form: bool
) -> tuple[list[str | bytes], BadPayload | None]:
    """Read a payload; of a bad one give what came before the fault, and the fault. ``is_form``: it comes by JSONP.

    Raises ``HandshakeRefused`` for one that is too large or too slow.
    """
    limit = config.max_payload
    body = _read_body(environ, post_limit(limit) if is_form else limit, config, client)
    if is_form:
        try:
            body = read_form(body)
        except ProtocolError as error:
            return [], BadPayload([], error.reason)
        if len(body) > limit:
            raise _too_large(client, len(body), limit)
    packets, fault = decode_packets(body, client)
    if len(packets) > config.max_packets_per_payload:
        client.strike("max_packets_per_payload", len(packets), config.max_packets_per_payload)
        raise LimitStruck("413 Payload Too Large", -1, "")
    return packets, fault


def decode_packets(body: bytes, client: EngineClient) -> tuple[list[str | bytes], BadPayload | None]:
    """Split a payload; of a bad one give what came before the fault, and the fault."""
    try:
        return client.decode_payload(body), None
    except BadPayload as error:
        return error.packets, error


def post_answer(client: EngineClient, packets: list[str | bytes]) -> Answer:
    """Answer a POST whose packets were taken. Raises ``HandshakeRefused`` if they have cost the session."""
    if not client.is_closed or CLOSE in packets:
        return make_answer(b"ok", "text/html")
    if client.is_over_limit:
        raise LimitStruck("413 Payload Too Large", -1, "")
    raise session_ended()


def _read_body(environ: Environ, limit: int, config: Config, client: EngineClient) -> bytes:
    """Read a body of known or unknown length, never more than ``limit`` bytes nor longer than ``body_timeout``."""
    length = str(environ.get("CONTENT_LENGTH") or "")
    # Of one with thousands of digits not even a log line can be made.
    size = int(length[:_MAX_DIGITS]) if length.isdecimal() else 0
    if size > limit:
        raise _too_large(client, size, config.max_payload)
    timeout = Timeout(config.body_timeout)
    with timeout:
        try:
            body = environ["wsgi.input"].read(limit + 1)  # type: ignore[attr-defined]  # a file by PEP 3333
        except Timeout as error:
            if error is not timeout:
                raise
            detail = f"body_timeout is {config.body_timeout:g} s"
            raise HandshakeRefused("408 Request Timeout", 3, "The body did not come in time", detail) from None
        except OSError as error:
            raise refusal(3, f"the body broke off ({error})") from error
    if len(body) > limit:
        raise _too_large(client, len(body), config.max_payload)
    return bytes(body)


def _too_large(client: EngineClient, size: int, limit: int) -> HandshakeRefused:
    client.strike("max_payload", size, limit)
    return LimitStruck("413 Payload Too Large", -1, "")
