"""The exception tree: who is at fault."""

from __future__ import annotations

import pickle

import pytest

from webpy_socketio import errors
from webpy_socketio.errors import (
    AnswersMissing,
    BackplaneError,
    EventError,
    HandshakeRefused,
    NoSocket,
    ProtocolError,
    Refused,
    SocketClosed,
    UsageError,
    WebpySocketIOError,
)


@pytest.mark.parametrize("name", errors.__all__)
def test_everything_that_is_raised_has_one_root(name: str) -> None:
    assert issubclass(getattr(errors, name), WebpySocketIOError)


@pytest.mark.parametrize("kind", [NoSocket, EventError, SocketClosed])
def test_the_callers_faults_are_usage_errors(kind: type[Exception]) -> None:
    assert issubclass(kind, UsageError)


@pytest.mark.parametrize("kind", [ProtocolError, HandshakeRefused, Refused, BackplaneError])
def test_other_faults_are_not_the_callers(kind: type[Exception]) -> None:
    assert not issubclass(kind, UsageError)


def test_no_builtin_is_shadowed() -> None:
    import builtins

    assert not [name for name in errors.__all__ if hasattr(builtins, name)]


def test_a_protocol_error_has_a_reason_and_a_close_code() -> None:
    error = ProtocolError("what is wrong")
    assert (str(error), error.reason, error.close_code) == ("what is wrong", "what is wrong", 1002)
    assert ProtocolError("", 1009).close_code == 1009


def test_a_refused_handshake_has_the_status_and_code_of_its_answer() -> None:
    error = HandshakeRefused("400 Bad Request", 1, "Session ID unknown")
    assert (error.status, error.code, error.message, str(error)) == (
        "400 Bad Request",
        1,
        "Session ID unknown",
        "Session ID unknown",
    )


def test_a_refusal_has_the_text_of_node_unless_another_is_given() -> None:
    assert (Refused().message, Refused().data, str(Refused())) == ("Connection refused", None, "Connection refused")
    refused = Refused("not you", {"why": 1})
    assert (refused.message, refused.data, str(refused)) == ("not you", {"why": 1}, "not you")


def test_a_refusal_of_a_handshake_has_a_status() -> None:
    assert (Refused().status, Refused("Log in", status=401).status) == (403, 401)
    with pytest.raises(UsageError, match="status must be an HTTP status from 400 to 599, not 200"):
        Refused("x", status=200)


@pytest.mark.parametrize("error", [ProtocolError("a", 1007), Refused("b"), NoSocket("c"), BackplaneError("d")])
def test_errors_survive_a_process_boundary(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_missing_answers_are_a_timeout_with_what_came_and_who_is_missing() -> None:
    error = AnswersMissing("1 of 2 clients did not answer", {"a": 1}, ["b"])
    assert isinstance(error, TimeoutError)
    assert (str(error), error.answers, error.missing) == ("1 of 2 clients did not answer", {"a": 1}, ["b"])
