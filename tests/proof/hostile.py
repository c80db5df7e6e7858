"""Text that wants more than to be read, and how to see what a terminal made of it.

`hostile` is what a card, a server, a reader's driver or a file may call itself; `obeyed` looks
through the raw bytes that a program sent for anything but letters and its own few sequences.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from relay import Answer

from card.text import clean as clean_card
from client.text import clean as clean_server

PAYLOADS = (
    "\x1b]0;owned\x07",  # the window's title
    "\x1b]52;c;b3duZWQ=\x07",  # the clipboard
    "\x1b]8;;https://evil.example.invalid\x1b\\",  # a link
    "\x1b[3J\x1b[31;5m\x1b[?1049l\x1bc\x1b[6n\x1bP$q\x1b\\",
    "\x9b31;5m\x9d0;owned\x9c",  # the same by C1 controls
    "\u202e\u2066\u200f\u061c",  # bidirectional
    "\u200b\u2060\ufeff\u00ad\u034f\u3164",  # nothing to see
    "[bold #123456 blink]A[/] [link=https://evil.example.invalid]B[/link] [@click=app.quit]C[/]",
    "\r\n\t\x08\x08\x7f\x00\x07\x0e\u2028",
    "e" + "\u0301" * 40,  # a tower of accents
    "\U000e0041\ufff9\U0001f468\u200d\U0001f469",
)
SHORT = "\x1b]0;o\x07\x1b[5m\x9b5m\u202e\u200b[@click=q]x[/]e\u0301\u0301\u0301寬寬"
NO_UTF8 = "\udcff\udc9b5m"  # as Python writes a name that is the bytes ff 9b 35 6d
# All that the program itself sends beside text: Textual's driver, and tui/painter.py.
OWN = re.compile(
    rb"\x1b\[(?:\d{1,3};\d{1,3}H|K|(?:[0127;]|47)*m|\?(?:7|25|1004|1049|2004)[hl]|\?20(?:26|48)\$p"
    rb"|>\d+u|<u)|\x1b\]22;default\x07"
    rb"|\x1b\[\d{1,3};\d{1,3}r\x1b\[\d{1,3};1H(?:\r?\n|\x1bM)+\x1b\[r"
)
UNSEEN = frozenset("\u034f\u115f\u1160\u3164\uffa0")
MOST_MARKS = 2


def hostile(marker: str, limit: int = 1000) -> str:
    """A text that begins with `marker`, has every payload in it, and is far too wide."""
    return (marker + "".join(PAYLOADS) + "寬" * 200)[:limit]


@dataclass(frozen=True)
class Manner:
    """How a text is planted: as it is, or as it should be shown; the screens must be the same."""

    card: Callable[[str], str]
    server: Callable[[str], str]


HOSTILE = Manner(str, str)
HARMLESS = Manner(lambda text: clean_card(text, 10_000), lambda text: clean_server(text, 10_000))


def obeyed(written: bytes, own: re.Pattern[bytes] | None = OWN) -> list[str]:
    """What in `written` a terminal does not just draw; `own` may stand there, None: nothing."""
    rest = written if own is None else own.sub(b"", written)
    text = rest.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    found = {repr(text[at.start() : at.start() + 12]) for at in re.finditer("\x1b", text)}
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category[0] == "M" else 0
        bad = category in {"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"} and character not in "\n\x1b"
        if bad or character in UNSEEN or marks > MOST_MARKS:
            found.add(f"U+{ord(character):04X}")
    return sorted(found)


# --- a server's answers --------------------------------------------------------------------------

PEOPLE_READ = frozenset({"zh-Hant", "en", "holder", "title", "detail"})


def texts(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in a decoded JSON value the texts are."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from texts(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from texts(member, (*path, index))


def put(value: object, path: tuple[str | int, ...], text: str) -> object:
    """`value` with `text` at `path`."""
    if not path:
        return text
    if isinstance(value, dict):
        return {**value, path[0]: put(value[path[0]], path[1:], text)}
    assert isinstance(value, list)
    copy = list(value)
    copy[int(path[0])] = put(copy[int(path[0])], path[1:], text)
    return copy


def answered(answer: Answer, changed: object) -> bytes:
    return Answer(answer.status, answer.kind, json.dumps(changed).encode()).encoded()


def rewriting(manner: Manner, planted: set[str]) -> Callable[[Answer], bytes]:
    """Every text for people in an answer replaced; `planted` gets the names of the members."""

    def rewrite(answer: Answer) -> bytes:
        if not answer.body:
            return answer.encoded()
        whole = json.loads(answer.body)
        for number, path in enumerate(tuple(texts(whole))):
            if path[-1] in PEOPLE_READ:
                planted.add(".".join(map(str, path)))
                whole = put(whole, path, manner.server(hostile(f"Srv{number} ", 300)))
        return answered(answer, whole)

    return rewrite
