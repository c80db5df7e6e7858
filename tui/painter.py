"""What the terminal shows already is not sent again.

Textual repaints whole lines, each segment with its full style and blanks to the right margin: 7 kB
for a screen, 150 bytes for a digit. Over a slow line that is felt. The painter keeps the cells
that the terminal shows and sends only those that differ, so a screen costs what its text costs.
Lines that only moved up or down, as in a form that scrolls, the terminal is told to move itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

Cell = tuple[str, str]  # what stands there ("" in the right half of a wide character), its SGR
Span = tuple[int, int, Strip]  # column, line, content

BLANK: Cell = (" ", "")
UNKNOWN: Cell = ("\0", "")  # equal to nothing that is ever shown
MOST_MARKS = 2  # combining marks on one character; more are a tower over the lines above
GAP = 6  # unchanged cells that are cheaper to send again than a cursor movement
LEAST_MOVED = 3  # lines; fewer are sent anew
DEFAULT_COLOURS = frozenset({"39", "49"})  # the same as saying nothing
SHOWS_ON_BLANK = ("4", "7", "9", "21", "53")  # underline, reverse, strike, double, overline


@lru_cache(maxsize=512)
def _drawn(character: str) -> bool:
    """False for control, format (bidi, zero-width), unassigned and separating characters."""
    return unicodedata.category(character) not in {"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"}


@lru_cache(maxsize=512)
def sgr(style: Style | None, colours: ColorSystem) -> str:
    """The parameters of SGR (ECMA-48 §8.3.117) for a style, without the defaults."""
    if style is None:
        return ""
    parts = Strip.render_ansi(style, colours).split(";")
    return ";".join(part for part in parts if part and part not in DEFAULT_COLOURS)


@lru_cache(maxsize=512)
def blank_sgr(parameters: str) -> str:
    """The part of a style that shows where no character stands."""
    kept: list[str] = []
    parts = iter(parameters.split(";"))
    for part in parts:
        if part in {"38", "48"}:  # 38;5;n and 38;2;r;g;b: the parameters belong together
            kind = next(parts, "")
            values = [kind, *(next(parts, "") for _ in range(1 if kind == "5" else 3))]
            kept += [part, *values] if part == "48" else []
        elif part in SHOWS_ON_BLANK or (part.isdecimal() and int(part) // 10 in {4, 10}):
            kept.append(part)
    return ";".join(kept)


@lru_cache(maxsize=1024)
def _cell(character: str, parameters: str) -> Cell:
    """The same object for the same cell: a screen has two thousand, of a hundred kinds."""
    return character, blank_sgr(parameters) if character == " " else parameters


def cells_of(strip: Strip, colours: ColorSystem) -> Iterator[Cell]:
    """One cell for each column that `strip` fills."""
    last: Cell | None = None
    for text, style, control in strip:
        if control:
            continue
        parameters = sgr(style, colours)
        for character in text:
            width = get_character_cell_size(character)
            if width == 0 or not _drawn(character):
                # A terminal obeys what is no letter, accent or sign: none of it goes out.
                if last is not None and _drawn(character) and len(last[0]) <= MOST_MARKS:
                    last = (last[0] + character, last[1])
                continue
            if last is not None:
                yield from _filled(last)
            last = _cell(character, parameters)
    if last is not None:
        yield from _filled(last)


def _filled(cell: Cell) -> Iterator[Cell]:
    yield cell
    if get_character_cell_size(cell[0][0]) == 2:
        yield _cell("", cell[1])


def spans_of(update: CompositorUpdate) -> Iterable[Span]:
    """What a compositor's update wants painted, as Textual's own `render_segments` has it."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                yield x, y, strip
                x += strip.cell_length
    elif isinstance(update, ChopsUpdate):
        for y, left, right in update.spans:
            for end, (x, chop) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if chop is not None and x <= right and end > left:
                    whole = left <= x < right and end <= right
                    yield x, y, chop if whole else chop.crop(0, min(end, right) - x)


class Painter:
    """The cells that one terminal shows."""

    def __init__(self, ascii_only: bool = False) -> None:
        """`ascii_only`: for a terminal that has no other glyphs, whatever a card is called."""
        self._ascii_only = ascii_only
        self._size = Size(0, 0)
        self._lines: list[list[Cell]] = []

    @property
    def painted(self) -> bool:
        """Does it know anything of what the terminal shows?"""
        return self._size != Size(0, 0)

    def forget(self) -> None:
        """The terminal may show anything now: send the next update whole."""
        self._size = Size(0, 0)

    def paint(self, update: CompositorUpdate, size: Size, colours: ColorSystem) -> str:
        """The escape sequences that bring `update` onto a terminal of `size`."""
        if size != self._size:
            self._size = size
            self._lines = [[UNKNOWN] * size.width for _ in range(size.height)]
        wanted: dict[int, list[Cell]] = {}
        for x, y, strip in spans_of(update):
            if 0 <= y < size.height:
                line = wanted.setdefault(y, self._lines[y].copy())
                for column, cell in enumerate(cells_of(strip, colours), x):
                    if 0 <= column < size.width:
                        line[column] = cell
        changed = [y for y, line in sorted(wanted.items()) if line != self._lines[y]]
        if not changed:
            return ""
        after = self._lines.copy()
        for y in changed:
            after[y] = wanted[y]
        ways = [self._written(self._lines, after)]
        if by := _moved(self._lines, after, changed[0], changed[-1]):
            scrolled, sequence = _scrolled(self._lines, changed[0], changed[-1], by)
            ways.append(sequence + self._written(scrolled, after))
        self._lines = after
        return min(ways, key=len)

    def _written(self, shown: list[list[Cell]], wanted: list[list[Cell]]) -> str:
        lines = zip(shown, wanted, strict=True)
        return "".join(self._line(y, *both) for y, both in enumerate(lines) if both[0] != both[1])

    def _line(self, y: int, shown: list[Cell], wanted: list[Cell]) -> str:
        """Send the cells of line `y` that differ, and blank its end with one sequence."""
        differing = [x for x, cell in enumerate(wanted) if cell != shown[x]]
        text_end = len(wanted)
        while text_end and wanted[text_end - 1] == BLANK:
            text_end -= 1
        erase = sum(1 for x in differing if x >= text_end) > len("\x1b[K")
        out: list[str] = []
        for first, last in _runs([x for x in differing if not erase or x < text_end], wanted):
            text = _styled(wanted[first : last + 1])
            out.append(f"\x1b[{y + 1};{first + 1}H{in_ascii(text) if self._ascii_only else text}")
        if erase:
            start = next(x for x in differing if x >= text_end)
            if not (out and last + 1 == start):
                out.append(f"\x1b[{y + 1};{start + 1}H")
            out.append("\x1b[K")
        return "".join(out)


def _moved(shown: list[list[Cell]], wanted: list[list[Cell]], top: int, bottom: int) -> int:
    """How many lines down most of the lines from `top` to `bottom` have moved, up: negative.

    0 where none have, and where they begin at the first line: what leaves the screen there, some
    terminals keep to be scrolled back to.
    """
    height = bottom - top + 1
    if top == 0 or height < LEAST_MOVED:
        return 0

    def coming(by: int) -> int:
        lines = range(max(top, top + by), min(bottom, bottom + by) + 1)
        return sum(wanted[y] == shown[y - by] and wanted[y] != shown[y] for y in lines)

    best = max((by for by in range(1 - height, height) if by), key=coming)
    return best if coming(best) else 0


def _scrolled(
    shown: list[list[Cell]], top: int, bottom: int, by: int
) -> tuple[list[list[Cell]], str]:
    """The lines once those from `top` to `bottom` moved `by` lines down, and what moves them.

    A scrolling region (DECSTBM) and line feeds at its end, or reverse ones (RI) at its beginning:
    the VT100's own way, which every terminal since knows (`csr`, `ind` and `ri` of terminfo).
    """
    new = [[BLANK] * len(shown[top]) for _ in range(abs(by))]
    block = shown[top : bottom + 1]
    moved = [*new, *block[:-by]] if by > 0 else [*block[-by:], *new]
    edge, feed = (top, "\x1bM") if by > 0 else (bottom, "\n")
    sequence = f"\x1b[{top + 1};{bottom + 1}r\x1b[{edge + 1};1H{feed * abs(by)}\x1b[r"
    return [*shown[:top], *moved, *shown[bottom + 1 :]], sequence


def _runs(columns: list[int], line: list[Cell]) -> Iterator[tuple[int, int]]:
    """First and last column of what is sent together; a wide character is never cut in two."""
    start: int | None = None
    end = 0
    for x in columns:
        first = x - 1 if line[x][0] == "" and x > 0 else x
        last = x + 1 if x + 1 < len(line) and line[x + 1][0] == "" else x
        if start is not None and first - end > GAP:
            yield start, end
            start = None
        start = first if start is None else start
        end = max(end, last)
    if start is not None:
        yield start, end


def in_ascii(text: str) -> str:
    """`text`, as wide as before: a question mark in each column of what is not ASCII."""
    if text.isascii():
        return text
    return "".join(
        character if character.isascii() else "?" * get_character_cell_size(character)
        for character in text.replace("…", ".")
    )


def _styled(cells: list[Cell]) -> str:
    """The characters with one SGR for each change of style, plain at the end.

    A blank between two words of a style that does not show on blanks is no change.
    """
    out: list[str] = []
    style = ""
    for character, parameters in cells:
        stays = character == " " and parameters == blank_sgr(style)
        if parameters != style and not stays:
            out += ["\x1b[m" if style else "", f"\x1b[{parameters}m" if parameters else ""]
            style = parameters
        out.append(character)
    return "".join(out) + ("\x1b[m" if style else "")
