"""A line that is slow brings many keys at once: each goes where it would have gone one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import Person, at_the_wizard
from textual import events
from textual.widgets import Input

from screens.menu import Menu
from screens.wizard import Step, pin_allowed
from tui.demo import ACCOUNT

pytestmark = pytest.mark.anyio


def all_at_once(person: Person, *keys: str) -> None:
    """As one read from the terminal gives them, before the first has done anything."""
    for key in keys:
        person.app.post_message(events.Key(key, key if len(key) == 1 else None))


@pytest.mark.parametrize("choice", [("1",), ("enter",), ("tab", "up", "1")])
async def test_the_account_behind_the_category(authority_folder: Path, choice: list[str]) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.CARD, choice="2")
        all_at_once(person, *choice, *ACCOUNT, "enter")
        await person.until(lambda: pin_allowed(person.wizard), "the PIN asked for")
        assert person.wizard.account == ACCOUNT


async def test_an_account_of_digits(authority_folder: Path) -> None:
    """In its field they are no lines of the menu."""
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.CARD, choice="2")
        all_at_once(person, *"1112", "enter")
        await person.until(lambda: person.wizard.step is Step.PIN, "the next step")
        assert person.wizard.account == "112"


async def test_back_to_the_category(authority_folder: Path) -> None:
    """From the account's field the keys lead back to the menu, as between any two fields."""
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.CARD, choice="2")
        for key in ("shift+tab", "up"):
            await person.press("1")
            await person.until(lambda: isinstance(person.app.screen.focused, Input), "the account")
            await person.press(key)
            await person.until(lambda: isinstance(person.app.screen.focused, Menu), "the category")
