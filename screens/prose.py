"""Running text that breaks where Chinese and English break, at any width.

Textual breaks at spaces only: a Chinese sentence, which has none, jumps whole to the next line.
The rules are the part of UAX #14 that these texts need.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rich.cells import get_character_cell_size
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

NOT_FIRST = frozenset("，。、；：！？）」』】》〉…%,.;:!?)]}")  # never begins a line
NOT_LAST = frozenset("（「『【《〈([{")  # never ends one
# What continued lines are indented by: a menu line's number, or an item's mark or box.
MARKER = re.compile(r"(?:> |  )\d+ |\s*(?:\d+\.|[-*]|!!|(?:> )?\[.{1,4}\])?\s*")


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _may_break(before: str, after: str) -> bool:
    """May a line end between these two characters?"""
    if after in NOT_FIRST or before in NOT_LAST or after == " ":
        return False
    return before == " " or _wide(before) or _wide(after)


@lru_cache(maxsize=64)
def line_starts(line: str, width: int, indent: int) -> tuple[int, ...]:
    """Where `line` must be cut to fit `width` columns; later lines lose `indent` columns."""
    cuts: list[int] = []
    room, used, start, good = width, 0, 0, 0
    for at, character in enumerate(line):
        if at > start and _may_break(line[at - 1], character):
            good = at
        size = get_character_cell_size(character)
        if used + size > room and character != " ":
            cut = good if good > start else at
            cuts.append(cut)
            room, start = max(1, width - indent), cut
            used = sum(get_character_cell_size(c) for c in line[cut:at])
        used += size
    return tuple(cuts)


def wrap(text: Content, width: int) -> Content:
    """`text` with its lines cut to `width` columns and list items hanging."""
    rows: list[Content] = []
    for line in text.split("\n", allow_blank=True):
        marker = MARKER.match(line.plain)
        indent = min(sum(map(get_character_cell_size, marker[0])) if marker else 0, width // 3)
        first, *rest = line.divide(line_starts(line.plain, max(1, width), indent))
        rows += [first.rstrip(), *(Content(" " * indent) + row.rstrip() for row in rest)]
    return Content("\n").join(rows)


class Prose(Widget):
    """Text without markup; `update` replaces it."""

    DEFAULT_CSS = "Prose { height: auto; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = Content("")

    @property
    def text(self) -> str:
        return self._text.plain

    def update(self, text: Content | str) -> None:
        new = Content(text) if isinstance(text, str) else text
        if new != self._text:
            self._text = new
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 0 if not self._text else wrap(self._text, width).plain.count("\n") + 1

    def render(self) -> Content:
        return wrap(self._text, self.size.width)
