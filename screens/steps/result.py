"""驗證成功: the service has seen that the card is in its holder's hand."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content

from client.purpose import Purpose
from screens.facts import rows
from screens.language import N_
from screens.prose import Prose
from screens.steps.step_screen import StepScreen
from screens.wizard import Wizard


class ResultScreen(StepScreen):
    """Holder and category, as the service read them."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("Your PIN was right and the service has checked your card."),
        N_("Nothing is bound yet: that happens at the end of the next screen."),
    )

    def body(self) -> ComposeResult:
        yield Prose(id="result")

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        verification = wizard.verification
        if verification is None:
            return
        category = next(
            (
                _.of(offer.label)
                for offer in (wizard.service.categories if wizard.service else ())
                if offer.id == verification.category
            ),
            verification.category,
        )
        todo = (
            _("Next: sign in to your account and bind the card to it.")
            if wizard.purpose is Purpose.REBIND
            else _("Next: fill in your account application.")
        )
        card = (
            _("Leave the card in the reader until the end: taking it out ends everything here.")
            if self.shell.kiosk
            else _("You may take the card out now.")
        )
        self.query_one("#result", Prose).update(
            Content.assemble(
                ("[ OK ] " + _("Verified"), "bold"),
                "\n\n",
                rows((_("Holder"), verification.holder), (_("Category"), category)),
                f"\n\n{card}\n{todo}",
            )
        )
