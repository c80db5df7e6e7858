"""A line of a form: the label, its field beside it, and below what is said about it."""

from __future__ import annotations

from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size

from screens.prose import wrap

NARROW = 40  # columns; a note that would have fewer begins further left than the field


class FieldLine(Vertical):
    """Holds one field. The texts are its own, so that a form has no more widgets than it needs."""

    DEFAULT_CSS = "FieldLine { height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self._label = self._note = Content("")
        self._column = 0

    def show(self, label: Content, note: Content, column: int) -> None:
        """`column` is where the field begins; a longer label goes on below its first line."""
        now = (label, note, column)
        if now != (self._label, self._note, self._column):
            self._label, self._note, self._column = now
            for field in self.children:
                field.styles.margin = (0, 0, 0, column)
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._text(width).plain.count("\n") + 1

    def render(self) -> Content:
        return self._text(self.size.width)

    def _text(self, width: int) -> Content:
        label = wrap(self._label, self._column - 1)
        if not self._note:
            return label
        indent = self._column if width - self._column >= NARROW else 4
        rows = wrap(self._note, width - indent).split("\n", allow_blank=True)
        return Content("\n").join([label, *(Content(" " * indent) + row for row in rows)])
