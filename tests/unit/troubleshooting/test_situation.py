"""What the support code says of a failure, from what the wizard knows when it happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from card.port import CardCategory, HolderCertificate, PinRules, Via
from screens.language import Language
from screens.troubleshooting.situation import Situation, support_code
from screens.troubleshooting.support_code import Attachment, Backend, decode
from screens.wizard import CardOnTable, Failure, Step, Wizard

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CARD = CardOnTable(
    "Invented Reader 00 00",
    "TEST",
    HolderCertificate(b"", "測試員甲", "TEST", CardCategory.HPC, NOW, NOW),
    PinRules(6, 8, digits_only=False),
    Via.PKCS15,
    3,
)


def backend(situation: Situation, code: str = "card.pin.wrong") -> Backend:
    facts = decode(support_code(Failure(code, {}), situation, Language.EN))
    assert not isinstance(facts, str)
    return facts.backend


@pytest.mark.parametrize("via", Via)
@pytest.mark.parametrize("attachment", [Attachment.LOCAL, Attachment.FORWARDED])
def test_it_says_what_reaches_the_card(via: Via, attachment: Attachment) -> None:
    situation = Situation(Wizard(step=Step.PIN, card=replace(CARD, via=via)), attachment)
    assert backend(situation) == Backend(via)


def test_an_embedded_card_is_a_virtual_one() -> None:
    assert backend(Situation(Wizard(card=CARD), Attachment.EMBEDDED)) is Backend.VIRTUAL


def test_without_a_card_only_a_module_can_be_named() -> None:
    assert backend(Situation(Wizard()), "card.module.load") is Backend.PKCS11
    assert backend(Situation(Wizard()), "card.reader.none") is Backend.NONE
