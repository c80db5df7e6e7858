"""From the wizard's state to the support code, and to what it says about a message's causes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from screens import __version__
from screens.language import Language
from screens.troubleshooting.catalogue import Condition
from screens.troubleshooting.support_code import (
    Attachment,
    Backend,
    SupportFacts,
    encode,
    registry,
)
from screens.wizard import UNEXPECTED, Component, Failure, Step, Wizard

_MISSING = frozenset({Component.LIBRARY, Component.SERVICE, Component.DRIVER})
_SLOW = ("service.challenge.expired", "service.verification.expired", "net.timeout")
_NO_NETWORK = ("net.name", "net.refused", "net.lost", "net.timeout", "net.proxy")


def version() -> tuple[int, int, int]:
    """This program's version."""
    major, minor, patch = map(int, __version__.split("."))  # noqa: RUF048 - it is three numbers
    return major, minor, patch


@dataclass(frozen=True)
class Situation:
    """What is known when something fails."""

    wizard: Wizard = field(default_factory=Wizard)
    attachment: Attachment = Attachment.UNKNOWN


def support_code(failure: Failure, situation: Situation, language: Language) -> str:
    """The support code of a failure in this situation. A code without a number is unexpected."""
    wizard, attachment = situation.wizard, situation.attachment
    return encode(
        SupportFacts(
            code=failure.code if failure.code in registry() else UNEXPECTED,
            step=wizard.step,
            tries_left=_tries_left(failure, wizard),
            readers=len(wizard.slots),
            cards=len(wizard.cards),
            attachment=attachment,
            backend=_backend(failure, situation),
            language=language,
            version=version(),
        )
    )


def _tries_left(failure: Failure, wizard: Wizard) -> int | None:
    if failure.code == "card.pin.blocked":
        return 0
    told = failure.facts.get("tries_left")
    known = wizard.card.tries_left if wizard.card else None
    return told if isinstance(told, int) else known


def _backend(failure: Failure, situation: Situation) -> Backend:
    card = situation.wizard.card
    if card is None:
        # A module that did not even get as far as a card is what support must know.
        return Backend.PKCS11 if failure.code.startswith("card.module") else Backend.NONE
    embedded = situation.attachment is Attachment.EMBEDDED
    return Backend.VIRTUAL if embedded else Backend(card.via)


def conditions(situation: Situation) -> frozenset[Condition]:
    """What is known that makes one cause of a message likelier than the others."""
    return frozenset(_conditions(situation.wizard, situation.attachment))


def _conditions(wizard: Wizard, attachment: Attachment) -> Iterator[Condition]:
    code = wizard.failure.code if wizard.failure else ""
    failed = {row.component for row in wizard.checks if row.failure and not row.warning}
    if failed & _MISSING or code.startswith(("pcsc.library", "pcsc.service", "card.module")):
        yield Condition.COMPONENT_MISSING
    if wizard.step is not Step.WELCOME and not wizard.slots:
        yield Condition.NO_READER
    elif wizard.step is not Step.WELCOME and not wizard.cards:
        yield Condition.NO_CARD
    if code == "card.kind.nhi":
        yield Condition.NHI_LIKELY
    if attachment is Attachment.FORWARDED:
        yield Condition.FORWARDED
    elif os.environ.get("SSH_CONNECTION"):
        yield Condition.REMOTE
    if code.startswith(_SLOW):
        yield Condition.SLOW
    if code == "service.clock":
        yield Condition.CLOCK
    if code.startswith(_NO_NETWORK):
        yield Condition.OFFLINE
