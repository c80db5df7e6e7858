"""Looking up a message: type what is on the screen, choose the entry, read what to do."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from screens.frame import FramedScreen
from screens.menu import Menu
from screens.prose import Prose
from screens.troubleshooting.catalogue import entry, fill
from screens.troubleshooting.remedy import RemedyWords, words_of
from screens.troubleshooting.remedy_screen import RemedyScreen

MANUAL = ("web.1", "web.2", "web.3", "web.4")  # the four messages of the binding manual
SHOWN = 8


class SearchScreen(FramedScreen):
    """The manual's four messages first; whatever is typed narrows to the best entries."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f10", "close", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._found: tuple[str, ...] = MANUAL

    def body(self) -> ComposeResult:
        yield Prose(id="ask")
        yield Input(id="message", max_length=300)
        yield Prose(id="answer")
        yield Menu(id="found", leaves=True)

    def on_mount(self) -> None:
        message = self.query_one("#message", Input)
        message.cursor_blink = False
        message.focus()
        super().on_mount()

    def show(self) -> None:
        _ = self.words
        self.frame(
            _("What does this message mean?"),
            [("Enter", _("Open")), ("Esc", _("Back")), ("F3", _("中文"))],
        )
        typed = self.query_one("#message", Input).value.strip()
        self.query_one("#ask", Prose).update(_("Type the message or its number:"))
        if not typed:
            answer = _("Or choose one of the web page's messages:")
        elif self._found:
            answer = _("Choose with the arrow keys, then press Enter.")
        else:
            answer = _("No match. Try other words of the message, or its number.")
        self.query_one("#answer", Prose).update("\n" + answer)
        self.query_one("#found", Menu).show([self._line(id) for id in self._found])

    def _line(self, id: str) -> str:
        found = entry(id)
        return f"{fill(found.title, {}, self.words.language)}  ({id})"

    def on_input_changed(self, event: Input.Changed) -> None:
        typed = event.value.strip()
        if typed:
            from screens.troubleshooting.search import search

            self._found = tuple(match.id for match in search(typed, SHOWN))
        else:
            self._found = MANUAL
        menu = self.query_one("#found", Menu)
        menu.index = 0
        self.show()

    def on_input_submitted(self) -> None:
        if self._found:
            self._open(self._found[0])

    def on_menu_chosen(self, event: Menu.Chosen) -> None:
        self._open(self._found[event.index])

    def _open(self, id: str) -> None:
        self.app.push_screen(RemedyScreen(partial(self._remedy, id), retry=None))

    def _remedy(self, id: str) -> RemedyWords:
        return words_of(entry(id), id, {}, self.words)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_go_on(self) -> None:
        """Enter is the input's and the list's."""

    def action_help(self) -> None:
        """Nothing: this screen is the help."""

    def action_remedy(self) -> None:
        """Nothing: this screen is the help."""
