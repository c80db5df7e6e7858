"""The account form and the sign-in: what the card knows already, and what is not typed yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import Person, at_the_wizard
from textual import events
from textual.widgets import Input

from screens.secret_field import SecretField
from screens.wizard import Step
from tui.demo import PASSWORD

pytestmark = pytest.mark.anyio

HOLDER = "測試員甲"


def name(person: Person) -> Input:
    fields = person.wizard.service.account_form if person.wizard.service else ()
    (index,) = (i for i, field in enumerate(fields) if field.autocomplete == "name")
    return person.app.screen.query_one(f"#field-{index}", Input)


async def test_the_name_is_the_cards_until_it_is_typed(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.FORM)
        assert name(person).value == HOLDER
        await person.press("tab", "tab")
        await person.type("N. N.")
        assert name(person).value == "N. N.", "typing takes the place of it"
        await person.press("escape")
        await person.at(Step.RESULT)
        await person.press("enter")
        await person.at(Step.FORM)
        assert name(person).value == "N. N."


async def test_enter_without_a_password_says_so(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.SIGN_IN, choice="2")
        await person.press("enter")
        await person.sees("還沒有輸入密碼")
        person.app.screen.query_one(SecretField).post_message(events.Paste(PASSWORD))
        await person.until(lambda: not person.shows("還沒有輸入密碼"), "the hint gone")
        await person.press("enter")
        await person.until(lambda: person.wizard.session is not None, "signed in")


async def test_enter_without_a_pin_says_so_and_costs_nothing(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.PIN)
        await person.press("enter")
        await person.sees("還沒有輸入 PIN 碼")
        assert person.pins_sent == 0
