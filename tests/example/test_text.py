from __future__ import annotations

import pytest
from chat.text import UnsuitableError, clean_line, clean_text, name_key, slug


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Grüße, 你好, مرحبا, \U0001f469\u200d\U0001f4bb <b>&amp;</b>\n\nbye"
    assert clean_text(text, 100, "a message") == text


@pytest.mark.parametrize(
    "character", ["\0", "\x07", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\u200b", "\ufeff", "\ud83d"]
)
def test_deceptive_characters_vanish(character: str) -> None:
    assert clean_text(f"a{character}b", 100, "a message") == "ab"


@pytest.mark.parametrize("line_break", ["\r\n", "\r", "\u2028", "\u2029", "\x0b", "\x0c", "\x85"])
def test_every_line_break_is_a_newline(line_break: str) -> None:
    assert clean_text(f"a{line_break}b", 100, "a message") == "a\nb"


def test_a_tower_of_line_breaks_becomes_one_empty_line() -> None:
    assert clean_text("a\n\n\n\r\n\n\nb", 100, "a message") == "a\n\nb"


def test_joiners_stay_because_scripts_and_emoji_need_them() -> None:
    assert clean_text("می\u200cخواهم", 100, "a message") == "می\u200cخواهم"


@pytest.mark.parametrize(
    "value", ["", "  \n ", "\u200b\u200b", "\u200d", "\u3164", "\u2800", "\u0301", "\u202e \ufe0f"]
)
def test_a_text_that_cannot_be_seen_is_refused(value: str) -> None:
    with pytest.raises(UnsuitableError, match=r"a name that can be seen"):
        clean_text(value, 100, "a name")


@pytest.mark.parametrize("value", [None, 7, True, ["a"], {"a": "b"}, b"a"])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(UnsuitableError, match=r"Please enter a name\."):
        clean_text(value, 100, "a name")


def test_the_limit_counts_characters_and_is_inclusive() -> None:
    assert clean_text("\U0001f600" * 10, 10, "a message") == "\U0001f600" * 10
    with pytest.raises(UnsuitableError, match="at most 10 characters"):
        clean_text("\U0001f600" * 11, 10, "a message")


def test_the_limit_is_applied_to_what_remains() -> None:
    assert clean_text("\u200b" * 30 + "a" * 10, 10, "a message") == "a" * 10


def test_a_huge_text_is_refused_whatever_would_remain() -> None:
    with pytest.raises(UnsuitableError, match="at most 10 characters"):
        clean_text("a" + "\u200b" * 1_000_000, 10, "a message")


def test_a_line_has_no_breaks_and_single_spaces() -> None:
    assert clean_line(" Ann \t of\nGreen   Gables\u2028 ", 100, "a name") == "Ann of Green Gables"


@pytest.mark.parametrize("other", ["ANN", "ann", " Ann", "A\u200dnn", "Ａｎｎ", "Ann\ufeff"])
def test_names_that_look_alike_have_one_key(other: str) -> None:
    assert name_key(other) == name_key("Ann")


def test_keys_know_more_than_lower_case() -> None:
    assert name_key("STRASSE") == name_key("Straße")
    assert name_key("Ann") != name_key("Anna")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Café Zürich", "cafe-zurich"),
        ("C++ & C#", "c-c"),
        ("日本", "room"),
        ("--a--", "a"),
        ("A  B", "a-b"),
        ("Ⅳ", "iv"),
    ],
)
def test_slugs_are_plain_parts_of_addresses(name: str, expected: str) -> None:
    assert slug(name) == expected
