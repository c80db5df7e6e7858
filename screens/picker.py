"""One of several choices on a single line, for a form: `< Nurse >  2/6`."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget


class Picker(Widget, can_focus=True):
    """Left and right (or the space bar) change the choice; it wraps around."""

    DEFAULT_CSS = "Picker { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", show=False),
        Binding("right,space", "turn(1)", show=False),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._choices: tuple[str, ...] = ()
        self.index = 0

    def show(self, choices: list[str]) -> None:
        """Replace the texts; the choice stays."""
        if tuple(choices) != self._choices:
            self._choices = tuple(choices)
            self.refresh()

    def render(self) -> Content:
        if not self._choices:
            return Content("")
        count = f"  {self.index + 1}/{len(self._choices)}"
        style = "bold reverse" if self.has_focus else ""
        return Content.assemble((f"< {self._choices[self.index]} >", style), count)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_turn(self, by: int) -> None:
        if self._choices:
            self.index = (self.index + by) % len(self._choices)
            self.refresh()
