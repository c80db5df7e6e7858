"""The reader step names the way out where no card can be used, and does not blame the card."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import at_the_wizard

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
