"""The screens for finding out what is wrong: remedy, search, doctor, and the guide for support."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from person import Person, at_the_wizard
from textual.widgets import Input

from card.virtual.authority import Authority
from screens.doctor_screen import DoctorScreen
from screens.findings import Topic
from screens.frame import FramedScreen
from screens.guide.contents import met_at
from screens.guide.guide_screen import GuideScreen, StepGuideScreen
from screens.language import Language, Words
from screens.menu import Menu
from screens.prose import Prose
from screens.steps.step_screen import StepScreen
from screens.troubleshooting.catalogue import entry, fill
from screens.troubleshooting.remedy_screen import DecodedScreen, RemedyScreen
from screens.troubleshooting.search_screen import MATCHED, SearchScreen
from screens.troubleshooting.support_code import Attachment, Backend, SupportFacts, decode
from screens.wizard import STEP_NAMES, Step, step_to_check
from tui.demo import DemoBackends
from tui.guide import guide
from tui.scenarios import READER, SCENARIOS

pytestmark = pytest.mark.anyio
SIZES = [(80, 24), (60, 20), (40, 10)]


async def on(person: Person, kind: type[FramedScreen]) -> None:
    await person.until(lambda: isinstance(person.app.screen, kind), kind.__name__)


def written(person: Person) -> str:
    """All of the screen's text, what is scrolled away too; empty before there is any."""
    return "\n".join(prose.text for prose in person.app.screen.query("#text").results(Prose))


async def reads(person: Person, *texts: str) -> None:
    for text in texts:
        await person.until(lambda text=text: text in written(person), text)


# --- a failure and its support code --------------------------------------------------------------


@pytest.mark.parametrize("language", Language)
async def test_a_failure_shows_a_support_code_that_tells_its_state(
    authority_folder: Path, language: Language
) -> None:
    async with at_the_wizard(authority_folder, "held", language=language) as person:
        await person.go()
        failure = person.wizard.failure
        assert failure is not None
        code = person.app.support_code(failure)
        await person.sees(Words(language)("Support code: {code}", code=code))
        facts = decode(code)
        assert (facts.code, facts.step) == ("card.reader.held", Step.CARD)
        assert (facts.readers, facts.cards, facts.language) == (1, 1, language)
        assert (facts.attachment, facts.backend) == (Attachment.EMBEDDED, Backend.NONE)
        await person.press("f2")
        await on(person, RemedyScreen)
        await reads(person, code)


async def test_a_wrong_pin_tells_the_tries_in_its_code(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await person.go(Step.PIN)
        await person.type("Wrong-1!")
        await person.press("enter")
        await person.fails("card.pin.wrong")
        failure = person.wizard.failure
        assert failure is not None

        def facts() -> SupportFacts:
            return decode(person.app.support_code(failure))

        assert facts().tries_left == 2
        await person.until(lambda: facts().backend is Backend.VIRTUAL, "how the reader is attached")


async def test_enter_on_the_remedy_checks_again_where_the_remedy_happens(
    authority_folder: Path,
) -> None:
    async with at_the_wizard(authority_folder, "held") as person:
        await person.go()
        link = entry("card.reader.held").link
        assert link is Step.READER
        assert step_to_check(person.wizard, link) is Step.READER
        await person.press("f2")
        await on(person, RemedyScreen)
        person.backends.embedded.hold(READER, held=False)
        await person.press("enter")
        await person.at(Step.READER)
        await person.go(Step.PIN)
        assert person.code is None


# --- the search ----------------------------------------------------------------------------------


async def searching(person: Person, text: str) -> None:
    await person.press("3")
    await on(person, SearchScreen)
    await person.until(lambda: isinstance(person.app.focused, Input), "the field")
    await person.type(text, 0)
    await person.until(lambda: person.app.screen.query_one(Input).value == text, text)


async def test_the_matched_message_is_marked(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder) as person:
        await searching(person, "SMARTCARD CONNECTION FAIL")
        menu = person.app.screen.query_one("#found", Menu)
        best = menu._lines[0]
        assert "web.2" in best.plain
        marked = [best.plain[span.start : span.end] for span in best.spans if span.style == MATCHED]
        assert [text.upper() for text in marked] == ["SMART CARD CONNECTION FAIL"]
        await person.press("enter")
        await on(person, RemedyScreen)
        await reads(person, "web.2")


async def test_a_message_that_means_nothing_here_has_no_match(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder, language=Language.EN) as person:
        await searching(person, "the weather is fine today")
        assert person.shows("No match")
        await person.press("enter")
        assert isinstance(person.app.screen, SearchScreen)


async def test_a_support_code_is_read_in_the_search(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder, "held", language=Language.EN) as person:
        await person.go()
        assert person.wizard.failure is not None
        code = person.app.support_code(person.wizard.failure)
    async with at_the_wizard(authority_folder, language=Language.EN) as person:
        await searching(person, code.lower().replace("-", " "))
        assert person.shows("A support code")
        await person.press("enter")
        await on(person, DecodedScreen)
        await reads(person, "card.reader.held", "Step: Card", "Readers: 1", "Cards: 1")
        await person.press("escape")
        await on(person, SearchScreen)


@asynccontextmanager
async def small(authority: Path, size: tuple[int, int]) -> AsyncIterator[Person]:
    """The guide on a terminal of this size, with a person before it."""
    backends = DemoBackends(SCENARIOS["ok"])
    Authority.load_or_create(authority)
    app = guide(backends, Language.ZH)
    try:
        async with app.run_test(size=size) as pilot:
            yield Person(app, pilot, backends)
        assert app.unexpected is None
    finally:
        backends.close()


@pytest.mark.parametrize("size", SIZES)
async def test_every_result_can_be_reached_with_the_arrows(
    authority_folder: Path, size: tuple[int, int]
) -> None:
    async with small(authority_folder, size) as person:
        await person.press("f2")
        await on(person, SearchScreen)
        await person.type("smart card", 0)
        menu = person.app.screen.query_one("#found", Menu)
        await person.until(lambda: len(menu._lines) > 3, "results")
        await person.press("down")
        await person.until(lambda: menu.has_focus, "the list")
        for index in range(1, len(menu._lines)):
            await person.press("down")
            await person.until(lambda index=index: menu.index == index, f"line {index}")
            title = menu._lines[index].plain.partition("  (")[0]
            await person.sees(title[:12])


# --- the doctor ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", Language)
async def test_the_doctor_looks_and_looks_again(authority_folder: Path, language: Language) -> None:
    _ = Words(language)
    async with at_the_wizard(authority_folder, "held", language=language) as person:
        await person.press("f9")
        await on(person, DoctorScreen)
        screen = person.app.screen
        assert isinstance(screen, DoctorScreen)
        await person.until(lambda: len(screen._findings) == len(Topic), "the doctor's end")
        await reads(person, fill(entry("card.reader.held").title, {}, language))
        person.backends.embedded.hold(READER, held=False)
        await person.press("enter")
        await person.until(lambda: "card.reader.held" not in written(person), "a second look")
        await person.until(lambda: len(screen._findings) == len(Topic), "its end")
        assert person.pins_sent == 0
        await person.press("escape")
        await on(person, StepScreen)


# --- the guide -----------------------------------------------------------------------------------


async def test_the_guide_shows_the_very_screens_in_both_languages(authority_folder: Path) -> None:
    async with small(authority_folder, (80, 24)) as person:
        await on(person, GuideScreen)
        for number, step in enumerate(Step, 1):
            await person.press(str(number))
            await on(person, StepGuideScreen)
            await person.press("1")
            await on(person, StepScreen)
            name = type(person.app.screen).__name__
            assert name == "".join(p.capitalize() for p in step.value.split("-")) + "Screen"
            await person.sees("F3English")
            title = Words(Language.EN)(STEP_NAMES[step])
            await person.press("f3")
            await person.sees("F3中文")
            assert person.shows(title) or step is Step.WELCOME
            await person.press("f3")
            await person.sees("F3English")
            assert not person.shows("F3中文")
            await person.press("escape")
            await on(person, StepGuideScreen)
            await person.press("escape")
            await on(person, GuideScreen)


async def test_the_guide_shows_what_can_go_wrong_as_the_user_sees_it(
    authority_folder: Path,
) -> None:
    async with small(authority_folder, (80, 24)) as person:
        await person.press("5")
        await on(person, StepGuideScreen)
        await person.press("2")
        await on(person, StepScreen)
        code = met_at(Step.PIN)[0].id
        await person.sees(fill(entry(code).title, {}, Language.ZH))
        await person.press("f2")
        await on(person, RemedyScreen)
        await reads(person, code)


async def test_walking_through_the_guide_sends_nothing_and_ends_in_it(
    authority_folder: Path,
) -> None:
    async with small(authority_folder, (80, 24)) as person:
        await person.press("1")
        await on(person, StepGuideScreen)
        await person.press("1")
        await person.until(lambda: person.wizard.step is Step.WELCOME, "the first screen")
        await on(person, StepScreen)
        await person.press("2")
        for step in (Step.COMPONENTS, Step.READER, Step.CARD):
            await person.at(step)
            await person.press("enter")
            if step is Step.CARD and person.wizard.step is step:
                await person.type("someone", 0)
                await person.press("enter")
        await person.at(Step.PIN)
        await person.type("Typed-1!")
        await person.press("enter")
        await person.at(Step.RESULT)
        await person.press("enter")
        await person.at(Step.SIGN_IN)
        assert person.backends.cards == []


async def test_the_guide_searches_and_decodes(authority_folder: Path) -> None:
    async with small(authority_folder, (80, 24)) as person:
        for screen in (GuideScreen, StepGuideScreen):
            await on(person, screen)
            await person.press("f2")
            await on(person, SearchScreen)
            await person.press("escape")
            await on(person, screen)
            await person.press("2")


async def test_f8_and_f9_work_from_the_guide(authority_folder: Path) -> None:
    async with small(authority_folder, (80, 24)) as person:
        await person.press("f9")
        await on(person, DoctorScreen)
        await person.press("f9")
        await on(person, GuideScreen)
