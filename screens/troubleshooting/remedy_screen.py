"""What happened, why, and what to do: one entry of the catalogue, full screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from screens.frame import FramedScreen
from screens.language import Words
from screens.prose import Prose
from screens.troubleshooting.remedy import RemedyWords
from screens.wizard import STEP_NAMES, Step

if TYPE_CHECKING:
    from screens.troubleshooting.support_code import SupportFacts


def remedy_text(remedy: RemedyWords, _: Words, support_code: str = "") -> Content:
    """Title, who can fix it, causes, numbered steps, what to tell support."""
    parts: list[tuple[str, str] | str] = [(f"{remedy.title}\n", "bold")]
    parts.append(_("Who can fix it: {fixer}", fixer=remedy.fixer) + "\n\n")
    parts.append((_("What to do") + "\n", "bold"))
    parts += [f" {number}. {step}\n" for number, step in enumerate(remedy.steps, 1)]
    parts.append(("\n" + _("Why this happens, the likeliest first") + "\n", "bold"))
    parts += [f" - {cause}\n" for cause in remedy.causes]
    parts.append(("\n" + _("If you ring support, tell them") + "\n", "bold"))
    if support_code:
        parts.append((" " + _("Support code: {code}", code=support_code) + "\n", "bold"))
    parts.append(" " + _("Code: {code}", code=remedy.code) + f"\n {remedy.tell_support}")
    return Content.assemble(*parts)


class DecodedScreen(FramedScreen):
    """What a support code says, and the entry of its error."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "close", show=False),
        Binding("up", "line(-1)", show=False),
        Binding("down", "line(1)", show=False),
    ]

    def __init__(self, facts: SupportFacts) -> None:
        super().__init__()
        self._facts = facts

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def show(self) -> None:
        from screens.troubleshooting.explain import decoded_lines

        _ = self.words
        self.frame(_("A support code"), [("Esc", _("Close")), ("F3", _("中文"))])
        title, *rest = decoded_lines(self._facts, _)
        text = Content.assemble((title, "bold"), "\n" + "\n".join(rest))
        self.query_one("#text", Prose).update(text)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_line(self, by: int) -> None:
        self.query_one("#body").scroll_relative(y=by, animate=False)

    def action_help(self) -> None:
        """Nothing: this screen is the help."""

    def action_remedy(self) -> None:
        """Nothing: the remedy stands below the facts."""


class RemedyScreen(FramedScreen):
    """Scrolls with the arrow keys; Enter goes back and tries again where that can help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,q", "close", show=False),
        Binding("enter", "try_again", show=False),
        Binding("up", "line(-1)", show=False),
        Binding("down", "line(1)", show=False),
    ]

    def __init__(
        self,
        words: Callable[[], RemedyWords],
        retry: Callable[[], None] | None,
        *,
        support_code: str = "",
        step: Step | None = None,
    ) -> None:
        """`words` gives the entry in the present language; `retry` is what Enter does.

        `step` is where Enter goes to look again; None when it tries the same once more.
        """
        super().__init__()
        self._remedy = words
        self._retry = retry
        self._support_code = support_code
        self._step = step

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def show(self) -> None:
        _ = self.words
        enter = _("Try again")
        if self._step is not None:
            enter = _("Check again: {step}", step=_(STEP_NAMES[self._step]))
        keys = [("Enter", enter)] if self._retry else []
        report = [("F8", _("Report")), ("F9", _("Examine"))]
        self.frame(_("What to do"), [*keys, ("Esc", _("Close")), *report, ("F3", _("中文"))])
        text = remedy_text(self._remedy(), _, self._support_code)
        self.query_one("#text", Prose).update(text)

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
