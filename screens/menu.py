"""A list to choose one line from: arrows, a number, Enter.

Textual's OptionList would do, at 15 ms more before the first frame and with the choice shown by
colour alone.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


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
        self._lines: tuple[str, ...] = ()
        self._leaves = leaves
        self.index = 0

    def show(self, lines: list[str], index: int | None = None) -> None:
        """Replace the lines; the marked one stays where it can."""
        at = min(self.index if index is None else index, max(0, len(lines) - 1))
        if (tuple(lines), at) != (self._lines, self.index):
            self._lines, self.index = tuple(lines), at
            self.refresh(layout=True)

    def render(self) -> Content:
        rows = [
            Content.styled(f"> {number} {text}", "bold reverse" if self.has_focus else "bold")
            if number - 1 == self.index
            else Content(f"  {number} {text}")
            for number, text in enumerate(self._lines, 1)
        ]
        return Content("\n").join(rows)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_move(self, by: int) -> None:
        to = self.index + by
        if 0 <= to < len(self._lines):
            self.index = to
            self.refresh()
        elif self._leaves:
            self.screen.focus_next() if by > 0 else self.screen.focus_previous()

    def action_choose(self) -> None:
        if self._lines:
            self.post_message(self.Chosen(self, self.index))

    def action_pick(self, index: int) -> None:
        if index < len(self._lines):
            self.index = index
            self.refresh()
            self.action_choose()
