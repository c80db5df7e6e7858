"""The wizard driven by its own keys: the real screens, card and service, without a person."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from screens.language import Language, Words
from screens.steps.receipt import receipt_rows
from screens.wizard import Step, Wizard, components_ready, pin_allowed
from tui.app import EXIT_UNEXPECTED, WizardApp
from tui.demo import ACCOUNT, PASSWORD, DemoBackends

if TYPE_CHECKING:
    from textual.pilot import Pilot

DEADLINE_SECONDS = 60.0  # for each step
KEY_SECONDS = 0.04  # between two characters; a faster burst is taken for a pasted block
SIZE = (80, 24)
FORM = (
    "new-nurse",
    "Autopilot-password-1",
    "測試員甲",
    "0000000000",
    "",
    " ",  # the choice after the first
    "nurse@example.invalid",
    "02-0000-0000",
)


class Stuck(Exception):
    """A step was not reached in time; `wizard` is where it stood."""

    def __init__(self, wizard: Wizard) -> None:
        self.wizard = wizard
        super().__init__()


class Driver:
    """Presses keys when the screen they are for is there."""

    def __init__(self, app: WizardApp, pilot: Pilot[object]) -> None:
        self._app = app
        self._pilot = pilot

    async def until(self, reached: Callable[[Wizard], bool]) -> None:
        """Wait for the state, and for the screen that shows it. Raises Stuck."""
        waited = 0.0
        while not (reached(self._app.wizard) and self._app.wizard.busy is None):
            if waited > DEADLINE_SECONDS or self._app.return_code is not None:
                raise Stuck(self._app.wizard)
            await asyncio.sleep(0.02)
            waited += 0.02
        await self._pilot.pause()

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def type(self, text: str) -> None:
        for character in text:
            await self._pilot.press(character)
            await asyncio.sleep(KEY_SECONDS)


async def register(driver: Driver, pin: str) -> None:
    """全新使用者: from the welcome screen to the receipt."""
    await _prove(driver, pin, "1")
    await driver.until(lambda now: now.step is Step.FORM)
    for text in FORM:
        await driver.type(text)
        await driver.press("enter")
    await driver.press("space", "ctrl+s")
    await driver.until(lambda now: now.receipt is not None)


async def rebind(driver: Driver, pin: str) -> None:
    """已有帳號: 綁定新憑證 IC 卡."""
    await _prove(driver, pin, "2")
    await driver.until(lambda now: now.step is Step.SIGN_IN)
    await driver.type(PASSWORD)
    await driver.press("enter")
    await driver.until(lambda now: now.session is not None)
    await driver.press("enter")
    await driver.until(lambda now: now.receipt is not None)


async def _prove(driver: Driver, pin: str, choice: str) -> None:
    await driver.until(lambda now: now.step is Step.WELCOME)
    await driver.press(choice)
    await driver.until(components_ready)
    await driver.press("enter")
    await driver.until(lambda now: now.step is Step.READER and bool(now.cards))
    await driver.press("enter")
    await driver.until(lambda now: now.step is Step.CARD and now.card is not None)
    await driver.press("1")
    if choice == "2":
        await driver.type(ACCOUNT)
        await driver.press("enter")
    await driver.until(pin_allowed)
    await driver.type(pin)
    await driver.press("enter")
    await driver.until(lambda now: now.step is Step.RESULT)
    await driver.press("enter")


def autopilot(purpose: str, backends: DemoBackends, language: Language) -> int:
    """Drive one flow; 0 only when the service's database has the binding of the receipt."""
    app = WizardApp(backends, language)
    last: list[Wizard] = []
    script = {"register": register, "rebind": rebind}[purpose]

    async def drive(pilot: Pilot[object]) -> None:
        try:
            await script(Driver(app, pilot), backends.pin)
        except Stuck as stuck:
            last.append(stuck.wizard)
        else:
            last.append(app.wizard)
        app.exit()

    app.run(headless=True, size=SIZE, auto_pilot=drive)
    if not last:
        return EXIT_UNEXPECTED
    wizard = last[0]
    if wizard.receipt is None:
        failure = wizard.failure.code if wizard.failure else "-"
        sys.stderr.write(f"autopilot: stopped at {wizard.step}, {failure}\n")
        return 1
    sys.stdout.write(receipt_rows(Words(language), wizard) + "\n")
    bound = _binding_exists(backends, wizard.receipt.id)
    sys.stdout.write(f"sqlite: {'bound' if bound else 'NOT BOUND'}\n")
    return 0 if bound else 1


def _binding_exists(backends: DemoBackends, receipt: str) -> bool:
    """Read the service's own file, not its word."""
    path = backends.sandbox.database
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        (count,) = database.execute(
            "SELECT count(*) FROM receipts JOIN bindings USING (account_id, card)"
            " WHERE receipts.id = ?",
            (receipt,),
        ).fetchone()
    finally:
        database.close()
    return bool(count == 1)
