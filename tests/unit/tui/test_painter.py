"""The painter against Textual's own output: the same terminal afterwards, for fewer bytes."""

from __future__ import annotations

import re

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from tui.painter import Painter

WIDTH, HEIGHT = 24, 6
SIZE = Size(WIDTH, HEIGHT)
COLOURS = ColorSystem.EIGHT_BIT
CONSOLE = Console(force_terminal=True, color_system="256", width=WIDTH, legacy_windows=False)
STYLES = st.sampled_from(
    [None, *map(Style.parse, ("bold", "reverse", "dim", "red", "on blue", "underline", "default"))]
)
TEXT = st.text(st.sampled_from("ab |─中文，。！Ａ "), max_size=10)
REGION = re.compile(r"\x1b\[\d+;(\d+)r\x1b\[(?:\1;1H\n+|\d+;1H(?:\x1bM)+)\x1b\[r")
LINES = st.lists(st.tuples(TEXT, STYLES), max_size=4)


def strip_of(parts: list[tuple[str, Style | None]], width: int) -> Strip:
    return Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(width)


@st.composite
def updates(draw: st.DrawFn) -> CompositorUpdate:
    """A whole screen, a block of it, or pieces of some lines."""
    top = draw(st.integers(0, HEIGHT - 1))
    height = draw(st.integers(1, HEIGHT - top))
    if draw(st.booleans()):
        lines = [[strip_of(draw(LINES), WIDTH)] for _ in range(height)]
        return LayoutUpdate(lines, Region(0, top, WIDTH, height))
    chops: list[dict[int, Strip | None]] = []
    ends: list[list[int]] = []
    for _ in range(HEIGHT):
        cut = draw(st.integers(1, WIDTH - 1))
        left = draw(st.none() | st.just(strip_of(draw(LINES), cut)))
        chops.append({0: left, cut: strip_of(draw(LINES), WIDTH - cut)})
        ends.append([cut, WIDTH])
    return ChopsUpdate(chops, [(y, 0, WIDTH) for y in range(top, top + height)], ends)


class Terminal:
    """pyte, and what stands on it."""

    def __init__(self) -> None:
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self._screen)

    def feed(self, text: str) -> None:
        self._stream.feed(text)

    def cells(self) -> list[list[tuple[object, ...]]]:
        """Character and looks of every cell; a blank's colour does not show."""
        return [
            [
                (cell.data, cell.bg, cell.reverse, cell.underscore)
                + (() if cell.data == " " else (cell.fg, cell.bold))
                for cell in (self._screen.buffer[y][x] for x in range(WIDTH))
            ]
            for y in range(HEIGHT)
        ]


@given(st.lists(updates(), min_size=1, max_size=6))
def test_the_terminal_ends_up_the_same(steps: list[CompositorUpdate]) -> None:
    ours, theirs, painter = Terminal(), Terminal(), Painter()
    # Both begin with a screen full of something, as no terminal promises to be empty.
    for terminal in (ours, theirs):
        terminal.feed("\x1b[H" + "\r\n".join(["x" * WIDTH] * HEIGHT))
    blank = LayoutUpdate([[strip_of([], WIDTH)] for _ in range(HEIGHT)], SIZE.region)
    for update in (blank, *steps):
        painted = painter.paint(update, SIZE, COLOURS)
        ours.feed(painted)
        theirs.feed(update.render_segments(CONSOLE))
        assert ours.cells() == theirs.cells()
        assert "\n" not in REGION.sub("", painted), "a line feed elsewhere may scroll all"


@given(updates())
def test_what_is_shown_already_costs_nothing(update: CompositorUpdate) -> None:
    painter = Painter()
    painter.paint(update, SIZE, COLOURS)
    assert painter.paint(update, SIZE, COLOURS) == ""


@given(updates())
def test_after_a_resize_or_on_request_all_is_sent_again(update: CompositorUpdate) -> None:
    painter = Painter()
    first = painter.paint(update, SIZE, COLOURS)
    painter.forget()
    assert painter.paint(update, SIZE, COLOURS) == first
    bigger = Size(WIDTH, HEIGHT + 1)
    assert painter.paint(update, bigger, COLOURS) == first


@given(
    st.lists(
        st.text("abc中。 ", min_size=1, max_size=WIDTH // 2), min_size=HEIGHT, max_size=HEIGHT
    ),
    st.integers(1, 2),
    st.booleans(),
    STYLES,
)
def test_lines_that_moved_are_not_sent_again(
    texts: list[str], by: int, up: bool, style: Style | None
) -> None:
    """Below the first line: what leaves the screen there may be scrolled back to."""
    terminal, painter = Terminal(), Painter()
    whole = [[strip_of([(f"{number}{text}", style)], WIDTH)] for number, text in enumerate(texts)]
    body = whole[1:]
    new = [[strip_of([("new", None)], WIDTH)] for _ in range(by)]
    moved = [*body[by:], *new] if up else [*new, *body[:-by]]
    terminal.feed(painter.paint(LayoutUpdate(whole, SIZE.region), SIZE, COLOURS))
    sent = painter.paint(LayoutUpdate(moved, Region(0, 1, WIDTH, HEIGHT - 1)), SIZE, COLOURS)
    terminal.feed(sent)
    fresh = Terminal()
    fresh.feed(Painter().paint(LayoutUpdate([whole[0], *moved], SIZE.region), SIZE, COLOURS))
    assert terminal.cells() == fresh.cells()
    assert len(sent) <= len("\x1b[2;6r\x1b[6;1H\n\x1b[r") + by * len("\x1bM\x1b[6;1Hnew\x1b[K")


def test_a_blank_between_two_words_of_one_style_is_no_change_of_style() -> None:
    for style, sequence in (("dim", "\x1b[2m"), ("bold", "\x1b[1m"), ("reverse", "\x1b[7m")):
        line = strip_of([("two words ", Style.parse(style)), ("plain", None)], WIDTH)
        sent = Painter().paint(LayoutUpdate([[line]], Region(0, 0, WIDTH, 1)), SIZE, COLOURS)
        assert sent.count(sequence) == sent.count("\x1b[m") == 1
        assert "plain" in sent.partition("\x1b[m")[2]
