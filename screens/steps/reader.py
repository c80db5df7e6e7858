"""The reader step: which readers are there, and in which one a card lies."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from card.port import Slot, SlotState
from screens.attachment import attached, warning
from screens.frame import StepScreen
from screens.language import N_
from screens.menu import Menu
from screens.messages import ReaderChosen
from screens.prose import Prose
from screens.wizard import Wizard

STATES = {
    SlotState.EMPTY: N_("no card"),
    SlotState.PRESENT: N_("card inserted"),
    SlotState.MUTE: N_("a card that does not answer: is it the right way round?"),
    SlotState.HELD: N_("card in use by another program"),
}


class ReaderScreen(StepScreen):
    """The readers, live: plugging in or inserting shows at once."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("Insert the card with the chip first, chip side up, until it stops."),
        N_("No reader in the list: unplug it and plug it in again, in another socket if need be."),
        N_("The NHI's own reader (for the 健保卡) is not supported and will not appear here."),
    )

    def body(self) -> ComposeResult:
        yield Prose(id="intro")
        yield Menu(id="readers")
        yield Prose(id="outro")

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        slots = wizard.slots
        filled = len(wizard.cards)
        if not slots:
            intro = _("No card reader found yet. Plug it in; it will appear here by itself.")
            outro = _("Is it an NHI reader (健保讀卡機)? It cannot be used: take a plain one.")
        elif filled == 0:
            intro = _("Insert your card into the reader, chip first.")
            outro = _("It will be noticed by itself.")
        elif filled == 1:
            intro = _("Your card is there.")
            outro = _("Press Enter to read it.")
        else:
            intro = _("There are several cards. Which one is yours?")
            outro = _("Choose with the arrow keys, then press Enter.")
        self.query_one("#intro", Prose).update(intro + "\n")
        menu = self.query_one(Menu)
        menu.display = bool(slots)
        menu.show([self._line(slot) for slot in slots], self._marked(wizard))
        if slots and self.focused is None:  # a list that was hidden has lost the focus
            menu.focus()
        where = self.shell.situation.attachment
        lines = [outro]
        if slots and (place := attached(where, _)):
            lines.append(_("The reader is: {attachment}", attachment=place))
        lines.append(warning(where, slots, _))
        self.query_one("#outro", Prose).update("\n" + "\n".join(filter(None, lines)))

    def _line(self, slot: Slot) -> str:
        return f"{slot.reader}: {self.words(STATES[slot.state])}"

    def _marked(self, wizard: Wizard) -> int | None:
        """The only card is marked by itself; between several the person's mark stays."""
        if len(wizard.cards) != 1:
            return None
        return wizard.slots.index(wizard.cards[0])

    def enter_does(self, wizard: Wizard) -> str | None:
        return N_("Read the card") if wizard.cards else None

    def on_menu_chosen(self, event: Menu.Chosen) -> None:
        slot = self.wizard.slots[event.index]
        if slot.state is not SlotState.EMPTY:
            self.post_message(ReaderChosen(slot.reader))
