"""Small screens over a step: help for it, and the question before leaving."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from screens.frame import FramedScreen
from screens.language import N_
from screens.prose import Prose
from screens.wizard import STEP_NAMES, Step


class HelpScreen(FramedScreen):
    """The help that the step below carries, a paragraph for each line of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,f1,q", "close", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
    ]

    def __init__(self, step: Step, paragraphs: tuple[str, ...]) -> None:
        super().__init__()
        self._step = step
        self._paragraphs = paragraphs

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def show(self) -> None:
        _ = self.words
        title = _("Help: {step}", step=_(STEP_NAMES[self._step]))
        self.frame(title, [("Esc", _("Close")), ("F3", _("中文"))])
        keys = _(
            "Keys: Enter goes on, Esc goes back or cancels, F1 help, F2 what to do about a "
            "failure, F3 language, F10 quit, Page Up and Page Down scroll, Ctrl+L draws the screen "
            "anew."
        )
        paragraphs = [f"* {_(text)}" for text in self._paragraphs]
        support = _("F8 shows a report for support, F9 examines this computer.")
        last = [keys] if self.shell.kiosk else [keys, support]
        self.query_one("#text", Prose).update("\n\n".join([*paragraphs, *last]))

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        self.query_one("#body").scroll_relative(y=by, animate=False)

    def action_help(self) -> None:
        self.dismiss(None)

    def action_remedy(self) -> None:
        """Nothing: one thing at a time."""


class LeaveScreen(FramedScreen):
    """Asked before leaving in the middle of a procedure."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stay", show=False),
        Binding("enter", "leave_now", show=False),
    ]

    def __init__(self, undecided: bool) -> None:
        super().__init__()
        self._undecided = undecided

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def show(self) -> None:
        _ = self.words
        self.frame(_("Leave?"), [("Enter", _("Leave")), ("Esc", _("Stay"))])
        text = (
            N_(
                "A request was sent and its outcome is not known yet. If you leave now, sign in "
                "on the web page later to see whether the card was bound."
            )
            if self._undecided
            else N_("Nothing has been bound yet. What you typed will be forgotten.")
        )
        self.query_one("#text", Prose).update("\n" + _(text))

    def action_stay(self) -> None:
        self.dismiss(None)

    def action_leave_now(self) -> None:
        self.shell.leave()

    def action_leave(self) -> None:
        self.shell.leave()

    def action_help(self) -> None:
        """Nothing: one question at a time."""

    def action_remedy(self) -> None:
        """Nothing: one question at a time."""

    def action_report(self) -> None:
        """Nothing: one question at a time."""

    def action_doctor(self) -> None:
        """Nothing: one question at a time."""
