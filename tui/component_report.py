"""`hca-bind components`: the component check line by line, and getting what is missing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

from card.components import Finding, State
from screens.language import N_
from screens.wizard import failure_of
from tui import output
from tui.errors import InstallDenied
from tui.prompt import Terminal

if TYPE_CHECKING:
    from screens.jobs import Equipment, Listing
    from screens.language import Words
    from screens.offers import Offer, Plan, Transfer

DONE, ENVIRONMENT = 0, 3
CONFIRMATION = "YES"
STATES = {
    State.PRESENT: N_("present"),
    State.OLD: N_("too old"),
    State.BROKEN: N_("broken"),
    State.MISSING: N_("missing"),
    State.KEPT: N_("there, but not for this program"),
}
PARTS = {
    "library": N_("Card library"),
    "service": N_("Smart card service (PC/SC)"),
    "driver": N_("Reader driver"),
    "module": N_("The card's own module"),
}
Say = Callable[[str], None]


def report(
    equipment: Equipment, words: Words, *, as_json: bool, get: bool = False, install: bool = False
) -> int:
    """Print the state of every component; 0 when none lacks anything, else 3.

    `get` downloads what can be had and prints the commands that install it; `install` runs them
    after a typed confirmation, and looks again. Raises ClientError, AppError.
    """
    say: Say = (lambda _: None) if as_json else output.say
    listing = _look(equipment)
    plans = [_get(equipment, offer, words, say) for offer in listing.offers if get or install]
    if install:
        for plan in plans:
            _install(equipment, plan, words, say)
        listing = _look(equipment)
    if as_json:
        output.say_json(_data(listing, plans))
    else:
        _tell(listing, words)
    return DONE if all(each.error is None for each in listing.findings) else ENVIRONMENT


def _look(equipment: Equipment) -> Listing:
    return equipment.listing(tuple(equipment.findings()), needs_module=False)


def _get(equipment: Equipment, offer: Offer, _: Words, say: Say) -> Plan:
    told = [-1]

    def progress(transfer: Transfer) -> None:
        tenth = 10 * transfer.done // transfer.total
        if tenth > told[0]:
            told[0] = tenth
            say(f"  {10 * tenth}%")

    say(
        _(
            "Getting {name} {version}",
            name=_.of(offer.component.name),
            version=offer.component.version,
        )
    )
    plan = equipment.fetch(offer, progress)
    say(_("This installs it:"))
    for command in plan.commands:
        say(f"  {command}")
    return plan


def _install(equipment: Equipment, plan: Plan, _: Words, say: Say) -> None:
    if not plan.runs:
        raise InstallDenied
    question = _("To run these commands now, type {word}:", word=CONFIRMATION)
    if Terminal().ask(question).upper() != CONFIRMATION:
        raise InstallDenied
    if plan.asks and subprocess.run(plan.asks, check=False).returncode != 0:
        raise InstallDenied
    equipment.install(plan)
    say(_("Installed: {name}", name=_.of(plan.offer.component.name)))


def _tell(listing: Listing, _: Words) -> None:
    from screens.troubleshooting.remedy import words_for

    for each in listing.findings:
        evidence = " ".join(filter(None, (each.detail, each.version, each.path)))
        output.say(
            f"{_(PARTS[each.part])}: {_(STATES[each.state])}" + (evidence and f" ({evidence})")
        )
        if each.error is not None:
            remedy = words_for(each.error.code, each.error.facts(), _)
            output.say(f"  !! {remedy.title} ({each.error.code})\n     {remedy.steps[0]}")
    if listing.evidence:
        output.say(f"{_('List of components')}: {listing.evidence}")
    if listing.error is not None:
        remedy = words_for(listing.error.code, listing.error.facts(), _)
        output.say(f"{_('List of components')}\n  !! {remedy.title} ({listing.error.code})")
    if listing.offers:
        output.say(_("This can be had from here:"))
        for offer in listing.offers:
            output.say(f" - {_.of(offer.component.name)} {offer.component.version}".rstrip())


def _data(listing: Listing, plans: list[Plan]) -> dict[str, object]:
    return {
        "components": [_finding(each) for each in listing.findings],
        "list": {"evidence": listing.evidence, **_failure(listing.error)},
        "offers": [
            {
                "id": each.component.id,
                "version": each.component.version,
                "size": each.size,
                "licence": each.component.licence,
            }
            for each in listing.offers
        ],
        "plans": [
            {"id": each.offer.component.id, "commands": list(each.commands), "runs": each.runs}
            for each in plans
        ],
    }


def _finding(each: Finding) -> dict[str, object]:
    return {
        "part": each.part,
        "state": each.state,
        "path": each.path,
        "version": each.version,
        "detail": each.detail,
        **_failure(each.error),
    }


def _failure(error: Exception | None) -> dict[str, object]:
    if error is None:
        return {}
    failure = failure_of(error)
    return {"code": failure.code, "facts": dict(failure.facts)}
