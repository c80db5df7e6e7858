"""The first screen: which of the two procedures, the remedies, the language."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from client.purpose import Purpose
from screens.language import N_
from screens.menu import Menu
from screens.messages import LanguageWanted, Started, TroubleshootingWanted
from screens.prose import Prose
from screens.shell import Action
from screens.steps.step_screen import StepScreen
from screens.wizard import Wizard

OFFERS = {
    Action.REGISTER: N_("I have no account yet: apply for one with my card"),
    Action.REBIND: N_("I have an account: bind a new card to it"),
    Action.TROUBLESHOOTING: N_("I got a message: find out what to do"),
}


class WelcomeScreen(StepScreen):
    """Up to four lines to choose from."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("Choose with the arrow keys or the line's number, then press Enter."),
        N_("New here: choose 1. You will need your card, its PIN and a plain card reader."),
        N_("You have an account and a new card: choose 2. You will also need your password."),
        N_("A message you do not understand, from here or from the web page: choose 3."),
    )

    def body(self) -> ComposeResult:
        yield Prose(id="intro")
        yield Menu(id="menu")
        yield Prose(id="outro")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Menu))  # at once: the first frame shows it

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        self.query_one("#intro", Prose).update(
            _(
                "Before you can report, your health professional card must be bound to your "
                "account of the suicide prevention reporting system. This takes a few minutes."
            )
            + "\n\n"
            + _("What would you like to do?")
            + "\n"
        )
        self.query_one(Menu).show(
            [*(_(OFFERS[action]) for action in self._actions), *self._other_language()]
        )
        ready = _("Have ready: your card, its PIN, and a plain card reader (no NHI reader).")
        notes = "".join(f"\n\n{_(note)}" for note in self.shell.notes if note)
        self.query_one("#outro", Prose).update(f"\n{ready}{notes}")

    def _other_language(self) -> list[str]:
        return [self.words(N_("改用中文顯示"))] if self.shell.bilingual else []

    @property
    def _actions(self) -> list[Action]:
        return [action for action in Action if action in self.shell.actions]

    def enter_does(self, wizard: Wizard) -> str | None:
        return N_("Choose")

    def on_menu_chosen(self, event: Menu.Chosen) -> None:
        actions = self._actions
        if event.index == len(actions):
            self.post_message(LanguageWanted())
        elif actions[event.index] is Action.TROUBLESHOOTING:
            self.post_message(TroubleshootingWanted())
        else:
            self.post_message(Started(Purpose(actions[event.index])))
