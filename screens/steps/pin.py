"""The PIN step: what will be signed, for whom, how many tries are left, and the PIN."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from client.port import Purpose
from screens.facts import rows
from screens.frame import StepScreen
from screens.language import N_
from screens.messages import Continued
from screens.secret_field import Refused, SecretField
from screens.wizard import Wizard, Work, pin_allowed, tries_low

CONFIRMATION = "YES"
HINTS = {
    Refused.FULL_WIDTH: N_(
        "Full-width characters: turn the input method off and type the PIN again from the start."
    ),
    Refused.NOT_ASCII: N_("A PIN has letters, digits and signs only. Please start again."),
    Refused.PASTED: N_("Pasting is not possible here. Please type the PIN by hand."),
    Refused.FULL: N_("That is longer than any PIN."),
}
PURPOSES = {
    Purpose.REGISTER: N_("apply for a new account with this card"),
    Purpose.REBIND: N_("bind this card to the account {account}"),
    Purpose.SIGN_IN: N_("prove that you hold this card"),
}


class PinScreen(StepScreen):
    """Enter here is the consent to sign, and sends the PIN to the card at most once."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("The PIN goes to the card and nowhere else. It is never stored or sent to the service."),
        N_("Each wrong PIN costs a try; with none left the card locks. Not sure? Stop here."),
        N_("Locked or forgotten: the holder unlocks it at the HCA web site with the user code."),
        N_("This program cannot change or unlock a PIN, and nobody will ask you for it by phone."),
    )

    def body(self) -> ComposeResult:
        yield Static(id="consent", markup=False)
        yield Static(id="tries", markup=False)
        yield Static(id="ask", markup=False)
        yield SecretField(id="pin")
        yield Static(id="hint", markup=False)

    def on_mount(self) -> None:
        self._confirmed = ""
        super().on_mount()

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        self.query_one("#consent", Static).update(self._consent(wizard))
        self.query_one("#tries", Static).update(self._tries(wizard))
        allowed = pin_allowed(wizard)
        last = allowed and self._needs_confirmation(wizard)
        field = self.query_one("#pin", SecretField)
        if wizard.busy is not None or not allowed:
            field.clear()
        field.display = allowed and not last
        ask = ""
        if last:
            ask = _("This is the last try. To use it, type {word}:", word=CONFIRMATION)
            ask += f" {self._confirmed}_"
        elif allowed:
            ask = _("Your card's PIN, then Enter:")
        if allowed and self.shell.hint:
            ask = _("(Demo card, PIN: {pin})", pin=self.shell.hint) + "\n" + ask
        self.query_one("#ask", Static).update("\n" + ask)
        if allowed and not last and not field.has_focus:
            field.focus()
        self._say_hint()

    def _consent(self, wizard: Wizard) -> Content:
        _ = self.words
        host = wizard.service.origin.removeprefix("https://") if wizard.service else ""
        card = wizard.card
        name = _.of(wizard.service.name) if wizard.service else ""
        purpose = _(PURPOSES[wizard.purpose], account=wizard.account)
        return Content.assemble(
            (_("With Enter you agree that your card signs this:") + "\n\n"),
            rows(
                (_("To"), f"{name}  {host}"),
                (_("In order to"), purpose),
                (_("Signed by"), card.certificate.holder if card else ""),
            )
            + "\n",
        )

    def _tries(self, wizard: Wizard) -> Content:
        _ = self.words
        if wizard.card is None or wizard.busy is Work.PREPARING:
            return Content("")
        left = wizard.card.tries_left
        if left is None:
            text = _("Tries left: the card does not say. A wrong PIN may lock it.")
        elif left == 0:
            text = _("The card is locked: no try is left.")
        else:
            text = _("Tries left before the card locks: {tries}", tries=left)
        return Content.styled(f"!! {text}", "bold") if tries_low(left) else Content(text)

    def _needs_confirmation(self, wizard: Wizard) -> bool:
        one_left = wizard.card is not None and wizard.card.tries_left == 1
        return one_left and self._confirmed != CONFIRMATION

    def enter_does(self, wizard: Wizard) -> str | None:
        if wizard.card is not None and wizard.card.tries_left == 0:
            return None
        return N_("Agree and verify") if pin_allowed(wizard) else N_("Try again")

    def on_key(self, event: events.Key) -> None:
        """Collect the typed confirmation of a last try; anything else starts it anew."""
        if not (pin_allowed(self.wizard) and self._needs_confirmation(self.wizard)):
            return
        if event.key == "backspace" or event.is_printable:
            event.stop()
            typed = self._confirmed + (event.character or "").upper()
            self._confirmed = typed if event.is_printable and CONFIRMATION.startswith(typed) else ""
            self.show()

    def action_go_on(self) -> None:
        if not pin_allowed(self.wizard) and self.wizard.card and self.wizard.card.tries_left != 0:
            self.post_message(Continued())

    def on_secret_entered(self) -> None:
        self._confirmed = ""

    def on_secret_field_hint(self, event: SecretField.Hint) -> None:
        self._say_hint(event.why)

    def _say_hint(self, why: Refused | None = None) -> None:
        text = f"!! {self.words(HINTS[why])}" if why else ""
        self.query_one("#hint", Static).update(text)
