"""The reader step names the way out where no card can be used, and does not blame the card."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import at_the_wizard

from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from screens.wizard import Step

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("scenario", "told", "never"),
    [
        ("held", "其他程式正在使用它", "請插入您本人"),
        ("expired", "請插入您本人的醫事憑證 IC 卡", "其他程式正在使用它"),
    ],
)
async def test_why_no_card_can_be_used(
    authority_folder: Path, scenario: str, told: str, never: str
) -> None:
    async with at_the_wizard(authority_folder, scenario) as person:
        await person.go(Step.READER)
        await person.sees(told)
        assert person.shows("Enter 看原因")
        assert not person.shows(never)
        await person.press("enter")
        await person.until(lambda: person.code is not None, "why not")
        assert person.pins_sent == 0


async def test_a_card_that_only_a_module_can_read_is_not_called_the_wrong_one(
    authority_folder: Path,
) -> None:
    hpc = 'kind = "foreign"\natr = "3BF91800008131FE4550565F4A3244303831B6"\n'
    async with at_the_wizard(authority_folder, "no-card") as person:
        await person.go(Step.READER)
        readers = person.backends.embedded
        readers.insert(readers.slots()[0].reader, VirtualCard(Profile.parse(hpc)))
        await person.sees("這台電腦還讀不到它")
        assert not person.shows("請插入您本人")
        await person.press("enter")
        await person.until(lambda: person.code == "card.module.missing", "why not")
        assert person.pins_sent == 0
