"""A box to tick in a form: `> [x] I agree …`, its state and its focus shown without colour."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from screens.prose import wrap


class Consent(Widget, can_focus=True):
    """The space bar ticks it, and takes the tick away again."""

    DEFAULT_CSS = "Consent { height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "tick", show=False)]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.ticked = False
        self._sentence = Content("")

    def show(self, sentence: Content) -> None:
        """Replace the sentence; the tick stays."""
        if sentence != self._sentence:
            self._sentence = sentence
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return wrap(self._text, width).plain.count("\n") + 1

    def render(self) -> Content:
        return wrap(self._text, self.size.width)

    @property
    def _text(self) -> Content:
        focus, tick = ">" if self.has_focus else " ", "x" if self.ticked else " "
        return Content(f"{focus} [{tick}] ") + self._sentence

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_tick(self) -> None:
        self.ticked = not self.ticked
        self.refresh()
