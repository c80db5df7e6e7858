"""Signing in to the existing account, then 綁定新憑證 IC 卡."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from screens.facts import rows
from screens.language import N_
from screens.messages import Continued
from screens.prose import Prose
from screens.secret_field import Refused, SecretField
from screens.steps.step_screen import StepScreen
from screens.wizard import Wizard

HINTS = {
    Refused.EMPTY: N_("No password has been typed yet."),
    Refused.FULL: N_("That is longer than any password."),
}


class SignInScreen(StepScreen):
    """The account is the one the card signed for; the password is asked once."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("The password is the one of your account at the reporting system, not the card's PIN."),
        N_("After signing in, Enter binds the new card. The old card then no longer works there."),
        N_("If the line breaks while binding, Enter sends the same request again; it counts once."),
    )

    def body(self) -> ComposeResult:
        yield Prose(id="facts")
        yield Prose(id="ask")
        yield SecretField(id="password", password=True)
        yield Prose(id="hint")

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        pairs = [(_("Account"), wizard.account)]
        if wizard.verification is not None:
            pairs.append((_("New card"), wizard.verification.holder))
        session = wizard.session
        if session is not None:
            pairs.append((_("Card until now"), session.bound_card or _("none")))
        self.query_one("#facts", Prose).update(rows(*pairs) + "\n")
        field = self.query_one("#password", SecretField)
        field.display = session is None
        if session is None:
            ask = _("Your account's password (not the PIN), then Enter:")
            if wizard.busy is None:
                field.focus()
        elif wizard.undecided and wizard.busy is None:
            ask = _(
                "It is not known whether the request arrived. Press Enter to send the very same "
                "one again; it will count once."
            )
        else:
            ask = _("Signed in. Press Enter: bind the new card to this account.")
        self.query_one("#ask", Prose).update(ask)
        self._hint(None)

    def enter_does(self, wizard: Wizard) -> str | None:
        if wizard.session is None:
            return N_("Sign in")
        return N_("Send again") if wizard.undecided else N_("Bind the new card")

    def on_secret_field_hint(self, event: SecretField.Hint) -> None:
        self._hint(event.why)

    def _hint(self, why: Refused | None) -> None:
        self.query_one("#hint", Prose).update(f"!! {self.words(HINTS[why])}" if why else "")

    def action_go_on(self) -> None:
        if self.wizard.session is not None:
            self.post_message(Continued())
