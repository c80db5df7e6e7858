"""The next binding of the same run: what is known of the card then, and what no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import Person, at_the_wizard

from screens.wizard import Step
from tui.scenarios import READER

pytestmark = pytest.mark.anyio

REBIND = "2"
APDUS, APDUS_AGAIN = 15, 6  # of a card that nobody knows, and of one that stayed where it is
STRANGER = '[certificate]\nholder = "測試員乙"\n'


async def bind(person: Person) -> None:
    before = person.pins_sent
    await person.go(choice=REBIND)
    assert person.wizard.receipt is not None, person.screen
    assert person.pins_sent == before + 1


async def to_the_first_screen(person: Person) -> None:
    await person.again()
    assert person.wizard.step is Step.WELCOME


async def test_a_card_that_stayed_in_is_not_read_anew(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await bind(person)
        assert person.card.transmitted == APDUS
        for _ in range(2):
            await to_the_first_screen(person)
            before = person.card.transmitted
            await bind(person)
            assert person.card.transmitted - before == APDUS_AGAIN


@pytest.mark.parametrize("step", [Step.RESULT, Step.SIGN_IN, Step.RECEIPT, Step.WELCOME])
async def test_a_card_that_was_taken_out_is_forgotten(authority_folder: Path, step: Step) -> None:
    """Nobody who comes next finds in this program who was here before."""
    async with at_the_wizard(authority_folder) as person:
        if step is Step.WELCOME:
            await bind(person)
            await to_the_first_screen(person)
        else:
            await person.go(step, choice=REBIND)
        known = person.wizard.slots
        person.backends.embedded.remove(READER)
        person.backends.embedded.insert(READER, person.card)
        await person.until(lambda: person.wizard.slots != known, "the card put back")
        if step is not Step.WELCOME:
            await person.go(choice=REBIND)
            await to_the_first_screen(person)
        before = person.card.transmitted
        await bind(person)
        assert person.card.transmitted - before == APDUS


async def test_another_card_in_its_place_is_shown_with_its_own_holder(
    authority_folder: Path,
) -> None:
    async with at_the_wizard(authority_folder) as person:
        await bind(person)
        await to_the_first_screen(person)
        stranger = person.new_card(STRANGER)
        person.backends.embedded.remove(READER)
        person.backends.embedded.insert(READER, stranger)
        await person.go(Step.CARD, choice=REBIND)
        await person.sees("測試員乙")
        assert stranger.verify_count == 0
