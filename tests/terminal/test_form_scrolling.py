"""Where the form does not fit, the field one is in decides what is seen, not the way to it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from person import Person, at_the_wizard
from textual import events

from screens.frame import Body
from screens.language import Language
from screens.wizard import Step

pytestmark = pytest.mark.anyio


def at_field(person: Person, index: int) -> bool:
    focused = person.app.screen.focused
    return focused is not None and focused.id == f"field-{index}"


async def after(person: Person, *keys: str, field: int) -> str:
    """The screen once these keys, which come at once, have led to a field."""
    for key in keys:
        person.app.post_message(events.Key(key, None))
    await person.until(partial(at_field, person, field), f"field {field}")
    focused = person.app.screen.focused
    body = person.app.screen.query_one(Body)
    assert focused is not None
    assert focused.region in body.content_region
    return person.screen


async def to_the_form(person: Person) -> int:
    """The number of its last field."""
    await person.go(Step.FORM)
    assert person.wizard.service is not None
    return len(person.wizard.service.account_form) - 1


@pytest.mark.parametrize(("size", "language"), [((60, 20), Language.EN), ((40, 10), Language.ZH)])
async def test_every_way_to_a_field_shows_the_same(
    authority_folder: Path, size: tuple[int, int], language: Language
) -> None:
    async with at_the_wizard(authority_folder, language=language, size=size) as person:
        last = await to_the_form(person)
        down = [await after(person, field=0)]
        down += [await after(person, "tab", field=index) for index in range(1, last + 1)]
        assert len(set(down)) > 1, "nothing had to be scrolled"
        for index in reversed(range(last)):
            assert await after(person, "shift+tab", field=index) == down[index]
        assert await after(person, *["tab"] * last, field=last) == down[last]
        await person.press("pageup", "pageup")
        assert person.screen != down[last], "no page was turned"
        assert await after(person, "shift+tab", field=last - 1) == down[-2]


async def test_what_is_complained_about_is_shown_from_wherever_it_was_sent(
    authority_folder: Path,
) -> None:
    async with at_the_wizard(authority_folder, size=(40, 10)) as person:
        last = await to_the_form(person)
        await person.press("ctrl+s")
        complained = await after(person, field=0)
        assert "!!" in complained
        assert await after(person, *["tab"] * last, "ctrl+s", field=0) == complained
        for index in range(1, last + 1):
            await after(person, "tab", field=index)
        assert await after(person, "ctrl+s", field=0) == complained


async def test_at_the_design_size_nothing_scrolls(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        last = await to_the_form(person)
        await after(person, *["tab"] * last, field=last)
        assert person.app.screen.query_one(Body).max_scroll_y == 0
