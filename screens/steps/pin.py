"""The PIN step: what will be signed, for whom, how many tries are left, and the PIN."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from client.purpose import Purpose
from screens.facts import rows
from screens.frame import Key
from screens.language import N_
from screens.messages import Continued, LastTryConfirmed, OtherKeysWanted, PadWanted
from screens.prose import Prose
from screens.secret_field import Refused, SecretField
from screens.steps.step_screen import StepScreen
from screens.wizard import (
    Wizard,
    Work,
    keyboard_instead,
    last_try_open,
    on_pad,
    pad_allowed,
    pin_allowed,
    tries_low,
)

CONFIRMATION = "YES"
HINTS = {
    Refused.FULL_WIDTH: N_(
        "Full-width characters: turn the input method off and type the PIN again from the start."
    ),
    Refused.NOT_ASCII: N_("A PIN has letters, digits and signs only. Please start again."),
    Refused.PASTED: N_("Pasting is not possible here. Please type the PIN by hand."),
    Refused.FULL: N_("That is longer than any PIN."),
    Refused.EMPTY: N_("No PIN has been typed yet."),
}
ON_THE_READER = N_("Not here: the PIN is typed on the reader's keys.")
ONLY_THE_READER = N_(
    "Only the reader can end this: press its red key (C or X), or wait until the time is over."
)
PURPOSES = {
    Purpose.REGISTER: N_("apply for a new account with this card"),
    Purpose.REBIND: N_("bind this card to the account {account}"),
    Purpose.SIGN_IN: N_("prove that you hold this card"),
}


def confirmation_asked(wizard: Wizard) -> bool:
    """True while the last try waits for its typed confirmation."""
    return wizard.busy is None and wizard.challenge is not None and last_try_open(wizard)


class PinScreen(StepScreen):
    """Enter here is the consent to sign, and sends the PIN to the card at most once."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f4", "other_keys", show=False)]
    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("The PIN goes to the card and nowhere else. It is never stored or sent to the service."),
        N_("Each wrong PIN costs a try; with none left the card locks. Not sure? Stop here."),
        N_("Locked or forgotten: the holder unlocks it at the HCA web site with the user code."),
        N_(
            "Where the reader has keys of its own, the PIN is typed on them and never reaches this "
            "computer. F4 changes to the keyboard where that is allowed."
        ),
        N_("This program cannot change or unlock a PIN, and nobody will ask you for it by phone."),
    )

    def body(self) -> ComposeResult:
        yield Prose(id="consent")
        yield Prose(id="tries")
        yield Prose(id="ask")
        yield SecretField(id="pin")
        yield Prose(id="hint")

    def on_mount(self) -> None:
        self._typed = ""

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        self.query_one("#consent", Prose).update(self._consent(wizard))
        self.query_one("#tries", Prose).update(self._tries(wizard))
        allowed = pin_allowed(wizard)
        last = confirmation_asked(wizard)
        field = self.query_one("#pin", SecretField)
        if wizard.busy is not None or not allowed:
            field.clear()
        field.display = allowed
        ask = ""
        if last:
            ask = _("This is the last try. To use it, type {word}:", word=CONFIRMATION)
            ask += f" {self._typed}_"
        elif allowed:
            ask = _("Your card's PIN, then Enter:")
        elif on_pad(wizard):
            ask = self._about_the_reader(wizard)
        if allowed and self.shell.hint:
            ask = _("(Demo card, PIN: {pin})", pin=self.shell.hint) + "\n" + ask
        self.query_one("#ask", Prose).update("\n" + ask)
        if allowed and not field.has_focus:
            field.focus()
        elif not allowed:
            self.set_focus(None)
        self._hint(None)
        if wizard.busy is Work.ENTERING:
            self._keep_in_sight("#ask")

    def _about_the_reader(self, wizard: Wizard) -> str:
        """Where the PIN is typed, and how that ends."""
        _ = self.words
        if wizard.busy is Work.ENTERING:
            now = _("Now type the PIN on the reader, then press its green key (OK).")
            return now + "\n" + _("To stop, press the reader's red key (C or X).")
        if not pad_allowed(wizard):
            return ""
        ask = _("The PIN is typed on the reader's own keys, not here. Enter starts it.")
        if keyboard_instead(wizard) and wizard.card and not wizard.card.rules.digits_only:
            ask += "\n" + _("If your PIN has letters, press F4 and type it here.")
        return ask

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
        if left is None and wizard.challenge is None and wizard.busy is None:
            return Content("")  # nobody asked the card: something failed before that
        if left is None:
            text = _("Tries left: the card does not say. A wrong PIN may lock it.")
        elif left == 0:
            text = _("The card is locked: no try is left.")
        else:
            text = _("Tries left before the card locks: {tries}", tries=left)
        return Content.styled(f"!! {text}", "bold") if tries_low(left) else Content(text)

    def enter_does(self, wizard: Wizard) -> str | None:
        if wizard.card is not None and wizard.card.tries_left == 0:
            return None
        if confirmation_asked(wizard):
            return None
        allowed = pin_allowed(wizard) or pad_allowed(wizard)
        return N_("Agree and verify") if allowed else N_("Try again")

    def keys(self, wizard: Wizard) -> list[Key]:
        keys = super().keys(wizard)
        if keyboard_instead(wizard):
            other = N_("Keyboard") if on_pad(wizard) else N_("Reader's keys")
            after = sum(key in {"Enter", "Esc", "F2"} for key, _ in keys)
            keys.insert(after, ("F4", self.words(other)))
        elif wizard.busy is Work.ENTERING:
            keys.insert(0, ("Esc", self.words(N_("How to stop"))))
        return keys

    def on_key(self, event: events.Key) -> None:
        """Collect the typed confirmation of a last try; anything else starts it anew."""
        if not confirmation_asked(self.wizard):
            if event.is_printable and on_pad(self.wizard):
                self._hint(ON_THE_READER)
            return
        if event.key == "backspace" or event.is_printable:
            event.stop()
            typed = self._typed + (event.character or "").upper()
            self._typed = typed if event.is_printable and CONFIRMATION.startswith(typed) else ""
            if self._typed == CONFIRMATION:
                self._typed = ""
                self.post_message(LastTryConfirmed())
            self.show()

    def action_go_on(self) -> None:
        if pad_allowed(self.wizard):
            self.post_message(PadWanted())
        elif self.enter_does(self.wizard) and not pin_allowed(self.wizard):
            self.post_message(Continued())

    def action_go_back(self) -> None:
        if self.wizard.busy is Work.ENTERING:
            self._hint(ONLY_THE_READER)
        else:
            super().action_go_back()

    def action_other_keys(self) -> None:
        self.post_message(OtherKeysWanted())

    def on_secret_field_hint(self, event: SecretField.Hint) -> None:
        self._hint(HINTS[event.why] if event.why else None)

    def _hint(self, text: str | None) -> None:
        """`text` is a message id."""
        self.query_one("#hint", Prose).update(f"!! {self.words(text)}" if text else "")
        if text and on_pad(self.wizard):
            self._keep_in_sight("#hint")

    def _keep_in_sight(self, id: str) -> None:
        """After the layout: where no field has the focus, nothing else scrolls to it."""

        def scroll() -> None:
            if self.ready:
                self.query_one(id).scroll_visible(animate=False)

        self.call_after_refresh(scroll)
