"""Who may begin a session: what the ``admit`` hook says, and how many places an address has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
import web

from webpy_socketio import limit_rules
from webpy_socketio.config import Config
from webpy_socketio.errors import HandshakeRefused, Refused, UsageError
from webpy_socketio.events import Registry
from webpy_socketio.gateway.admission import LimitStruck
from webpy_socketio.gateway.newcomers import let_in
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.request import Request

ENVIRON: dict[str, object] = {
    "REMOTE_ADDR": "192.0.2.1",
    "QUERY_STRING": "EIO=4&token=x",
    "HTTP_COOKIE": "user=ann",
    "HTTP_AUTHORIZATION": "Bearer x",
    "REMOTE_USER": "ann",
    "wsgi.input": object(),
}


@pytest.fixture(autouse=True)
def _request() -> None:
    """What web.py sets before it calls us."""
    web.ctx.clear()
    web.ctx.status, web.ctx.headers = "200 OK", [("X-Before", "1")]
    web.ctx.update(home="", homepath="", homedomain="", path="/", query="", realhome="")


def ask(hub: Hub, foreign: bool = False, **fields: object) -> Request:
    with let_in(hub, {**ENVIRON, **fields}, foreign=foreign) as newcomer:
        return newcomer.request


def refusal(admit: Callable[[Any], object]) -> HandshakeRefused:
    with pytest.raises(HandshakeRefused) as caught:
        ask(Hub(Config(admit=admit), Registry()))
    return caught.value


def raiser(error: BaseException) -> Callable[[Any], object]:
    def admit(request: Any) -> object:
        raise error

    return admit


class TestTheHook:
    def test_it_sees_the_request_of_the_handshake(self) -> None:
        seen: list[Request] = []
        ask(Hub(Config(admit=seen.append), Registry()))
        (request,) = seen
        assert (request.query["token"], request.cookies, request.auth) == ("x", {"user": "ann"}, {})
        assert request["REMOTE_ADDR"] == "192.0.2.1"
        assert "wsgi.input" not in request

    @pytest.mark.parametrize("verdict", [True, None])
    def test_true_and_none_let_in(self, verdict: object) -> None:
        assert ask(Hub(Config(admit=lambda request: verdict), Registry()))["REMOTE_ADDR"] == "192.0.2.1"

    def test_false_does_not(self) -> None:
        error = refusal(lambda request: False)
        assert (error.status, error.code, error.message) == ("403 Forbidden", 4, "Forbidden")

    @pytest.mark.parametrize(
        ("refused", "status", "message"),
        [
            (Refused(), "403 Forbidden", "Connection refused"),
            (Refused("Log in first", status=401), "401 Unauthorized", "Log in first"),
            (Refused("Later", status=503), "503 Service Unavailable", "Later"),
            (Refused("Strange", status=499), "499 Refused", "Strange"),
            (Refused("\ud83d half a character"), "403 Forbidden", "? half a character"),
            (Refused(LookupError("nobody")), "403 Forbidden", "nobody"),  # type: ignore[arg-type]  # it happens
        ],
    )
    def test_a_refusal_has_its_own_text_and_status(self, refused: Refused, status: str, message: str) -> None:
        error = refusal(raiser(refused))
        assert (error.status, error.code, error.message) == (status, 4, message)

    @pytest.mark.parametrize(
        ("error", "status", "message"),
        [
            (web.unauthorized, "401 Unauthorized", "unauthorized"),
            (web.forbidden, "403 Forbidden", "forbidden"),
            (lambda: web.HTTPError("409 Conflict", {}, b"caf\xc3\xa9"), "409 Conflict", "café"),
            (lambda: web.HTTPError("409 Conflict", {}, None), "409 Conflict", "Conflict"),
            (lambda: web.seeother("/login"), "403 Forbidden", "Forbidden"),
        ],
    )
    def test_web_pys_own_errors_are_understood(self, error: Callable[[], Exception], status: str, message: str) -> None:
        def admit(request: Any) -> object:
            raise error()

        refused = refusal(admit)
        assert (refused.status, refused.message) == (status, message)
        assert web.ctx.headers == [("X-Before", "1")], "its headers are those of a page"

    @pytest.mark.parametrize("status", [200, 302, 99, 600, "401", None])
    def test_a_status_that_is_no_error_cannot_be_said(self, status: Any) -> None:
        with pytest.raises(UsageError, match="from 400 to 599"):
            Refused("x", status=status)

    @pytest.mark.parametrize("failure", [LookupError("trouble"), gevent.Timeout(1), SystemExit(3)])
    def test_one_that_fails_lets_nobody_in_and_is_logged(
        self, failure: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        error = refusal(raiser(failure))
        assert (error.status, error.message) == ("500 Internal Server Error", "Forbidden")
        assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [failure]

    @pytest.mark.parametrize("verdict", ["", "yes", 0, 1, {"user": 1}, []])
    def test_any_other_answer_is_a_mistake_that_lets_nobody_in(
        self, verdict: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert refusal(lambda request: verdict).status == "500 Internal Server Error"
        assert "must give True, None or False" in caplog.text

    def test_a_hub_that_stops_meanwhile_opens_no_session(self) -> None:
        def admit(request: Any) -> None:
            hub.is_stopping = True

        hub = Hub(Config(admit=admit), Registry())
        with pytest.raises(HandshakeRefused, match="stopping"):
            ask(hub)

    @pytest.mark.parametrize(
        ("rule", "foreign", "seen"),
        [("*", True, False), ("*", False, True), (None, False, True), (["http://a.example"], True, True)],
    )
    def test_where_everybody_may_connect_the_credentials_of_foreign_pages_do_not_count(
        self, rule: Any, foreign: bool, seen: bool
    ) -> None:
        request = ask(Hub(Config(cors_allowed_origins=rule), Registry()), foreign)
        assert (request.cookies == {"user": "ann"}) is seen
        assert ("HTTP_AUTHORIZATION" in request) is ("REMOTE_USER" in request) is seen

    @pytest.mark.parametrize("foreign", [True, False])
    def test_nor_does_what_web_py_has_made_of_them(self, foreign: bool) -> None:
        user = web.utils.ThreadedDict()  # as a session keeps its data
        user.name = web.ctx.user = "ann"
        web.ctx.env = dict(ENVIRON)
        assert web.cookies() == {"user": "ann"}
        seen: list[object] = []

        def admit(request: Any) -> None:
            seen.extend((web.cookies().get("user"), user.get("name"), web.ctx.get("user"), web.ctx.status))
            web.header("X-Admitted", "1")

        hub = Hub(Config(cors_allowed_origins="*", admit=admit), Registry())
        ask(hub, foreign)
        assert seen == ([None, None, None, "200 OK"] if foreign else ["ann", "ann", "ann", "200 OK"])
        assert web.cookies() == {"user": "ann"}, "for whoever comes after us"

    def test_a_foreign_page_is_refused_as_any_other(self) -> None:
        for failure, status in ((Refused("no", status=401), "401"), (web.notfound, "404"), (SystemExit(3), "500")):
            error = failure if isinstance(failure, BaseException) else failure()
            hub = Hub(Config(cors_allowed_origins="*", admit=raiser(error)), Registry())
            with pytest.raises(HandshakeRefused) as caught:
                ask(hub, True)
            assert caught.value.status[:3] == status


class TestPlaces:
    @pytest.fixture
    def struck(self, monkeypatch: pytest.MonkeyPatch) -> list[limit_rules.Violation]:
        violations: list[limit_rules.Violation] = []
        monkeypatch.setattr(Hub, "strike", lambda self, violation: violations.append(violation))
        return violations

    def test_without_a_limit_nobody_is_counted(self) -> None:
        hub = Hub(Config(), Registry())
        with let_in(hub, ENVIRON, foreign=False) as newcomer:
            newcomer.open(upgraded=False, revision=4)
        assert len(hub.addresses) == 0

    def test_a_session_keeps_its_place(self, struck: list[limit_rules.Violation]) -> None:
        hub = Hub(Config(max_connections_per_address=1), Registry())
        with let_in(hub, ENVIRON, foreign=False) as newcomer:
            client = newcomer.open(upgraded=False, revision=4)
        with pytest.raises(LimitStruck) as caught:
            ask(hub)
        assert (caught.value.status, caught.value.message) == (
            "429 Too Many Requests",
            "Too many connections from your address",
        )
        (violation,) = struck
        assert (violation.limit, violation.most, violation.detail) == ("max_connections_per_address", 1, "")
        assert ask(hub, REMOTE_ADDR="192.0.2.2")
        hub.addresses.end(client.session.sid)
        assert ask(hub)

    @pytest.mark.parametrize("failure", [Refused("no"), LookupError("trouble"), KeyboardInterrupt()])
    def test_who_is_not_let_in_keeps_none(self, failure: BaseException) -> None:
        hub = Hub(Config(max_connections_per_address=1, admit=raiser(failure)), Registry())
        for _ in range(3):
            with pytest.raises((HandshakeRefused, KeyboardInterrupt)) as caught:
                ask(hub)
            assert not isinstance(caught.value, LimitStruck)
        assert len(hub.addresses) == 0

    def test_who_waits_for_the_hook_has_a_place_already(self, struck: list[limit_rules.Violation]) -> None:
        inner: list[HandshakeRefused] = []

        def admit(request: Any) -> None:
            with pytest.raises(LimitStruck) as caught:
                ask(hub)
            inner.append(caught.value)

        hub = Hub(Config(max_connections_per_address=1, admit=admit), Registry())
        ask(hub)
        assert len(inner) == 1

    def test_a_proxy_that_is_not_trusted_is_hinted_at(self, struck: list[limit_rules.Violation]) -> None:
        hub = Hub(Config(max_connections_per_address=1), Registry())
        with let_in(hub, ENVIRON, foreign=False), pytest.raises(LimitStruck):
            ask(hub, HTTP_X_FORWARDED_FOR="192.0.2.9")
        assert "trusted_proxies" in struck[0].detail

    def test_who_has_no_address_is_not_counted(self) -> None:
        hub = Hub(Config(max_connections_per_address=1), Registry())
        with let_in(hub, {}, foreign=False), let_in(hub, {"REMOTE_ADDR": ""}, foreign=False):
            assert len(hub.addresses) == 0
