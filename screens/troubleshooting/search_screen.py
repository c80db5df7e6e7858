"""Looking up a message: type what is on the screen, choose the entry, read what to do.

A support code typed into the same field is read as well.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input

from screens.frame import FramedScreen
from screens.menu import Menu
from screens.prose import Prose
from screens.troubleshooting.catalogue import entry, fill
from screens.troubleshooting.remedy import RemedyWords, words_of
from screens.troubleshooting.remedy_screen import DecodedScreen, RemedyScreen

if TYPE_CHECKING:
    from screens.troubleshooting.search import Match
    from screens.troubleshooting.support_code import SupportFacts

MANUAL = ("web.1", "web.2", "web.3", "web.4")  # the four messages of the binding manual
SHOWN = 8
MATCHED = "bold underline"


class SearchScreen(FramedScreen):
    """The manual's four messages first; whatever is typed narrows to the best entries."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f10", "close", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._found: tuple[Match, ...] = ()
        self._decoded: SupportFacts | None = None

    def body(self) -> ComposeResult:
        yield Prose(id="ask")
        yield Input(id="message", max_length=300)
        yield Prose(id="answer")
        yield Menu(id="found", leaves=True)

    def on_mount(self) -> None:
        message = self.query_one("#message", Input)
        message.cursor_blink = False
        message.focus()

    @property
    def _typed(self) -> str:
        return self.query_one("#message", Input).value.strip()

    def show(self) -> None:
        _ = self.words
        self.frame(
            _("What does this message mean?"),
            [("Enter", _("Open")), ("Esc", _("Back")), ("F3", _("中文"))],
        )
        self.query_one("#ask", Prose).update(_("Type the message, its number or a support code:"))
        if self._decoded is not None:
            answer = _("A support code. Press Enter to read it.")
            lines = [self._titled(self._decoded.code)]
        elif not self._typed:
            answer = _("Or choose one of the web page's messages:")
            lines = [self._titled(id) for id in MANUAL]
        elif self._found:
            answer = _("Choose with the arrow keys, then press Enter.")
            lines = [self._matched(match) for match in self._found]
        else:
            answer = _("No match. Try other words of the message, or its number.")
            lines = []
        self.query_one("#answer", Prose).update(answer)
        self.query_one("#found", Menu).show(lines)

    def _titled(self, id: str) -> Content:
        return Content(f"{fill(entry(id).title, {}, self.words.language)}  ({id})")

    def _matched(self, match: Match) -> Content:
        """The title, and below it the message that matched with the common part marked."""
        start, end = match.span
        message = Content(match.message)
        if start < end:
            message = message.stylize(MATCHED, start, end)
        return Content.assemble(self._titled(match.id), "\n    ", message)

    def on_input_changed(self) -> None:
        from screens.troubleshooting.search import search
        from screens.troubleshooting.support_code import SupportCodeInvalid, decode

        typed = self._typed
        try:
            self._decoded = decode(typed)
        except SupportCodeInvalid:
            self._decoded = None
        self._found = tuple(search(typed, SHOWN)) if typed and self._decoded is None else ()
        self.query_one("#found", Menu).index = 0
        self.show()

    def on_input_submitted(self) -> None:
        self._open(0)

    def on_menu_chosen(self, event: Menu.Chosen) -> None:
        self._open(event.index)

    def _open(self, index: int) -> None:
        if self._decoded is not None:
            self.app.push_screen(DecodedScreen(self._decoded))
            return
        ids = [match.id for match in self._found] if self._typed else list(MANUAL)
        if index < len(ids):
            self.app.push_screen(RemedyScreen(partial(self._remedy, ids[index]), retry=None))

    def _remedy(self, id: str) -> RemedyWords:
        """What the wizard knows of this computer decides which cause comes first."""
        return words_of(entry(id), id, {}, self.words, self.shell.conditions())

    def action_close(self) -> None:
        self.dismiss(None)

    def action_go_on(self) -> None:
        """Enter is the input's and the list's."""

    def action_help(self) -> None:
        """Nothing: this screen is the help."""

    def action_remedy(self) -> None:
        """Nothing: this screen is the help."""
