"""Draws the README's pictures with the program itself: `make pictures`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from screens.language import Language
from screens.wizard import Step, components_ready, pin_allowed
from tui.app import WizardApp
from tui.autopilot import Driver
from tui.demo import DemoBackends
from tui.scenarios import SCENARIOS

if TYPE_CHECKING:
    from textual.pilot import Pilot

FOLDER = Path(__file__).parents[1] / "screens" / "pictures"
SIZE = (80, 24)


def draw(language: Language, names: dict[Step, str]) -> None:
    """Walk to the PIN and export each named step on the way as SVG."""
    backends = DemoBackends(SCENARIOS["ok"])
    app = WizardApp(backends, language)

    def export(step: Step) -> None:
        if step in names:
            svg = app.export_screenshot(title="hca-bind")
            svg = re.sub(r"localhost:\d+", "localhost:8443", svg)
            svg = re.sub(r"terminal-\d+", "terminal", svg)
            (FOLDER / names[step]).write_text(svg, "utf-8")

    async def drive(pilot: Pilot[object]) -> None:
        driver = Driver(app, pilot)
        await driver.until(lambda now: now.step is Step.WELCOME)
        export(Step.WELCOME)
        await driver.press("1")
        await driver.until(components_ready)
        await driver.press("enter")
        await driver.until(lambda now: now.step is Step.READER and bool(now.cards))
        await driver.press("enter")
        await driver.until(lambda now: now.step is Step.CARD and now.card is not None)
        await driver.press("1")
        await driver.until(pin_allowed)
        export(Step.PIN)
        app.exit()

    try:
        app.run(headless=True, size=SIZE, auto_pilot=drive)
    finally:
        backends.close()


FOLDER.mkdir(exist_ok=True)
draw(Language.ZH, {Step.WELCOME: "welcome.svg", Step.PIN: "pin.svg"})
draw(Language.EN, {Step.PIN: "pin-en.svg"})
