"""What people typed, made fit to be shown to others.

HTML is nobody's business here: the templates escape and the page uses ``textContent``. This is about characters that
deceive without any markup: controls, overrides of the writing direction, and letters that cannot be seen.
"""

import re
import unicodedata

# Bidirectional marks, embeddings, overrides and isolates (Unicode Standard Annex 9), and the invisible characters that
# no writing system needs. The joiners U+200C and U+200D stay: Persian and many emoji are spelt with them.
_DECEPTIVE = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\u206a-\u206f\ufeff\ufff9-\ufffb]")
# Letters and symbols by category, but blank on the screen: the Hangul fillers and the empty Braille cell.
_BLANK = "\u115f\u1160\u3164\uffa0\u2800"
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


class UnsuitableError(ValueError):
    """The text cannot be taken; the message says why, in words for the person who typed it."""


def clean_text(value: object, limit: int, what: str) -> str:
    """Return `value` without deceptive characters, with at most two line breaks in a row.

    `limit` counts code points; `what` names the thing in the error ("a message").
    """
    if not isinstance(value, str):
        raise UnsuitableError(f"Please enter {what}.")
    # Four times the limit: enough for the characters that are about to go, little enough to normalise at leisure.
    if len(value) > 4 * limit:
        raise UnsuitableError(_too_long(what, limit))
    text = _BREAKS.sub("\n", unicodedata.normalize("NFC", value))
    text = _DECEPTIVE.sub("", text.replace("\t", " "))
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in {"Cc", "Cs"})
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    if not any(_is_visible(c) for c in text):
        raise UnsuitableError(f"Please enter {what} that can be seen.")
    if len(text) > limit:
        raise UnsuitableError(_too_long(what, limit))
    return text


def clean_line(value: object, limit: int, what: str) -> str:
    """Return `value` as one line, its white space collapsed; otherwise like `clean_text`."""
    return " ".join(clean_text(value, limit, what).split())


def name_key(name: str) -> str:
    """Return what two names are compared by, so that "Ann", "ANN" and "A\u200dnn" are one name."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join("".join(c for c in folded if unicodedata.category(c) != "Cf").split())


def slug(name: str) -> str:
    """Return `name` as a part of an address: lower-case ASCII letters, digits and hyphens; "room" if none remain."""
    ascii_only = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-") or "room"


def _is_visible(character: str) -> bool:
    return character not in _BLANK and unicodedata.category(character)[0] in "LNPS"


def _too_long(what: str, limit: int) -> str:
    return f"Please enter {what} of at most {limit} characters."
