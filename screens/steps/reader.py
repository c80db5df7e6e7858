"""The reader step: which readers are there, and in which one a card lies."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from card.desk import Place, listed, picked
from card.errors import CardModuleMissing, ModuleError
from card.port import SlotState
from screens.attachment import attached, warning
from screens.language import N_
from screens.menu import Menu
from screens.messages import ReaderChosen
from screens.places import line
from screens.prose import Prose
from screens.steps.step_screen import StepScreen
from screens.wizard import Wizard


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
        places = listed(wizard.places)
        filled = len(wizard.cards)
        if not places:
            intro = _("No card reader found yet. Plug it in; it will appear here by itself.")
            outro = _("Is it an NHI reader (健保讀卡機)? It cannot be used: take a plain one.")
        elif filled == 0:
            intro = _("Insert your card into the reader, chip first.")
            outro = _("It will be noticed by itself.")
        elif _none_usable(places) and any(place.slot.state is SlotState.HELD for place in places):
            intro = _("A card is there, but another program is using it.")
            outro = _("Close that program; this goes on by itself. More: press Enter.")
        elif _none_usable(places) and any(map(_lacks_module, places)):
            intro = _("A 醫事憑證 IC card is there, but this computer cannot read it yet.")
            outro = _("Why not? Choose the card and press Enter.")
        elif _none_usable(places):
            intro = _("No card here can be used. Please insert your own 醫事憑證 IC card.")
            outro = _("Why not? Choose the card and press Enter.")
        elif picked(places):
            intro = _("Your card is there.")
            outro = _("Press Enter to read it.")
        else:
            intro = _("There are several cards. Which one is yours?")
            outro = _("Choose with the arrow keys, then press Enter.")
        self.query_one("#intro", Prose).update(intro + "\n")
        menu = self.query_one(Menu)
        menu.display = bool(places)
        menu.show([line(place, _) for place in places], _marked(places))
        if places and self.focused is None:  # a list that was hidden has lost the focus
            menu.focus()
        where = self.shell.situation.attachment
        lines = [outro]
        if wizard.slots and (place := attached(where, _)):
            lines.append(_("The reader is: {attachment}", attachment=place))
        lines.append(warning(where, wizard.slots, _))
        self.query_one("#outro", Prose).update("\n" + "\n".join(filter(None, lines)))

    def enter_does(self, wizard: Wizard) -> str | None:
        if not wizard.cards:
            return None
        return N_("Why not") if _none_usable(listed(wizard.places)) else N_("Read the card")

    def on_menu_chosen(self, event: Menu.Chosen) -> None:
        slot = listed(self.wizard.places)[event.index].slot
        if slot.filled:
            self.post_message(ReaderChosen(slot.reader))


def _none_usable(places: tuple[Place, ...]) -> bool:
    return all(place.looked and not place.usable for place in places)


def _lacks_module(place: Place) -> bool:
    """The card is the right one; what is wrong is this computer."""
    return isinstance(place.error, CardModuleMissing | ModuleError)


def _marked(places: tuple[Place, ...]) -> int | None:
    """The only card that can be used, or else the only card; between several the mark stays."""
    filled = [place for place in places if place.slot.filled]
    marked = picked(places) or (filled[0] if len(filled) == 1 else None)
    return None if marked is None else places.index(marked)
