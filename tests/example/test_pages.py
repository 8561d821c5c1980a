from __future__ import annotations

import pytest
from chat import models, settings

from tests.example.site import Visitor

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def visitor(address: str) -> Visitor:
    return Visitor(address)


# ---------------------------------------------------------------- every answer


@pytest.mark.parametrize(
    "path", ["/", "/room/welcome", "/sysmsg", "/nowhere", "/broken", "/static/chat.css", "/static/no.css"]
)
def test_every_answer_carries_the_headers_of_a_careful_site(visitor: Visitor, path: str) -> None:
    headers = visitor.get(path).header_items
    policy = dict(headers)["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert ("X-Content-Type-Options", "nosniff") in headers
    names = [name.lower() for name, _ in headers if name != "Set-Cookie"]
    assert len(names) == len(set(names)), "no header is sent twice"


@pytest.mark.parametrize("path", ["/", "/room/welcome", "/sysmsg", "/nowhere"])
def test_no_page_has_script_or_style_of_its_own(visitor: Visitor, path: str) -> None:
    text = visitor.get(path).text
    assert "<style" not in text
    assert " style=" not in text
    assert " onclick=" not in text
    assert all("src=" in script for script in text.split("<script")[1:])


@pytest.mark.parametrize("path", ["/nowhere", "/room/none", "/room/", "/room/a/b", "/room/WELCOME", "/room/é"])
def test_an_unknown_address_is_a_404_page(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status == "404 Not Found"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>Nothing here</h1>" in answer.text


def test_an_exception_is_a_500_page_that_tells_no_secrets(visitor: Visitor, capsys: pytest.CaptureFixture[str]) -> None:
    answer = visitor.get("/broken")
    assert answer.status == "500 Internal Server Error"
    assert "<h1>Something broke</h1>" in answer.text
    assert "secret" not in answer.text
    assert "ZeroDivisionError: a secret of the server" in capsys.readouterr().err, "the operator sees it"


def test_a_page_that_breaks_in_the_middle_is_a_500_page(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "rooms", lambda: [None])
    answer = visitor.get("/")
    assert answer.status == "500 Internal Server Error"
    assert "<h1>Something broke</h1>" in answer.text


# ---------------------------------------------------------------- sessions


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(visitor: Visitor) -> None:
    cookie = visitor.get("/").headers["Set-Cookie"]
    assert cookie.startswith("chat_session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_a_session_lasts_and_its_token_with_it(visitor: Visitor, address: str) -> None:
    visitor.get("/")
    first = visitor.token
    visitor.get("/sysmsg")
    assert visitor.token == first
    other = Visitor(address)
    other.get("/")
    assert other.token != first


def test_static_files_have_no_session(visitor: Visitor) -> None:
    assert "Set-Cookie" not in visitor.get("/static/chat.css").headers


# ---------------------------------------------------------------- rooms


def test_the_rooms_are_listed_and_lead_somewhere(visitor: Visitor) -> None:
    models.create_room("Tea & Cake")
    assert 'href="/room/tea-cake"' in visitor.get("/").text
    answer = visitor.get("/room/tea-cake")
    assert answer.status == "200 OK"
    assert "<h1>Tea &amp; Cake</h1>" in answer.text


def test_a_room_is_made_and_shown(visitor: Visitor) -> None:
    visitor.get("/")
    answer = visitor.post("/", name="  Grüße & Co ")
    assert answer.status == "303 See Other"
    assert answer.headers["Location"] == "http://chat.example/room/grusse-co"
    assert [room.name for room in models.rooms()] == ["Welcome", "Grüße & Co"]


def test_the_name_of_a_room_is_text_and_never_markup(visitor: Visitor) -> None:
    visitor.get("/")
    name = "<script>alert('x')</script>\"&"
    visitor.post("/", name=name)
    escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34;&amp;"
    pages = [visitor.get("/").text, visitor.get(f"/room/{models.rooms()[-1].slug}").text]
    for page in pages:
        assert escaped in page
        assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("name", "error"),
    [("", "can be seen"), ("\u200b\u202e", "can be seen"), ("x" * 41, "at most 40 characters"), ("WELCOME", "already")],
)
def test_an_unsuitable_name_is_explained_and_kept_in_the_form(visitor: Visitor, name: str, error: str) -> None:
    visitor.get("/")
    answer = visitor.post("/", name=name)
    assert answer.status == "422 Unprocessable Content"
    assert error in answer.text
    assert f'value="{name}"' in answer.text
    assert 'aria-invalid="true" aria-describedby="error"' in answer.text
    assert len(models.rooms()) == 1


def test_what_was_typed_comes_back_as_text(visitor: Visitor) -> None:
    visitor.get("/")
    assert 'value="&#34;&gt;&lt;img src=x&gt;' in visitor.post("/", name='"><img src=x>' + "x" * 40).text


def test_nobody_makes_room_after_room(visitor: Visitor) -> None:
    visitor.get("/")
    statuses = [visitor.post("/", name=f"Room {number}").status[:3] for number in range(6)]
    assert statuses == ["303"] * 5 + ["429"]


# ---------------------------------------------------------------- forms of others


def test_a_form_without_the_token_is_refused(visitor: Visitor) -> None:
    visitor.get("/")
    for fields in ({"name": "x"}, {"name": "x", "token": ""}, {"name": "x", "token": visitor.token + "x"}):
        answer = visitor.request("/", "POST", fields)
        assert answer.status == "403 Forbidden"
        assert "<h1>Form refused</h1>" in answer.text
    assert len(models.rooms()) == 1


def test_the_token_of_another_session_is_refused(visitor: Visitor, address: str) -> None:
    visitor.get("/")
    other = Visitor(address)
    other.get("/")
    other.token = visitor.token
    assert other.post("/", name="x").status == "403 Forbidden"


def test_a_token_without_its_cookie_is_refused(visitor: Visitor) -> None:
    visitor.get("/")
    visitor.cookies.clear()
    assert visitor.post("/", name="x").status == "403 Forbidden"


def test_the_token_in_the_address_does_not_count(visitor: Visitor) -> None:
    visitor.get("/")
    assert visitor.request(f"/?token={visitor.token}", "POST", {"name": "x"}).status == "403 Forbidden"


@pytest.mark.parametrize("path", ["/", "/sysmsg"])
@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": "65537"}, "413 Content Too Large"),
        ({"CONTENT_LENGTH": "-1"}, "413 Content Too Large"),
        ({"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, "413 Content Too Large"),
        ({"CONTENT_TYPE": "multipart/form-data; boundary=x"}, "415 Unsupported Media Type"),
        ({"CONTENT_TYPE": "application/json"}, "415 Unsupported Media Type"),
    ],
)
def test_what_is_not_a_plain_small_form_is_refused(
    visitor: Visitor, path: str, environ: dict[str, str], status: str
) -> None:
    visitor.get(path)
    answer = visitor.request(path, "POST", f"token={visitor.token}&name=x", **environ)
    assert answer.status == status


def test_a_form_in_another_encoding_is_refused(visitor: Visitor) -> None:
    visitor.get("/")

    class Latin1(str):
        def encode(self, *_: object) -> bytes:
            return b"name=\xe9\xff"

    assert visitor.request("/", "POST", Latin1("name=xx")).status == "400 Bad Request"


def test_a_form_with_many_fields_is_refused(visitor: Visitor) -> None:
    visitor.get("/")
    assert visitor.request("/", "POST", "&".join(["name=x"] * 21)).status == "400 Bad Request"


# ---------------------------------------------------------------- the system message


@pytest.fixture
def operator(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    monkeypatch.setattr(settings, "SYSMSG_PASSWORD", "open sesame ü")
    visitor.get("/sysmsg")
    return visitor


def test_without_the_password_nothing_is_sent(operator: Visitor) -> None:
    assert 'name="message"' not in operator.get("/sysmsg").text
    answer = operator.post("/sysmsg", message="hello")
    assert answer.status == "403 Forbidden"
    assert "That is not the password." in answer.text


@pytest.mark.parametrize("guess", ["", "open sesame", "open sesame ü ", "OPEN SESAME Ü"])
def test_a_wrong_password_opens_nothing(operator: Visitor, guess: str) -> None:
    assert operator.post("/sysmsg", password=guess).status == "403 Forbidden"
    assert 'name="message"' not in operator.get("/sysmsg").text


def test_the_password_opens_the_form_until_the_log_out(operator: Visitor) -> None:
    assert operator.post("/sysmsg", password="open sesame ü").status == "303 See Other"
    assert 'name="message"' in operator.get("/sysmsg").text
    assert operator.post("/sysmsg", log_out="1").status == "303 See Other"
    assert 'name="message"' not in operator.get("/sysmsg").text


def test_a_log_in_gives_the_session_a_new_id_and_a_new_token(operator: Visitor, address: str) -> None:
    thief = Visitor(address)
    thief.cookies.update(operator.cookies)
    before = operator.token
    operator.post("/sysmsg", password="open sesame ü")
    operator.get("/sysmsg")
    assert operator.cookies != thief.cookies
    assert operator.token != before
    assert 'name="message"' not in thief.get("/sysmsg").text


def test_guesses_are_limited_even_when_the_last_one_is_right(operator: Visitor) -> None:
    statuses = [operator.post("/sysmsg", password=f"guess {number}").status[:3] for number in range(6)]
    assert statuses == ["403"] * 5 + ["429"]
    answer = operator.post("/sysmsg", password="open sesame ü")
    assert answer.status == "429 Too Many Requests"
    assert 1 <= int(answer.headers["Retry-After"]) <= 20


def test_guesses_of_one_address_do_not_lock_out_another(operator: Visitor) -> None:
    for number in range(6):
        operator.post("/sysmsg", password=f"guess {number}")
    other = Visitor("198.51.100.1")
    other.get("/sysmsg")
    assert other.post("/sysmsg", password="open sesame ü").status == "303 See Other"


def test_where_nobody_listens_the_page_says_so(operator: Visitor) -> None:
    operator.post("/sysmsg", password="open sesame ü")
    operator.get("/sysmsg")
    everybody = operator.post("/sysmsg", message="<b>hello</b>", room="")
    assert "There are no clients." in everybody.text
    assert "&lt;b&gt;hello&lt;/b&gt;</textarea>" in everybody.text, "nothing has to be typed again"
    assert "Message sent" not in everybody.text
    one_room = operator.post("/sysmsg", message="hello", room="welcome")
    assert "There are no clients on the channel: room-1" in one_room.text
    assert '<option value="welcome" selected>' in one_room.text


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"message": " "}, "Please enter a message that can be seen."),
        ({"message": "x" * 1001}, "at most 1000 characters"),
        ({}, "Please enter a message"),
        ({"message": "hello", "room": "gone"}, "There is no such room."),
    ],
)
def test_an_unsuitable_system_message_is_explained(operator: Visitor, fields: dict[str, str], error: str) -> None:
    operator.post("/sysmsg", password="open sesame ü")
    operator.get("/sysmsg")
    assert error in operator.post("/sysmsg", **fields).text
