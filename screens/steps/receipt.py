"""The receipt: what the service has bound."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content

from client.purpose import Purpose
from screens.facts import rows
from screens.language import N_, Words
from screens.prose import Prose
from screens.steps.step_screen import StepScreen
from screens.wizard import Wizard


def receipt_rows(words: Words, wizard: Wizard) -> str:
    """The receipt's facts, a line each."""
    _ = words
    receipt = wizard.receipt
    if receipt is None:
        return ""
    return rows(
        (_("Receipt"), receipt.id),
        (_("Account"), receipt.account),
        (_("Holder"), receipt.holder),
        (_("Card"), f"{receipt.category}  …{receipt.card}"),
        (_("Bound at"), f"{receipt.bound.astimezone():%Y-%m-%d %H:%M}"),
    )


class ReceiptScreen(StepScreen):
    """The end of the procedure."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("The receipt's number lets support find this binding. It is no secret."),
        N_("Press Enter to go back to the first screen, for the next person."),
    )

    def body(self) -> ComposeResult:
        yield Prose(id="receipt")

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        done = (
            _("The new card is bound to your account.")
            if wizard.purpose is Purpose.REBIND
            else _("Your account application was received, and your card is bound to it.")
        )
        keep = _("Keep the receipt's number. You can now sign in with this card.")
        if self.shell.kiosk:
            keep += "\n" + _("Then take your card out: that clears the screen for the next person.")
        self.query_one("#receipt", Prose).update(
            Content.assemble(
                (f"[ OK ] {done}", "bold"),
                f"\n\n{receipt_rows(self.words, wizard)}\n\n",
                keep,
            )
        )

    def enter_does(self, wizard: Wizard) -> str | None:
        return N_("Finish")
