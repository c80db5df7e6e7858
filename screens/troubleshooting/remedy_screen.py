"""What happened, why, and what to do: one entry of the catalogue, full screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from screens.frame import FramedScreen
from screens.language import Words
from screens.prose import Prose
from screens.troubleshooting.remedy import RemedyWords


def remedy_text(remedy: RemedyWords, _: Words) -> Content:
    """Title, who can fix it, causes, numbered steps, what to tell support."""
    parts: list[tuple[str, str] | str] = [(f"{remedy.title}\n", "bold")]
    parts.append(_("Who can fix it: {fixer}", fixer=remedy.fixer) + "\n\n")
    parts.append((_("What to do") + "\n", "bold"))
    parts += [f" {number}. {step}\n" for number, step in enumerate(remedy.steps, 1)]
    parts.append(("\n" + _("Why this happens, the likeliest first") + "\n", "bold"))
    parts += [f" - {cause}\n" for cause in remedy.causes]
    parts.append(("\n" + _("If you ring support, tell them") + "\n", "bold"))
    parts.append(" " + _("Code: {code}", code=remedy.code) + f"\n {remedy.tell_support}")
    return Content.assemble(*parts)


class RemedyScreen(FramedScreen):
    """Scrolls with the arrow keys; Enter goes back and tries again where that can help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,q", "close", show=False),
        Binding("enter", "try_again", show=False),
        Binding("up", "line(-1)", show=False),
        Binding("down", "line(1)", show=False),
    ]

    def __init__(self, words: Callable[[], RemedyWords], retry: Callable[[], None] | None) -> None:
        """`words` gives the entry in the present language; `retry` is what Enter does."""
        super().__init__()
        self._remedy = words
        self._retry = retry

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def show(self) -> None:
        _ = self.words
        keys = [("Enter", _("Try again"))] if self._retry else []
        self.frame(_("What to do"), [*keys, ("Esc", _("Close")), ("F3", _("中文"))])
        self.query_one("#text", Prose).update(remedy_text(self._remedy(), _))

    def action_close(self) -> None:
        self.dismiss(None)

    def action_try_again(self) -> None:
        retry = self._retry
        self.dismiss(None)
        if retry is not None:
            retry()

    def action_line(self, by: int) -> None:
        self.query_one("#body").scroll_relative(y=by, animate=False)

    def action_help(self) -> None:
        """Nothing: this screen is the help."""

    def action_remedy(self) -> None:
        self.dismiss(None)
