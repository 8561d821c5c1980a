"""The greenlets that run handlers: they leak nothing from one event to the next, and there are not too many."""

from __future__ import annotations

import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import get_ident
from typing import Any

import gevent
import pytest
import web
from gevent import getcurrent
from gevent.event import Event
from gevent.local import local

from tests.hub.conftest import Log
from tests.support.dummy import connected
from tests.support.waiting import wait_until
from webpy_socketio import on_event, on_message
from webpy_socketio.hub import worker as worker_module
from webpy_socketio.hub.hub import Hub
from webpy_socketio.hub.mailbox import Desk, Mailbox
from webpy_socketio.hub.worker_pool import MAX_IDLE, WorkerPool

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class TestNothingLeaks:
    """One handler leaves something behind; the next event, of the same client or of another, must not notice."""

    @pytest.fixture(params=["same client", "other client", "same read"])
    def run_after(self, request: pytest.FixtureRequest, hub: Hub) -> Callable[[], None]:
        """Run the event ``leak``, then the event ``next``."""

        def run() -> None:
            first = connected(hub)
            second = connected(hub) if request.param == "other client" else first
            if request.param == "same read":
                first.say('42["leak"]', '42["next"]')
            else:
                first.say('42["leak"]')
                first.heard()
                second.say('42["next"]')
            second.heard()

        return run

    @pytest.mark.parametrize("blocks", [False, True], ids=["at once", "after a wait"])
    def test_a_timeout_that_was_left_running_cannot_hit_it(self, run_after: Any, blocks: bool) -> None:
        got: list[Any] = []

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            if blocks:
                gevent.sleep(0.001)
            got.append(gevent.Timeout(0.01))
            got[0].start()

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            wait_until(lambda: not got[0].pending)
            gevent.sleep(0.001)
            got.append("unharmed")

        run_after()
        assert got[1:] == ["unharmed"]

    def test_a_timeout_with_an_exception_of_its_own_cannot_either(self, run_after: Any) -> None:
        got: list[Any] = []

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            got.append(gevent.Timeout(0.01, ValueError("late")))
            got[0].start()

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            wait_until(lambda: not got[0].pending)
            got.append("unharmed")

        run_after()
        assert got[1:] == ["unharmed"]

    @pytest.mark.parametrize("blocks", [False, True], ids=["at once", "after a wait"])
    def test_greenlet_locals_are_gone(self, run_after: Any, blocks: bool) -> None:
        got: list[Any] = []
        mine = local()

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            mine.user = "ann"
            if blocks:
                gevent.sleep(0.001)

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            got.append(getattr(mine, "user", "nobody"))

        run_after()
        assert got == ["nobody"]

    def test_context_variables_are_unset(self, run_after: Any) -> None:
        got: list[str] = []

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            variable.set("ann")
            gevent.sleep(0.001)
            got.append(variable.get())

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            got.append(variable.get())

        run_after()
        assert got == ["ann", "unset"]

    def test_attributes_of_the_greenlet_are_gone(self, run_after: Any) -> None:
        got: list[Any] = []

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            getcurrent().user = "ann"  # type: ignore[attr-defined]  # that is what is tested
            getcurrent().spawn_tree_locals["user"] = "ann"

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            got.append((hasattr(getcurrent(), "user"), getcurrent().spawn_tree_locals))

        run_after()
        assert got == [(False, {})]

    @pytest.mark.parametrize("blocks", [False, True], ids=["at once", "after a wait"])
    def test_who_kept_the_greenlet_cannot_kill_it(self, run_after: Any, blocks: bool) -> None:
        got: list[Any] = []

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            if blocks:
                gevent.sleep(0.001)
            got.append(getcurrent())

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            got[0].kill(block=False)
            gevent.sleep(0.001)
            got.append("unharmed")

        run_after()
        assert got[1:] == ["unharmed"]

    def test_a_callback_linked_to_the_greenlet_is_called_before(self, run_after: Any) -> None:
        got: list[str] = []

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            getcurrent().rawlink(lambda greenlet: got.append("ended"))

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            got.append("next")

        run_after()
        assert got == ["ended", "next"]

    @pytest.mark.parametrize("fails", [False, True], ids=["in order", "with an error"])
    def test_a_link_is_told_once_and_may_fail(self, run_after: Any, log: Log, fails: bool) -> None:
        got: list[Any] = []

        def tell(greenlet: Any) -> None:
            got.append(greenlet.dead)
            if fails:
                raise ValueError("in a link")

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            getcurrent().rawlink(tell)  # type: ignore[attr-defined]  # a worker has it

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            got.append("next")

        run_after()
        gevent.sleep(0)
        assert got == [True, "next"]
        assert [str(error) for error in log.in_loop] == ["in a link"] * fails
        log.in_loop.clear()

    @pytest.mark.parametrize("way", ["join", "get", "join in vain", "kill"])
    def test_who_waits_for_the_greenlet_is_woken_and_holds_nobody_up(self, run_after: Any, way: str) -> None:
        got: list[str] = []

        def wait_for(greenlet: Any) -> None:
            if way == "kill":
                greenlet.kill()
            elif way == "get":
                greenlet.get()
            else:
                greenlet.join(0.001 if way == "join in vain" else None)
            got.append("woken")
            gevent.sleep(0.01)
            got.append("went on")

        waiting: list[Any] = []

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            waiting.append(gevent.spawn(wait_for, getcurrent()))
            gevent.sleep(0.01)

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            got.append("next")

        run_after()
        wait_until(lambda: "next" in got, what="the next event")
        gevent.joinall(waiting, raise_error=True)
        assert sorted(got) == ["next", "went on", "woken"]

    def test_a_greenlet_local_that_dies_before_its_greenlet_leaves_nothing(self, hub: Hub) -> None:
        got: list[bool] = []

        def make_locals(_: object) -> None:
            worker: Any = getcurrent()
            before = len(worker.__dict__), len(worker.desk.locals)
            for number in range(10):
                local().number = number
            got.append((len(worker.__dict__), len(worker.desk.locals)) == before)

        hub.workers.put(Mailbox(), make_locals, None)
        wait_until(lambda: got)
        assert got == [True]

    def test_what_dies_with_a_greenlet_local_may_leave_another(self, hub: Hub) -> None:
        mine = local()
        got: list[Any] = []

        class Heir:
            def __del__(self) -> None:
                mine.user = "ann"

        def leave(_: object) -> None:
            mine.heir = Heir()

        for task in (leave, lambda _: got.append(vars(mine))):
            hub.workers.put(Mailbox(), task, None)
        wait_until(lambda: got)
        assert got == [{}]

    @pytest.fixture
    def db(self, tmp_path: Path) -> Iterator[Any]:
        db = web.database(dbn="sqlite", db=str(tmp_path / "test.db"), timeout=0.2)
        db.printing = False
        db.query("CREATE TABLE message (text TEXT)")
        yield db

    @pytest.mark.parametrize("blocks", [False, True], ids=["at once", "after a wait"])
    def test_a_database_transaction_is_rolled_back(self, run_after: Any, db: Any, blocks: bool) -> None:
        got: list[Any] = []

        @on_event("leak")
        def leak(request: Any, socket: Any, context: Any) -> None:
            db.transaction()
            db.insert("message", text="leaked")
            if blocks:
                gevent.sleep(0.001)

        @on_event("next")
        def victim(request: Any, socket: Any, context: Any) -> None:
            db.insert("message", text="kept")
            got.append([row.text for row in db.select("message")])

        run_after()
        assert got == [["kept"]]
        assert [row.text for row in db.select("message")] == ["kept"]


class TestOthersInTheSameTurn:
    def test_a_leaked_transaction_does_not_lock_them_out(self, hub: Hub, tmp_path: Path) -> None:
        db = web.database(dbn="sqlite", db=str(tmp_path / "test.db"), timeout=0.2)
        db.printing = False
        db.query("CREATE TABLE message (text TEXT)")

        @on_message
        def leak(request: Any, socket: Any, context: Any, message: Any) -> None:
            db.transaction()
            db.insert("message", text=message)

        @on_event("keep")
        def keep(request: Any, socket: Any, context: Any, text: str) -> None:
            db.insert("message", text=text)

        self.say_at_once(hub, '42["message","a"]', '42["keep","b"]', '42["keep","c"]')
        assert sorted(row.text for row in db.select("message")) == ["b", "c"]

    def test_greenlet_locals_are_gone_before_they_have_their_turn(self, hub: Hub) -> None:
        mine = local()
        leaked: list[Any] = []
        seen: list[bool] = []

        class Value:
            pass

        @on_message
        def leak(request: Any, socket: Any, context: Any, message: Any) -> None:
            mine.value = Value()
            leaked.append(weakref.ref(mine.value))

        @on_event("look")
        def look(request: Any, socket: Any, context: Any) -> None:
            seen.append(leaked[0]() is None)

        self.say_at_once(hub, '42["message","a"]', '42["look"]', '42["look"]')
        assert seen == [True, True]

    def say_at_once(self, hub: Hub, *packets: str) -> None:
        """Let each packet arrive from another client, all of them before any handler runs."""
        clients = [connected(hub) for _ in packets]
        done = Event()

        def speak() -> None:
            for client, packet in zip(clients, packets, strict=True):
                client.carrier.receiver.receive_message(client.carrier, packet)
            done.set()

        gevent.get_hub().loop.run_callback(speak)
        assert done.wait(5)
        for client in clients:
            client.heard()


class TestWorkers:
    def test_one_is_used_again_after_a_task_that_left_something_in_it(self, hub: Hub) -> None:
        mine = local()
        got: list[Any] = []
        workers: list[weakref.ref[Any]] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            worker: Any = getcurrent()
            workers.append(weakref.ref(worker))
            got.append((vars(mine).copy(), "user" in web.ctx, hasattr(worker, "user"), dict(worker.spawn_tree_locals)))
            mine.user = web.ctx.user = worker.user = worker.spawn_tree_locals["user"] = message

        client = connected(hub)
        for name in ("ann", "bob", "cecil"):
            client.say(f'42["message","{name}"]')
            client.heard()
        assert got == [({}, False, False, {})] * 3
        assert workers[0]() is not None
        assert workers == [workers[0]] * 3

    def test_one_is_used_again_after_a_link_that_was_taken_back(self, hub: Hub) -> None:
        workers: list[weakref.ref[Any]] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            worker: Any = getcurrent()
            workers.append(weakref.ref(worker))
            worker.link(workers.append)
            worker.unlink(workers.append)

        client = connected(hub)
        for name in ("ann", "bob"):
            client.say(f'42["message","{name}"]')
            client.heard()
        assert workers[0]() is not None
        assert workers == [workers[0]] * 2

    def test_of_one_that_has_ended_nothing_waits_for_the_garbage_collector(self, hub: Hub) -> None:
        def left() -> int:
            return sum(isinstance(found, Desk) for found in gc.get_objects()) - len(hub.workers.workers)

        workers: list[weakref.ref[Any]] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            worker: Any = getcurrent()
            workers.append(weakref.ref(worker))
            worker.link(bool)  # with which it ends

        gc.disable()
        try:
            client = connected(hub)
            before = left()
            client.say('42["message","ann"]')
            client.heard()
            wait_until(lambda: workers[0]() is None)
            assert left() <= before
        finally:
            gc.enable()

    def test_one_that_was_taken_for_a_thread_is_one_no_longer_and_used_again(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            threads: Any = vars(threading)["_active"]
            before = get_ident() in threads
            logging.getLogger("application").warning("a line of a log has the thread's name")
            got.append((id(getcurrent()), before, get_ident() in threads))

        client = connected(hub)
        for name in ("ann", "bob"):
            client.say(f'42["message","{name}"]')
            client.heard()
        assert got == [got[0]] * 2
        assert got[0][1:] == (False, True)

    def test_handlers_that_leave_nothing_behind_share_a_greenlet(self, hub: Hub) -> None:
        got: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(id(getcurrent()))
            if message == "wait":
                gevent.sleep(0.001)

        clients = [connected(hub) for _ in range(3)]
        for message in ("quick", "wait", "quick", "wait"):
            for client in clients:
                client.say(f'42["message","{message}"]')
                client.heard()
        assert len(got) == 12
        assert len(set(got)) == 1
        assert len(hub.workers.workers) == 1

    def test_one_that_waits_is_joined_by_another(self, hub: Hub) -> None:
        may_go_on = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            may_go_on.wait()

        clients = [connected(hub) for _ in range(5)]
        for client in clients:
            client.say('42["message"]')
        assert len(hub.workers.workers) == 5
        may_go_on.set()
        for client in clients:
            client.heard()

    def test_they_do_not_become_more_than_allowed(self, make_hub: Callable[..., Hub]) -> None:
        hub = make_hub(max_workers=2)
        got: list[int] = []
        may_go_on = Event()

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            got.append(message)
            may_go_on.wait()

        clients = [connected(hub) for _ in range(4)]
        for number, client in enumerate(clients):
            client.say(f'42["message",{number}]')
        assert got == [0, 1]
        may_go_on.set()
        wait_until(lambda: got == [0, 1, 2, 3])
        assert all(client.heard() == [] for client in clients)
        assert len(hub.workers.workers) <= 2

    def test_of_many_that_were_busy_only_some_are_kept(self, hub: Hub) -> None:
        may_go_on = Event()
        pool = WorkerPool(MAX_IDLE * 3)
        pool.open()
        for _ in range(MAX_IDLE * 2):
            pool.put(Mailbox(), lambda _: may_go_on.wait(), None)
        pool.request()
        gevent.sleep(0)
        assert len(pool.workers) == MAX_IDLE * 2
        may_go_on.set()
        wait_until(lambda: len(pool.workers) == MAX_IDLE)
        assert not pool.is_busy
        pool.close()
        wait_until(lambda: not pool.workers)

    def test_what_comes_after_the_end_is_done_and_no_worker_is_kept_for_more(self, hub: Hub) -> None:
        pool, mailbox, got = WorkerPool(10), Mailbox(), list[int]()
        pool.open()
        pool.put(mailbox, got.append, 1)
        pool.close()
        wait_until(lambda: got == [1] and mailbox.is_empty)
        pool.put(mailbox, got.append, 2)
        wait_until(lambda: got == [1, 2] and not pool.workers)

    def test_a_task_that_fails_is_logged_and_the_mailbox_goes_on(self, hub: Hub, log: Log) -> None:
        got: list[str] = []
        mailbox = Mailbox()

        def broken(_: object) -> None:
            raise ValueError("a fault of ours")

        for task in (broken, lambda _: got.append("next")):
            hub.workers.put(mailbox, task, None)
        hub.workers.request()
        wait_until(lambda: got)
        assert [str(cause) for cause in log.causes()] == ["a fault of ours"]

    def test_a_woken_idle_worker_has_nothing_to_do(self, hub: Hub) -> None:
        woken: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            if not woken:
                woken.append(getcurrent().switch)
            return "ran"

        client = connected(hub)
        client.ask("message")
        gevent.get_hub().loop.run_callback(woken[0])
        gevent.sleep(0)
        assert client.ask("message") == ["ran"]

    def test_a_leaked_timeout_that_fires_in_nobody_harms_nobody(self, hub: Hub) -> None:
        leaked: list[Any] = []

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> str:
            if not leaked:
                leaked.append(gevent.Timeout.start_new(0.001))
            return "ran"

        client = connected(hub)
        client.ask("message")
        wait_until(lambda: not leaked[0].pending)
        gevent.sleep(0.001)
        assert client.ask("message") == ["ran"]

    def test_idle_workers_end_with_the_hub(self, hub: Hub) -> None:
        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            gevent.sleep(0)

        client = connected(hub)
        client.say('42["message"]')
        client.heard()
        hub.stop(1)
        wait_until(lambda: not hub.workers.workers)

    def test_a_clean_up_that_fails_is_logged_and_the_others_are_called(
        self, hub: Hub, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine = local()
        seen: list[str] = []

        def broken() -> None:
            raise ValueError("no")

        monkeypatch.setattr(worker_module, "cleanups", [broken, lambda: seen.append(mine.user)])

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            mine.user = message

        client = connected(hub)
        client.say('42["message","ann"]')
        client.heard()
        assert seen == ["ann"]
        assert [str(cause) for cause in log.causes()] == ["no"]

    def test_what_leaves_nothing_behind_is_not_cleaned_up(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        called: list[int] = []
        monkeypatch.setattr(worker_module, "cleanups", [lambda: called.append(1)])

        @on_message
        def chat(request: Any, socket: Any, context: Any, message: Any) -> None:
            gevent.sleep(0)

        client = connected(hub)
        client.say('42["message"]', '42["message"]')
        client.heard()
        assert called == []

    def test_a_mailbox_knows_whether_it_is_empty(self, hub: Hub) -> None:
        mailbox, may_go_on = Mailbox(), Event()
        assert mailbox.is_empty
        hub.workers.put(mailbox, lambda _: may_go_on.wait(), None)
        assert not mailbox.is_empty
        hub.workers.request()
        gevent.sleep(0)
        assert not mailbox.is_empty
        may_go_on.set()
        wait_until(lambda: mailbox.is_empty)
