"""The guide: choose the step that the user is at; see their screen, the failures, the questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from screens.frame import FramedScreen
from screens.guide.contents import QUESTIONS, met_at
from screens.guide.states import failing, state
from screens.menu import Menu
from screens.prose import Prose
from screens.troubleshooting.catalogue import fill
from screens.wizard import REBIND_STEPS, REGISTER_STEPS, STEP_NAMES, Step, Wizard

Show = Callable[[Wizard], None]
STEPS = tuple(Step)


class GuideScreen(FramedScreen):
    """The steps by number, and the search; `show_user` opens the user's own screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2,slash", "search", show=False),
        Binding("escape", "leave", show=False),
    ]

    def __init__(self, show_user: Show) -> None:
        super().__init__()
        self._show_user = show_user

    def body(self) -> ComposeResult:
        yield Prose(id="intro")
        yield Menu(id="steps")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(Menu).focus(scroll_visible=False)

    def show(self) -> None:
        _ = self.words
        keys = [("Enter", _("Open")), ("F2", _("Search or decode")), ("F9", _("Examine"))]
        self.frame(_("For support"), [*keys, ("F3", _("中文")), ("F10", _("Quit"))])
        self.query_one("#intro", Prose).update(
            _(
                "Which screen does the user see? Ask for the number at the top right, and the "
                "name in brackets below it."
            )
            + "\n"
        )
        self.query_one(Menu).show([_(STEP_NAMES[step]) + _number(step) for step in STEPS])

    def on_menu_chosen(self, event: Menu.Chosen) -> None:
        self.app.push_screen(StepGuideScreen(STEPS[event.index], self._show_user))

    def action_search(self) -> None:
        from screens.troubleshooting.search_screen import SearchScreen

        self.app.push_screen(SearchScreen())

    def action_go_on(self) -> None:
        """Enter is the menu's."""

    def action_help(self) -> None:
        """Nothing: this is the help."""


def _number(step: Step) -> str:
    """The number that the user sees at the top right, the same in both procedures."""
    for steps in (REGISTER_STEPS, REBIND_STEPS):
        if step in steps:
            return f"  ({steps.index(step) + 1}/{len(steps)})"
    return ""


class StepGuideScreen(FramedScreen):
    """One step: what to ask, and the user's screen when all is well and when something is not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", show=False),
        Binding("f2,slash", "search", show=False),
    ]

    def __init__(self, step: Step, show_user: Show) -> None:
        super().__init__()
        self._step = step
        self._show_user = show_user
        self._entries = met_at(step)

    def body(self) -> ComposeResult:
        yield Prose(id="ask")
        yield Menu(id="screens")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(Menu).focus(scroll_visible=False)

    def show(self) -> None:
        _ = self.words
        step = _(STEP_NAMES[self._step]) + _number(self._step)
        title = _("For support: {step}", step=step)
        keys = [("Enter", _("See it")), ("Esc", _("Back")), ("F2", _("Search or decode"))]
        self.frame(title, [*keys, ("F3", _("中文"))])
        questions = "\n".join(f" - {_(question)}" for question in QUESTIONS[self._step])
        self.query_one("#ask", Prose).update(
            _("Ask:") + f"\n{questions}\n\n" + _("The user's screen, and what can go wrong on it:")
        )
        titles = (f"{fill(e.title, {}, _.language)}  ({e.id})" for e in self._entries)
        self.query_one(Menu).show([_("when all is well"), *titles])

    def on_menu_chosen(self, event: Menu.Chosen) -> None:
        if event.index == 0:
            self._show_user(state(self._step))
        else:
            self._show_user(failing(self._step, self._entries[event.index - 1].id))

    def action_search(self) -> None:
        from screens.troubleshooting.search_screen import SearchScreen

        self.app.push_screen(SearchScreen())

    def action_close(self) -> None:
        self.dismiss(None)

    def action_go_on(self) -> None:
        """Enter is the menu's."""

    def action_help(self) -> None:
        """Nothing: this is the help."""
