"""Text from a card, made safe for a terminal where it enters the program."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# Invisible though not of category C: joiners, fillers, variation selectors (Unicode
# Default_Ignorable_Code_Point). A name's variation selectors only choose among glyphs.
_INVISIBLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
    | set(range(0x180B, 0x1810))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0100, 0xE01F0))
)
_MARKS = 2  # combining marks kept on one character; more are a tower over the next lines


def clean(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` terminal columns, with nothing that a terminal obeys.

    Control, escape, bidirectional, zero-width and unassigned characters and lone surrogates are
    dropped, white space becomes single spaces, a cut is shown as "…". Square brackets stay: the
    screens never parse a card's text as markup.
    """
    kept = "".join(each for each, drawn in drawing(" ".join(text.split())) if drawn)
    line = " ".join(kept.split())
    if sum(map(_columns, line)) <= limit:
        return line
    room = limit - 1
    cut = 0
    for cut, character in enumerate(line):  # noqa: B007 - the index is the result
        room -= _columns(character)
        if room < 0:
            break
    return line[:cut].rstrip() + "…" if limit > 0 else ""


def drawing(text: str) -> Iterator[tuple[str, bool]]:
    """Each character, and whether a terminal would draw it and do nothing else with it.

    White space other than spaces is not drawn; of the combining marks on a character two are.
    """
    marks = 0
    seen = False
    for character in text:
        marks = marks + 1 if _is_mark(character) else 0
        drawn = _is_visible(character) and (not marks or (seen and marks <= _MARKS))
        seen = seen or drawn
        yield character, drawn


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    # Private use stays: rare characters in names are encoded there.
    return (category[0] not in "CZ" or category in {"Co", "Zs"}) and ord(
        character
    ) not in _INVISIBLE


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _columns(character: str) -> int:
    if _is_mark(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
