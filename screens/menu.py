"""A list to choose one line from: arrows, a number, Enter.

Textual's OptionList would do, at 15 ms more before the first frame and with the choice shown by
colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.widget import Widget

from screens.prose import wrap


class Menu(Widget, can_focus=True):
    """Lines of text, one marked with `>`; Enter or its number chooses it."""

    DEFAULT_CSS = "Menu { height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,shift+tab", "move(-1)", show=False),
        Binding("down,tab", "move(1)", show=False),
        Binding("enter", "choose", show=False),
        *(Binding(str(number), f"pick({number - 1})", show=False) for number in range(1, 10)),
    ]

    class Chosen(Message):
        def __init__(self, menu: Menu, index: int) -> None:
            self.menu = menu
            self.index = index
            super().__init__()

        @property
        def control(self) -> Menu:
            return self.menu

    def __init__(self, id: str | None = None, leaves: bool = False) -> None:
        """`leaves`: beyond its ends the focus moves on to the next widget."""
        super().__init__(id=id)
        self._lines: tuple[Content, ...] = ()
        self._leaves = leaves
        self.index = 0

    def show(self, lines: Sequence[str | Content], index: int | None = None) -> None:
        """Replace the lines; the marked one stays where it can."""
        new = tuple(Content(line) if isinstance(line, str) else line for line in lines)
        at = min(self.index if index is None else index, max(0, len(new) - 1))
        if (new, at) != (self._lines, self.index):
            self._lines, self.index = new, at
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return sum(row.plain.count("\n") + 1 for row in self._rows(width))

    def render(self) -> Content:
        return Content("\n").join(self._rows(self.size.width))

    def _rows(self, width: int) -> list[Content]:
        """Every line with its mark and number, broken to the width."""
        mark = "bold reverse" if self.has_focus else "bold"
        return [
            wrap(Content.assemble((f"> {number} ", mark), text.stylize(mark)), width)
            if number - 1 == self.index
            else wrap(Content(f"  {number} ") + text, width)
            for number, text in enumerate(self._lines, 1)
        ]

    @property
    def marked(self) -> Region:
        """Where the marked line stands within the menu."""
        rows = [row.plain.count("\n") + 1 for row in self._rows(self.size.width)]
        return Region(0, sum(rows[: self.index]), self.size.width, sum(rows[self.index :][:1]))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, by: int) -> None:
        to = self.index + by
        if 0 <= to < len(self._lines):
            self.index = to
            self.refresh(layout=True)  # which brings the marked line into sight
        elif self._leaves:
            self.screen.focus_next() if by > 0 else self.screen.focus_previous()

    def action_choose(self) -> None:
        if self._lines:
            self.post_message(self.Chosen(self, self.index))

    def action_pick(self, index: int) -> None:
        if self.mark(index):
            self.action_choose()

    def mark(self, index: int) -> bool:
        """Move the mark; False where there is no such line."""
        if not 0 <= index < len(self._lines):
            return False
        self.index = index
        self.refresh()
        return True
