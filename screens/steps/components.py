"""The component check: what a binding needs, and what of it is there."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.content import Content

from screens.frame import StepScreen
from screens.language import N_
from screens.prose import Prose
from screens.wizard import Check, Component, Wizard, components_ready

NAMES = {
    Component.LIBRARY: N_("Card library"),
    Component.SERVICE: N_("Smart card service (PC/SC)"),
    Component.DRIVER: N_("Reader driver"),
    Component.CRYPTO: N_("Encryption library"),
    Component.REPORTING: N_("Reporting system"),
}


class ComponentsScreen(StepScreen):
    """One line for each component: its state in words, then what was found."""

    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("This replaces the manual's download step: nothing is installed through a browser."),
        N_("OK: there. Missing: press F2 to see what to do, then Enter to check again."),
        N_("Nothing here touches your card or asks for its PIN."),
    )

    def body(self) -> ComposeResult:
        yield Prose(id="intro")
        yield Prose(id="checks")
        yield Prose(id="outro")

    def fill(self, wizard: Wizard) -> None:
        _ = self.words
        self.query_one("#intro", Prose).update(
            _("First: is everything there that your card needs?") + "\n"
        )
        found = {row.component: row for row in wizard.checks}
        self.query_one("#checks", Prose).update(
            Content("\n").join([self._row(part, found.get(part)) for part in Component])
        )
        done = components_ready(wizard)
        self.query_one("#outro", Prose).update(
            "\n" + _("Everything is there. Press Enter to go on.") if done else ""
        )

    def _row(self, component: Component, row: Check | None) -> Content:
        _ = self.words
        if row is None:
            state, style = "....", "dim"
        elif row.failure is None:
            state, style = " OK ", "bold"
        else:
            state, style = ("note" if row.warning else " !! "), "bold reverse"
        detail = ""
        if row is not None:
            detail = (
                self.shell.remedy_of(row.failure).title if row.failure is not None else row.evidence
            )
        width = max(cell_len(_(name)) for name in NAMES.values()) + 2
        name = set_cell_size(_(NAMES[component]), width)
        return Content.assemble((f"[{state}]", style), f" {name}", (detail, "dim"))

    def enter_does(self, wizard: Wizard) -> str | None:
        return N_("Continue") if components_ready(wizard) else N_("Check again")
