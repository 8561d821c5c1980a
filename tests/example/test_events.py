"""The live half of the chat, as a client of the wire sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import gevent
import pytest
import requests

from tests.example.chat_server import ChatServer, Operator
from tests.example.talker import Talker

MakeTalker = Callable[..., Talker]


@pytest.fixture
def connect(chat: ChatServer) -> Iterator[MakeTalker]:
    """Connect somebody; with a name, he joins the room."""
    with ExitStack() as stack:

        def make(name: str | None = None, **options: str) -> Talker:
            talker = stack.enter_context(Talker(chat.url, **options))
            if name is not None:
                assert talker.accepted is True
                assert talker.start(name) == {"ok": True}
                talker.wait("started")
            return talker

        yield make


# ---------------------------------------------------------------- subscribing


@pytest.mark.parametrize(
    "channel", ["room-99", "room-01", "room-x", "room-1\n", "lobby\n", "lobbyx", "secret", "", "x" * 20]
)
def test_a_channel_that_is_none_of_ours_is_vetoed(connect: MakeTalker, channel: str) -> None:
    assert connect(channel=channel).accepted is False


def test_an_unknown_room_is_explained(connect: MakeTalker) -> None:
    assert connect(channel="room-99").wait("error")["message"] == "There is no such room. Perhaps it has been removed."


def test_a_socket_is_in_one_room_only(chat: ChatServer, connect: MakeTalker) -> None:
    chat.execute("INSERT INTO rooms (slug, name, name_key) VALUES ('tea', 'Tea', 'tea')")
    ann = connect("Ann")
    assert ann.client.call("__subscribe__", "room-2") is False
    assert connect(channel="room-2").accepted is True


# ---------------------------------------------------------------- names


def test_who_joins_sees_who_is_there_and_the_others_see_him(connect: MakeTalker) -> None:
    ann = connect("Ann")
    bob = connect("Bob")
    started = bob.wait("started")
    assert started["name"] == "Bob"
    assert started["users"] == ["Ann", "Bob"]
    assert started["messages"] == []
    assert ann.wait("join", name="Bob")["users"] == ["Ann", "Bob"]
    assert bob.wait("join", name="Bob"), "he is told as everybody is"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_name_is_in_use_however_it_is_written(connect: MakeTalker, transport: str) -> None:
    connect("Ann")
    other = connect(transport=transport)
    names = ["Ann", "aNN", "A\u200dnn", "Ａｎｎ"]
    for name in names:
        assert other.start(name) == {"ok": True}
    other.wait("in-use", name=names[-1])
    assert [message["name"] for message in other.all("in-use")] == names
    assert other.all("started") == []


def test_a_name_of_one_room_is_free_in_another(chat: ChatServer, connect: MakeTalker) -> None:
    chat.execute("INSERT INTO rooms (slug, name, name_key) VALUES ('tea', 'Tea', 'tea')")
    connect("Ann")
    assert connect("Ann", channel="room-2").wait("started")["users"] == ["Ann"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (None, "Please enter a name."),
        (7, "Please enter a name."),
        ("", "Please enter a name that can be seen."),
        ("\u200b\u202e", "Please enter a name that can be seen."),
        ("x" * 25, "Please enter a name of at most 24 characters."),
    ],
)
def test_an_unsuitable_name_is_explained(connect: MakeTalker, name: object, error: str) -> None:
    assert connect().start(name) == {"ok": False, "error": error}


def test_one_socket_has_one_name(connect: MakeTalker) -> None:
    ann = connect("Ann")
    assert ann.start("Bob") == {"ok": False, "error": "You have a name in this room already."}
    assert connect("Bob").wait("started")["users"] == ["Ann", "Bob"]


# ---------------------------------------------------------------- messages


def test_a_message_reaches_the_others_and_is_acknowledged(connect: MakeTalker) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    before = time.time()
    answer = ann.say("Grüße, \u202eBob\x07!")
    assert answer == {"ok": True, "id": 1, "message": "Grüße, Bob!", "time": answer["time"]}
    assert before - 1 <= answer["time"] / 1000 <= time.time() + 1
    message = {"action": "message", "id": 1, "name": "Ann", "message": "Grüße, Bob!", "time": answer["time"]}
    assert bob.wait("message") == message
    bob.say("And you")
    ann.wait("message", name="Bob")
    assert [each["name"] for each in ann.all("message")] == ["Bob"], "nobody is sent his own words"


def test_rooms_do_not_hear_each_other(chat: ChatServer, connect: MakeTalker) -> None:
    chat.execute("INSERT INTO rooms (slug, name, name_key) VALUES ('tea', 'Tea', 'tea')")
    ann, bob, cid = connect("Ann"), connect("Bob", channel="room-2"), connect("Cid", channel="room-2")
    ann.say("in the first")
    bob.say("in the second")
    cid.wait("message")
    assert [message["message"] for message in cid.all("message")] == ["in the second"]
    assert ann.all("message") == []


def test_a_message_to_a_room_where_one_is_not_is_refused(chat: ChatServer, connect: MakeTalker) -> None:
    chat.execute("INSERT INTO rooms (slug, name, name_key) VALUES ('tea', 'Tea', 'tea')")
    ann, bob = connect("Ann"), connect("Bob", channel="room-2")
    assert ann.client.call("__message__", ("room-2", {"action": "message", "message": "psst"})) is False
    ann.say("hello")
    bob.say("hello")
    assert bob.all("message") == []


def test_without_a_name_nothing_can_be_said(connect: MakeTalker) -> None:
    assert connect().say("hello") == {"ok": False, "error": "Please choose a name first."}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "Please enter a message."),
        ("\u200b", "Please enter a message that can be seen."),
        ("x" * 1001, "Please enter a message of at most 1000 characters."),
        ("x" * 100_000, "Please enter a message of at most 1000 characters."),
    ],
)
def test_an_unsuitable_message_is_explained(connect: MakeTalker, text: object, error: str) -> None:
    assert connect("Ann").say(text) == {"ok": False, "error": error}


@pytest.mark.parametrize("request_", ["start", None, 7, [], {}, {"action": ["start"]}, {"action": "drop"}, [["start"]]])
def test_what_is_no_request_is_refused(connect: MakeTalker, request_: object) -> None:
    answer = connect("Ann").request(request_)
    assert answer == {"ok": False, "error": "The server does not know this request."}


def test_a_message_sent_again_is_shown_once(connect: MakeTalker) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    nonce = "00112233445566778899aabbccddeeff"
    first = ann.say("hello", nonce=nonce)
    assert ann.say("hello", nonce=nonce) == first
    ann.say("bye")
    bob.wait("message", message="bye")
    assert [message["message"] for message in bob.all("message")] == ["hello", "bye"]


def test_history_is_what_was_said_last_and_what_was_missed(connect: MakeTalker) -> None:
    ann = connect("Ann")
    ids = [ann.say(f"{number}")["id"] for number in range(3)]
    assert [m["message"] for m in connect("Bob").wait("started")["messages"]] == ["0", "1", "2"]
    cid = connect()
    cid.start("Cid", after=ids[1])
    assert [m["message"] for m in cid.wait("started")["messages"]] == ["2"]


@pytest.mark.parametrize("after", [-1, 2**63, 2**200, "1", None, True, 0.5, [1]])
def test_an_odd_position_in_history_means_its_beginning(connect: MakeTalker, after: object) -> None:
    connect("Ann").say("hello")
    bob = connect()
    assert bob.start("Bob", after=after) == {"ok": True}
    assert [m["message"] for m in bob.wait("started")["messages"]] == ["hello"]


def test_too_many_messages_are_refused_and_the_others_are_not_bothered(connect: MakeTalker) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    answers = [ann.say(f"{number}") for number in range(20)]
    refused = [answer for answer in answers if not answer["ok"]]
    assert len(refused) >= 10
    assert {answer["error"] for answer in refused} == {"That was too fast. Please wait a moment."}
    assert bob.say("still here")["ok"] is True
    ann.wait("message", message="still here")
    assert len(bob.all("message")) == 20 - len(refused)


def test_hints_of_typing_reach_the_others_but_not_too_often(connect: MakeTalker) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    for _ in range(20):
        ann.request({"action": "typing"})
    ann.say("done")
    bob.wait("message")
    hints = bob.all("typing")
    assert {hint["name"] for hint in hints} == {"Ann"}
    assert 1 <= len(hints) <= 6
    assert ann.all("typing") == []


def test_many_people_talk_at_once(connect: MakeTalker) -> None:
    people = [connect(f"Person {number}") for number in range(12)]

    def talk(person: Talker) -> None:
        for number in range(3):
            assert person.say(f"{number}")["ok"] is True

    gevent.joinall([gevent.spawn(talk, person) for person in people], timeout=30, raise_error=True)
    for person in people:
        person.wait("message")
    gevent.joinall([gevent.spawn(hear_all, person, 33) for person in people], timeout=10, raise_error=True)


def hear_all(person: Talker, number: int) -> None:
    while len(person.all("message")) < number:
        time.sleep(0.01)
    ids = [message["id"] for message in person.all("message")]
    assert len(set(ids)) == number, "each once"


def test_an_error_on_the_server_is_told_and_ends_nothing(chat: ChatServer, connect: MakeTalker) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    chat.execute("ALTER TABLE messages RENAME TO hidden")
    ann.client.emit("__message__", ("room-1", {"action": "message", "message": "hello"}))
    ann.wait("error", message="Something went wrong on the server. Please try again.")
    assert "no such table" in chat.output()
    chat.execute("ALTER TABLE hidden RENAME TO messages")
    assert ann.say("again")["ok"] is True
    bob.wait("message", message="again")


# ---------------------------------------------------------------- leaving and coming back


def test_who_unsubscribes_has_left_at_once_and_may_come_back(connect: MakeTalker) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    bob.leave()
    assert ann.wait("leave", timeout=2, name="Bob")["users"] == ["Ann"]
    assert bob.client.call("__subscribe__", "room-1") is True
    assert bob.start("Bobby") == {"ok": True}
    assert ann.wait("join", name="Bobby")["users"] == ["Ann", "Bobby"]


# (On WebSocket, python-socketio's client closes before its goodbye is written.)
@pytest.mark.parametrize(
    ("ending", "transport", "seconds"), [("disconnect", "polling", 3.0), ("vanish", "websocket", 12.0)]
)
def test_however_a_socket_ends_its_owner_leaves_after_a_while(
    connect: MakeTalker, ending: str, transport: str, seconds: float
) -> None:
    ann, bob = connect("Ann"), connect("Bob", transport=transport)
    begin = time.monotonic()
    getattr(bob, ending)()
    assert ann.wait("leave", timeout=seconds + 20, name="Bob")["users"] == ["Ann"]
    assert time.monotonic() - begin >= seconds - 0.5
    assert len(ann.all("leave")) == 1
    assert connect("Bob").wait("started")["users"] == ["Ann", "Bob"], "the name is free again"


@pytest.mark.parametrize("ending", ["disconnect", "vanish"])
def test_who_comes_back_soon_does_so_silently_and_misses_nothing(connect: MakeTalker, ending: str) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    seen = ann.say("before")["id"]
    bob.wait("message")
    getattr(bob, ending)()
    ann.say("meanwhile")
    thief = connect()
    thief.start("Bob")
    thief.wait("in-use", name="Bob")
    back = connect()
    assert back.start("Bob", secret=bob.wait("started")["secret"], after=seen) == {"ok": True}
    started = back.wait("started")
    assert [message["message"] for message in started["messages"]] == ["meanwhile"]
    assert started["users"] == ["Ann", "Bob"]
    ann.say("after")
    assert back.wait("message")["message"] == "after"
    assert [message["name"] for message in ann.all("join")] == ["Ann", "Bob"]
    assert ann.all("leave") == []


def test_a_second_tab_of_one_person_is_the_same_person(connect: MakeTalker) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    tab = connect()
    tab.start("Bob", secret=bob.wait("started")["secret"])
    assert tab.wait("started")["users"] == ["Ann", "Bob"]
    bob.leave()
    tab.say("still here")
    ann.wait("message", name="Bob", message="still here")
    assert ann.all("leave") == []
    tab.leave()
    ann.wait("leave", name="Bob")


@pytest.mark.parametrize("ending", ["interrupt", "kill"])
def test_names_outlive_a_restart_of_the_server(chat: ChatServer, connect: MakeTalker, ending: str) -> None:
    ann, bob = connect("Ann"), connect("Bob")
    secrets = {talker.wait("started")["name"]: talker.wait("started")["secret"] for talker in (ann, bob)}
    seen = ann.say("before")["id"]
    getattr(chat, ending)()
    chat.start()
    thief = connect()
    thief.start("Bob")
    thief.wait("in-use", name="Bob")
    ann = connect()
    ann.start("Ann", secret=secrets["Ann"], after=seen)
    assert ann.wait("started")["users"] == ["Ann", "Bob"]
    bob = connect()
    bob.start("Bob", secret=secrets["Bob"], after=seen)
    bob.wait("started")
    bob.say("after")
    ann.wait("message", message="after")
    assert ann.all("join") == ann.all("leave") == []


def test_who_does_not_come_back_after_a_restart_has_left(chat: ChatServer, connect: MakeTalker) -> None:
    ann = connect("Ann")
    secret = ann.wait("started")["secret"]
    connect("Bob")
    chat.stop()
    chat.start()
    ann = connect()
    ann.start("Ann", secret=secret)
    assert ann.wait("leave", timeout=20, name="Bob")["users"] == ["Ann"]


# ---------------------------------------------------------------- the list of rooms, and the system


def test_the_list_of_rooms_follows_who_comes_and_goes(connect: MakeTalker) -> None:
    lobby = connect(channel="lobby")
    entry = {"id": 1, "slug": "welcome", "name": "Welcome"}
    assert lobby.wait("rooms")["rooms"] == [{**entry, "count": 0}]
    bob = connect("Bob")
    lobby.wait("room", room={**entry, "count": 1})
    bob.leave()
    lobby.wait("room", room={**entry, "count": 0})
    assert lobby.all("join") == lobby.all("leave") == []


def test_a_new_room_appears_in_the_list(chat: ChatServer, connect: MakeTalker) -> None:
    lobby = connect(channel="lobby")
    session = requests.Session()
    page = session.get(chat.url + "/", timeout=10).text
    token = page.split('name="token" value="')[1].split('"')[0]
    answer = session.post(chat.url + "/", {"token": token, "name": "Tea <b>"}, timeout=10)
    assert answer.url == chat.url + "/room/tea-b"
    lobby.wait("room", room={"id": 2, "slug": "tea-b", "name": "Tea <b>", "count": 0})


def test_a_system_message_reaches_everybody_or_one_room(chat: ChatServer, connect: MakeTalker) -> None:
    chat.execute("INSERT INTO rooms (slug, name, name_key) VALUES ('tea', 'Tea', 'tea')")
    operator = Operator(chat)
    assert "There are no clients." in operator.post(message="hello", room="")
    ann, lobby = connect("Ann"), connect(channel="lobby")
    assert "There are no clients on the channel: room-2" in operator.post(message="hello", room="tea")
    assert "Message sent" in operator.post(message="one room", room="welcome")
    assert ann.wait("system") == {"action": "system", "message": "one room"}
    assert "Message sent" in operator.post(message="all", room="")
    lobby.wait("system", message="all")
    ann.wait("system", message="all")
    assert len(lobby.all("system")) == 1


# ---------------------------------------------------------------- the start


def test_a_password_that_was_set_is_not_printed(chat: ChatServer) -> None:
    assert "open sesame" not in chat.output()
    assert chat.url in chat.output()


def test_without_a_password_one_is_made_up_and_printed(chat: ChatServer) -> None:
    chat.stop()
    chat.start(CHAT_SYSMSG_PASSWORD="")
    made_up = chat.program.wait_for_line(r"The password of /sysmsg is (\S{12,}) ")[1]
    chat.stop()
    chat.start(CHAT_SYSMSG_PASSWORD="")
    assert chat.program.wait_for_line(r"The password of /sysmsg is (\S+)")[1] != made_up
