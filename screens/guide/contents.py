"""What can go wrong at each step, and what to ask the user there."""

from __future__ import annotations

from collections.abc import Mapping

from screens.language import N_
from screens.troubleshooting.catalogue import Entry, entries
from screens.wizard import Step

# The beginnings of the codes that a step can show, in the order of how often they are met.
_MEETS: Mapping[Step, tuple[str, ...]] = {
    Step.WELCOME: ("app.",),
    Step.COMPONENTS: (
        "pcsc.service.",
        "pcsc.library.",
        "pcsc.driver.",
        "pcsc.socket.",
        "component.",
        "net.",
        "service.unavailable",
        "service.busy",
        "service.failed",
        "service.clock",
        "service.version",
        "service.origin",
        "service.nonsense",
        "service.problem",
    ),
    Step.READER: ("card.reader.none", "card.absent", "pcsc.failed", "pcsc.service."),
    Step.CARD: (
        "card.absent",
        "card.mute",
        "card.kind.",
        "card.reader.",
        "card.module.",
        "card.certificate.",
        "revocation.",
        "card.data.",
        "card.key.",
        "card.removed",
        "card.reset",
        "card.refused",
        "card.answer.",
        "pcsc.failed",
    ),
    Step.PIN: (
        "card.pin.",
        "card.pad.",
        "card.removed",
        "card.reset",
        "card.sign.",
        "service.challenge.",
        "service.token.",
        "service.card.",
        "service.request.",
        "net.timeout",
        "net.lost",
    ),
    Step.RESULT: ("service.verification.",),
    Step.FORM: (
        "service.form.",
        "service.account.",
        "service.verification.",
        "service.card.bound",
        "service.idempotency.",
        "service.unavailable",
        "net.timeout",
        "net.lost",
    ),
    Step.SIGN_IN: (
        "service.sign-in.",
        "service.session.",
        "service.verification.",
        "service.idempotency.",
        "net.timeout",
        "net.lost",
    ),
    Step.RECEIPT: ("service.receipt.",),
}
# Never on a user's screen: of practice parts, or no failure at all.
_NOT_MET = ("sandbox.", "card.profile.", "card.vpcd.", "app.scenario")
_OWN = frozenset({"app", "card", "component", "net", "pcsc", "revocation", "service"})

QUESTIONS: Mapping[Step, tuple[str, ...]] = {
    Step.WELCOME: (
        N_("Which line did you choose: a new account, or a new card for an account you have?"),
        N_("Have you the card, its PIN and a plain reader (no NHI reader) before you?"),
        N_("Does a message of the old web page trouble you? Read it to me; I look it up here."),
    ),
    Step.COMPONENTS: (
        N_("Which line begins with !!, and what does it say?"),
        N_("Please read me the support code: three groups of four."),
        N_("Is the reader on the computer before you, and do you work on another through it?"),
    ),
    Step.READER: (
        N_("Is a reader listed, and what stands behind its name?"),
        N_("What is written on the reader? An NHI reader (健保讀卡機) cannot be used."),
        N_("Is the card in with the chip first and the chip side up, until it stops?"),
    ),
    Step.CARD: (
        N_("Is the name on the screen yours?"),
        N_("What is printed on the card: 醫事人員卡, or another one?"),
        N_("Is another program open that uses cards? Please close it."),
    ),
    Step.PIN: (
        N_("How many tries are left? Do not tell me the PIN, not even its length."),
        N_("Are you sure of the PIN? If not, stop here: each wrong one costs a try."),
        N_("Does the reader have keys of its own? Then the PIN is typed there, not here."),
        N_("Is the input method off, so that letters and digits are half width?"),
    ),
    Step.RESULT: (
        N_("Is the name on the screen yours? You may take the card out now."),
        N_("Press Enter: nothing is bound before the next screen."),
    ),
    Step.FORM: (
        N_("Which fields have !! behind their name?"),
        N_("Does it say that it is not known whether the form arrived? Then just press Enter."),
    ),
    Step.SIGN_IN: (
        N_("Is the account on the screen yours? The password is its own, not the card's PIN."),
        N_("Which card is bound until now, as the screen says?"),
    ),
    Step.RECEIPT: (N_("Please note the receipt's number, and read it to me."),),
}


def met_at(step: Step) -> tuple[Entry, ...]:
    """The entries of what this program itself can say at a step, the commonest first."""
    known = [entry for entry in entries() if is_own(entry.id)]
    found: dict[str, Entry] = {}
    for start in _MEETS[step]:
        found.update((entry.id, entry) for entry in known if entry.id.startswith(start))
    return tuple(found.values())


def is_own(id: str) -> bool:
    """Whether this is a code of this program that its users can meet."""
    family, _, rest = id.partition(".")
    return (
        family in _OWN
        and not id.startswith(_NOT_MET)
        and (not id.endswith(".cancelled") or id.startswith("card.pad."))
        and not rest[:4].isdecimal()  # the PC/SC library's own numbers
    )
