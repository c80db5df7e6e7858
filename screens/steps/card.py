"""The card step: whose card it is, of which category, and for rebinding which account."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from client.purpose import Purpose
from screens.facts import rows
from screens.frame import FramedScreen
from screens.language import N_
from screens.menu import Menu
from screens.messages import CardConfirmed, Continued
from screens.places import name
from screens.prose import Prose
from screens.steps.step_screen import StepScreen
from screens.wizard import Wizard, Work, category_matches


class CardScreen(StepScreen):
    """What the card says of itself; nothing here needs the PIN."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("The name comes from the certificate on your card. Not you? Take the card out."),
        N_("Category: most people have a health professional card (醫事人員卡)."),
        N_("Account: the name you sign in with at the reporting system."),
    )
    # Before the menu sees them: of what was typed ahead of a slow line, the account's letters come
    # close behind the category, and the menu would drop them. Where no menu has the focus, these
    # keys do what they do on every screen: a class's own list takes the place of the inherited one.
    BINDINGS: ClassVar[list[BindingType]] = [
        *FramedScreen.BINDINGS,
        Binding("tab,down", "move(1)", show=False, priority=True),
        Binding("shift+tab,up", "move(-1)", show=False, priority=True),
        Binding("enter", "choose", show=False, priority=True),
        *(
            Binding(str(number), f"pick({number - 1})", show=False, priority=True)
            for number in range(1, 10)
        ),
    ]

    def body(self) -> ComposeResult:
        yield Prose(id="facts")
        yield Prose(id="ask-category")
        yield Menu(id="category", leaves=True)
        yield Prose(id="mismatch")
        yield Prose(id="ask-account")
        yield Input(id="account", max_length=100, select_on_focus=False)

    def __init__(self) -> None:
        super().__init__()
        self._typing = False  # in the account, when the card went away

    def on_mount(self) -> None:
        account = self.query_one("#account", Input)
        account.cursor_blink = False
        account.value = self.wizard.account

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        card, service = wizard.card, wizard.service
        usable = (
            card is not None
            and not wizard.card_gone
            and wizard.failure is None
            and wizard.busy is not Work.LOOKING_UP
        )
        if card is None:
            facts = _("Reader: {reader}", reader=name(wizard.reader or ""))
        else:
            certificate = card.certificate
            facts = rows(
                (_("Holder"), certificate.holder),
                (_("Card"), f"{certificate.category}  {card.label}"),
                (_("Issued by"), certificate.issuer),
                (_("Valid until"), f"{certificate.not_after:%Y-%m-%d}"),
                (_("Reader"), name(card.reader)),
            )
        self.query_one("#facts", Prose).update(facts + "\n")
        rebind = wizard.purpose is Purpose.REBIND
        self.query_one("#ask-category", Prose).update(
            _("Which category of card is it?") if usable else ""
        )
        menu = self.query_one("#category", Menu)
        menu.display = usable
        if usable and service is not None:
            menu.show([_.of(offer.label) for offer in service.categories])
        self.query_one("#ask-account", Prose).update(
            "\n" + _("Bind it to which account? (your account name)") if usable and rebind else ""
        )
        account = self.query_one("#account", Input)
        self._typing = self._typing or account.has_focus
        account.display = usable and rebind
        if usable and self.focused is None:
            (account if self._typing else menu).focus()  # the card is back: type on
        if usable:
            self._typing = False

    def enter_does(self, wizard: Wizard) -> str | None:
        if wizard.card is None or wizard.card_gone or wizard.failure is not None:
            return N_("Try again")
        return N_("Continue")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in {"move", "choose", "pick"} and not isinstance(self.focused, Menu):
            return False
        return super().check_action(action, parameters)

    def action_move(self, by: int) -> None:
        self.query_one("#category", Menu).action_move(by)

    def action_pick(self, index: int) -> None:
        if self.query_one("#category", Menu).mark(index):
            self.action_choose()

    def action_choose(self) -> None:
        account = self.query_one("#account", Input)
        if account.display and not account.value.strip():
            self.set_focus(account)  # at once; Widget.focus would let the next key go before it
        else:
            self._confirm()

    def on_input_submitted(self) -> None:
        self._confirm()

    def _confirm(self) -> None:
        wizard = self.wizard
        if wizard.busy is not None:
            return
        if wizard.card is None or wizard.card_gone or wizard.failure is not None:
            self.post_message(Continued())
            return
        if wizard.service is None:
            return
        offer = wizard.service.categories[self.query_one("#category", Menu).index]
        account = self.query_one("#account", Input).value.strip()
        if not category_matches(wizard, offer.id):
            self._complain(N_("This card is of another category. Please choose the one it has."))
        elif wizard.purpose is Purpose.REBIND and not account:
            self._complain(N_("Please type your account name."))
            self.query_one("#account", Input).focus()
        else:
            self.post_message(CardConfirmed(offer.id, account))

    def _complain(self, message: str) -> None:
        self.query_one("#mismatch", Prose).update(f"!! {self.words(message)}")
