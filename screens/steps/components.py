"""The component check: what a binding needs, what of it is there, and getting the rest."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from screens.attachment import attached
from screens.frame import Key
from screens.language import N_
from screens.messages import CheckWanted, ComponentWanted
from screens.offers import Offer, Plan, Transfer
from screens.prose import Prose
from screens.steps.step_screen import StepScreen
from screens.wizard import Check, Component, Wizard, Work, components_ready

NAMES = {
    Component.LIBRARY: N_("Card library"),
    Component.SERVICE: N_("Smart card service (PC/SC)"),
    Component.DRIVER: N_("Reader driver"),
    Component.CRYPTO: N_("Encryption library"),
    Component.REPORTING: N_("Reporting system"),
    Component.MODULE: N_("The card's own module"),
    Component.LIST: N_("List of components"),
}
SOMETIMES = frozenset({Component.MODULE, Component.LIST})  # shown where there is something to say
BAR = 30  # columns
MIB = 1024 * 1024


class ComponentsScreen(StepScreen):
    """One line for each component: its state in words, then what was found."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "get", show=False),
        Binding("f5", "check", show=False),
    ]
    HELP_LINES: ClassVar[tuple[str, ...]] = (
        N_("This replaces the manual's download step: nothing is installed through a browser."),
        N_("OK: there. Missing: press F2 to see what to do, then Enter to check again."),
        N_("A download is checked before it is used, and nothing is run that was not shown first."),
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
        parts = [part for part in Component if part in found or part not in SOMETIMES]
        self.query_one("#checks", Prose).update(
            Content("\n").join([self._row(part, found.get(part)) for part in parts])
        )
        for id in ("#intro", "#checks"):  # a plan has the screen to itself, to be read whole
            self.query_one(id, Prose).display = wizard.plan is None
        outro = self._outro(wizard)
        self.query_one("#outro", Prose).update("\n" + outro if outro else "")

    def _outro(self, wizard: Wizard) -> str:
        _ = self.words
        if wizard.busy is Work.DOWNLOADING:
            return self._progress(wizard.offers[0], wizard.transfer)
        if wizard.plan is not None:
            return self._plan(wizard.plan)
        done = _("Everything is there. Press Enter to go on.") if components_ready(wizard) else ""
        if wizard.offers and wizard.busy is None:
            return "\n".join(filter(None, (self._offers(wizard.offers), done)))
        return done

    def _offers(self, offers: tuple[Offer, ...]) -> str:
        _ = self.words
        lines = [_("This can be had from here:")]
        for offer in offers:
            what = offer.component
            details = [what.version, _size(offer.size) if offer.size else "", what.licence]
            lines.append(f" - {_.of(what.name)} ({', '.join(filter(None, details))})")
        return "\n".join(lines)

    def _progress(self, offer: Offer, transfer: Transfer | None) -> str:
        _ = self.words
        name = _.of(offer.component.name)
        if transfer is None or not transfer.total:
            return f"{name}\n[{'.' * BAR}]"
        filled = BAR * transfer.done // transfer.total
        percent = 100 * transfer.done // transfer.total
        parts = [f"{percent}%", f"{_size(transfer.done)} / {_size(transfer.total)}"]
        if transfer.speed > 0:
            parts.append(f"{_size(transfer.speed)}/s")
        if transfer.left is not None:
            minutes, seconds = divmod(round(transfer.left), 60)
            parts.append(_("{time} left", time=f"{minutes}:{seconds:02}"))
        return f"{name}\n[{'#' * filled}{'.' * (BAR - filled)}] {'  '.join(parts)}"

    def _plan(self, plan: Plan) -> str:
        _ = self.words
        name = _.of(plan.offer.component.name)
        intro = (
            _("{name} is ready to be installed. This will be run when you press Enter:", name=name)
            if plan.runs
            else _("{name} is ready. An administrator has to run this:", name=name)
        )
        return "\n".join([intro, *(f"  {command}" for command in plan.commands)])

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
                self.shell.remedy_of(row.failure).title
                if row.failure is not None
                else self._evidence(row)
            )
        width = max(cell_len(_(name)) for name in NAMES.values()) + 2
        name = set_cell_size(_(NAMES[component]), width)
        return Content.assemble((f"[{state}]", style), f" {name}", (detail, "dim"))

    def _evidence(self, row: Check) -> str:
        """What was found; of the service also where its readers are."""
        if row.component is not Component.SERVICE:
            return row.evidence
        place = attached(self.shell.situation.attachment, self.words)
        return ", ".join(filter(None, (row.evidence, place)))

    def keys(self, wizard: Wizard) -> list[Key]:
        _ = self.words
        keys = super().keys(wizard)
        if wizard.busy is not None:
            return keys
        more: list[Key] = []
        if wizard.offers and wizard.plan is None and components_ready(wizard):
            more.append(("F4", _("Get")))
        if self.enter_does(wizard) != AGAIN:
            more.append(("F5", _(AGAIN)))
        return [*keys[:1], *more, *keys[1:]]

    def enter_does(self, wizard: Wizard) -> str | None:
        if wizard.plan is not None and wizard.plan.runs:
            return N_("Install")
        if components_ready(wizard):
            return N_("Continue")
        return N_("Get what is missing") if wizard.offers and wizard.plan is None else AGAIN

    def action_get(self) -> None:
        self.post_message(ComponentWanted())

    def action_check(self) -> None:
        self.post_message(CheckWanted())


AGAIN = N_("Check again")


def _size(count: float) -> str:
    if count >= MIB:
        return f"{count / MIB:.1f} MiB"
    return f"{count / 1024:.0f} KiB"
