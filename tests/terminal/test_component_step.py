"""The component step on the screen: what is missing, its download, and the installation."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import Person, at_the_wizard

from client.sandbox.components import PRACTICE_SIZE
from client.sandbox.faults import Fault
from screens.language import Language
from screens.offers import Transfer
from screens.troubleshooting.remedy import words_for
from screens.wizard import Component, Step, Wizard, Work, components_ready
from tui.installation import Rights
from tui.scenarios import SCENARIOS

pytestmark = pytest.mark.anyio

MODULE = "libpractice-pkcs11.so"
# What each scenario ends in: at the check, or once the download was started with Enter.
AT_THE_CHECK = {
    "list-missing": "component.manifest.missing",
    "list-tampered": "component.manifest.signature",
    "list-foreign": "component.manifest.foreign",
    "list-expired": "component.manifest.expired",
    "list-replayed": "component.manifest.rollback",
    "list-malformed": "component.manifest.malformed",
}
AT_THE_DOWNLOAD = {
    "component-cut": "net.lost",
    "component-gone": "component.file.missing",
    "component-size": "component.file.size",
    "component-other": "component.file.hash",
}
DONE = {"component-missing", "component-slow", "component-break", "component-replaced"}


async def sees(person: Person, text: str) -> None:
    await person.until(lambda: person.shows(text), text)


async def explained(person: Person) -> None:
    """Until title and first step of the failure are on the screen."""
    failure = person.wizard.failure
    assert failure is not None
    remedy = words_for(failure.code, failure.facts, person.app.words)
    await person.until(
        lambda: person.shows(remedy.title) and person.shows(remedy.steps[0]), "the remedy"
    )


def folder_of(person: Person) -> Path:
    return person.backends.folder


def right_files(person: Person) -> list[Path]:
    """Everything below the demo's folder that has the component's name and is not the service's."""
    return [
        path
        for path in folder_of(person).rglob(f"*{MODULE}")
        if (folder_of(person) / "service") not in path.parents
    ]


async def check(person: Person) -> None:
    await person.press("1")
    await person.at(Step.COMPONENTS)


async def planned(person: Person) -> None:
    await person.until(lambda: person.wizard.plan is not None, "the plan")


def test_every_scenario_with_a_component_is_expected() -> None:
    missing = {name for name, scenario in SCENARIOS.items() if scenario.missing}
    assert {*AT_THE_CHECK, *AT_THE_DOWNLOAD, *DONE} == missing


async def test_from_missing_to_installed_with_a_break_in_between(authority_folder: Path) -> None:
    """Progress on the screen, Esc, on from there, the plan, a yes, the check, on to the PIN."""
    async with at_the_wizard(authority_folder, "component-slow", language=Language.EN) as person:
        seen: list[Transfer] = []
        remember(person, seen)
        await check(person)
        assert person.code == "card.module.missing"
        await sees(person, "card module for practice (1.0.0, 3.0 MiB, MIT)")

        await person.press("enter")
        await person.until(lambda: bool(seen) and seen[-1].done > 0, "some progress")
        assert person.wizard.busy is Work.DOWNLOADING
        await sees(person, "[")
        await sees(person, "/ 3.0 MiB")
        await sees(person, "Esc Cancel")
        await person.until(lambda: seen[-1].left is not None, "the time left")
        await sees(person, "KiB/s")
        await sees(person, "left")
        await person.press("escape")
        await person.until(lambda: person.wizard.busy is None, "the end of the download")
        assert right_files(person) == []
        reached = max(transfer.done for transfer in seen)
        assert 0 < reached < PRACTICE_SIZE

        person.backends.sandbox.faults.clear()
        seen.clear()
        await person.press("enter")
        await planned(person)
        assert min(transfer.done for transfer in seen) >= reached
        plan = person.wizard.plan
        assert plan is not None
        for command in plan.commands:
            await sees(person, command)
        modules = folder_of(person) / "modules"
        assert not modules.exists()  # shown, and not run before a yes

        await person.press("enter")
        await person.until(lambda: components_ready(person.wizard), "the check run again")
        assert (modules / MODULE).stat().st_size == PRACTICE_SIZE
        await sees(person, MODULE)
        await person.go(Step.PIN)
        assert person.code is None


def remember(person: Person, seen: list[Transfer]) -> None:
    """Note every transfer that the screen is given."""
    engine = person.app.engine
    told = engine._changed

    def changed(old: Wizard, new: Wizard) -> None:
        if new.transfer is not None and new.transfer is not old.transfer:
            seen.append(new.transfer)
        told(old, new)

    engine._changed = changed


@pytest.mark.parametrize("name", AT_THE_CHECK)
async def test_a_list_that_is_refused(authority_folder: Path, name: str) -> None:
    async with at_the_wizard(authority_folder, name) as person:
        await check(person)
        assert person.code == AT_THE_CHECK[name]
        assert person.wizard.offers == ()
        await explained(person)
        person.backends.sandbox.faults.clear()
        await person.again()
        assert person.code == "card.module.missing"
        assert len(person.wizard.offers) == 1


@pytest.mark.parametrize("name", AT_THE_DOWNLOAD)
async def test_a_file_that_is_refused(authority_folder: Path, name: str) -> None:
    async with at_the_wizard(authority_folder, name) as person:
        await check(person)
        await person.press("enter")
        await person.fails(AT_THE_DOWNLOAD[name])
        await explained(person)
        assert right_files(person) == []
        assert person.wizard.plan is None
        person.backends.sandbox.faults.clear()
        await person.press("enter")
        await planned(person)


@pytest.mark.parametrize("name", sorted(DONE - {"component-slow"}))
async def test_a_trouble_that_the_download_gets_over(authority_folder: Path, name: str) -> None:
    async with at_the_wizard(authority_folder, name) as person:
        await check(person)
        await person.press("enter")
        await planned(person)
        await person.press("enter")
        await person.until(lambda: components_ready(person.wizard), "the check run again")


async def test_without_rights_the_commands_are_for_an_administrator(
    authority_folder: Path,
) -> None:
    async with at_the_wizard(authority_folder, "component-missing", language=Language.EN) as person:
        person.backends.equipment().rights = Rights.NONE
        await check(person)
        await person.press("enter")
        await planned(person)
        await sees(person, "An administrator has to run this:")
        await sees(person, "sudo install -m 0755")
        await person.again()  # Enter looks again, and runs nothing
        assert not (folder_of(person) / "modules").exists()
        assert person.code == "card.module.missing"


async def test_a_plan_can_be_declined(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder, "component-missing") as person:
        await check(person)
        await person.press("enter")
        await planned(person)
        await person.again("escape")
        assert person.wizard.step is Step.COMPONENTS
        assert not components_ready(person.wizard)
        assert not (folder_of(person) / "modules").exists()


async def test_a_download_that_was_spoilt_is_fetched_anew_before_it_is_installed(
    authority_folder: Path,
) -> None:
    async with at_the_wizard(authority_folder, "component-missing") as person:
        await check(person)
        await person.press("enter")
        await planned(person)
        (cached,) = (folder_of(person) / "cache").glob(f"*{MODULE}")
        right = cached.read_bytes()
        cached.write_bytes(b"x" * len(right))
        await person.press("enter")
        await person.until(lambda: components_ready(person.wizard), "the installation")
        assert (folder_of(person) / "modules" / MODULE).read_bytes() == right


async def test_an_installation_that_fails_is_explained(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder, "component-missing") as person:
        await check(person)
        await person.press("enter")
        await planned(person)
        (folder_of(person) / "modules").write_text("in the way")
        await person.press("enter")
        await person.fails("component.install.failed")
        await explained(person)
        assert person.wizard.plan is None


async def test_the_check_can_be_run_again_at_any_time(authority_folder: Path) -> None:
    async with at_the_wizard(authority_folder, "component-missing") as person:
        await check(person)
        rows = {row.component: row for row in person.wizard.checks}
        assert rows[Component.LIST].failure is None
        assert rows[Component.MODULE].failure is not None
        person.backends.sandbox.faults.add(Fault.MANIFEST_MISSING)
        await person.again("f5")
        assert person.code == "component.manifest.missing"
