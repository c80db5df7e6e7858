"""The real wizard without a terminal, and a person in front of it who presses keys.

The embedded readers, cards and service are the demo's: real APDUs, real TLS, real SQLite. The
person looks at the wizard, does what it asks for next, and stops where something went wrong.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.pad import VirtualPad
from card.virtual.profile import Profile
from client.https import HttpsService
from client.port import Service
from client.revocation.check import RevocationCheck
from screens.language import Language
from screens.wizard import Step, Wizard, components_ready, last_try_open, pad_allowed
from tui.app import WizardApp
from tui.demo import ACCOUNT, PASSWORD, DemoBackends
from tui.scenarios import SCENARIOS

DEADLINE = 30.0  # seconds for anything below; a limit, never a wait
AT_THE_KEYS = 0.2  # seconds, of the person at the reader
BETWEEN_KEYS = 0.035  # seconds; what comes faster is a pasted block to a secret field
FORM_ACCOUNT = "wang.test"
FORM_PASSWORD = "Invented-password-1"
FORM = ("王測試", "0000000000", "", "", "wang@example.invalid", "02-0000-0000")


def squeezed(text: str) -> str:
    """`text` without white space: lines break where the width wants it."""
    return "".join(text.split())


class QuickDemo(DemoBackends):
    """The demo with somebody at the reader's keys who is quick."""

    def pad(self) -> VirtualPad | None:
        pad = super().pad()
        return pad and replace(pad, after=AT_THE_KEYS)


class ImpatientDemo(QuickDemo):
    """That, with a client that gives the service four seconds instead of thirty."""

    def service(self) -> Service:
        return HttpsService(
            self.sandbox.url, ca_file=self.sandbox.ca_file, timeout=2.0, deadline=4.0
        )

    def revocation(self) -> RevocationCheck:
        if self._revocation is None:
            self._revocation = RevocationCheck(timeout=1.0, deadline=2.0, list_deadline=2.0)
        return self._revocation


class Person:
    """Someone at the keyboard; `cards` can be put in and pulled through `backends.embedded`."""

    def __init__(self, app: WizardApp, pilot: Pilot[int], backends: DemoBackends) -> None:
        self.app = app
        self.backends = backends
        self._pilot = pilot

    @property
    def wizard(self) -> Wizard:
        return self.app.wizard

    @property
    def code(self) -> str | None:
        """The stable code of the failure on the screen."""
        return self.wizard.failure.code if self.wizard.failure else None

    # --- looking ---

    @property
    def screen(self) -> str:
        """The screen's lines as a terminal would show them."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    def shows(self, text: str) -> bool:
        return squeezed(text) in squeezed(self.screen)

    async def until(self, reached: Callable[[], bool], what: str) -> None:
        """Wait for the state and for the screen that shows it; fail the test with that screen."""
        end = time.monotonic() + DEADLINE
        while not reached():
            if time.monotonic() > end or self.app.return_code is not None:
                pytest.fail(f"{what}: not in time; {self.wizard.step}, {self.code}\n{self.screen}")
            await asyncio.sleep(0.01)
        await self._pilot.pause()  # nobody types before the screen stands still

    async def sees(self, text: str) -> None:
        await self.until(lambda: self.shows(text), text)

    async def settled(self) -> None:
        """Until nothing runs in the background."""
        await self.until(lambda: self.wizard.busy is None, "the work's end")

    async def fails(self, code: str) -> None:
        await self.until(lambda: self.wizard.busy is None and self.code == code, code)

    async def at(self, step: Step) -> None:
        await self.until(lambda: self.wizard.busy is None and self.wizard.step is step, step)

    # --- typing ---

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def type(self, text: str, pause: float = BETWEEN_KEYS) -> None:
        """Characters into the field that has the focus."""
        for character in text:
            self.app.post_message(events.Key(character, character))
            await asyncio.sleep(pause)

    # --- doing what the wizard asks for ---

    async def go(self, to: Step = Step.RECEIPT, *, choice: str = "1", reader: int = 1) -> None:
        """Go on until `to` waits for the person, or something went wrong.

        `choice`: the line of the welcome screen; `reader`: of the reader list.
        """
        while True:
            await self.until(self._waits_for_me, "the wizard's next question")
            now = self.wizard
            if self.code is not None or now.step is to:
                return
            await self.act(choice, reader)
            await self.until(partial(self._moved_from, now), f"an effect at {now.step}")

    async def go_on(self, to: Step = Step.RECEIPT, *, choice: str = "1", reader: int = 1) -> None:
        """As `go`, from a failure that a PIN, a password or a key gets over."""
        now = self.wizard
        if self.code is not None:
            await self.act(choice, reader)
            await self.until(partial(self._moved_from, now), f"an effect at {now.step}")
        await self.go(to, choice=choice, reader=reader)

    async def again(self, key: str = "enter") -> None:
        """One key, and the end of what it starts."""
        before = self.wizard
        await self.press(key)
        await self.until(partial(self._moved_from, before), f"an effect of {key}")
        await self.settled()

    def _moved_from(self, before: Wizard) -> bool:
        return self.wizard != before

    def _waits_for_me(self) -> bool:
        """Nothing runs, and the step waits for the person rather than for a reader or a card."""
        now = self.wizard
        if now.busy is not None:
            return False
        match now.step:
            case _ if now.failure is not None:
                return True
            case Step.COMPONENTS:
                return components_ready(now)
            case Step.READER:
                return bool(now.cards)
            case Step.CARD:
                return now.card is not None and not now.card_gone
            case Step.PIN:
                return now.challenge is not None
            case _:
                return True

    async def act(self, choice: str, reader: int) -> None:
        now = self.wizard
        match now.step:
            case Step.WELCOME:
                await self.press(choice)
            case Step.READER:
                await self.press(str(reader))
            case Step.CARD:
                await self.press("1")
                if choice == "2" and not now.account:
                    await self.until(self._in_a_line, "the account's field")
                    await self.type(ACCOUNT, 0)
                    await self.press("enter")
            case Step.PIN if last_try_open(now):
                await self.type("yes")
            case Step.PIN if pad_allowed(now):
                await self.press("enter")
            case Step.PIN:
                await self.type(self.backends.pin)
                await self.press("enter")
            case Step.FORM if not now.undecided:
                await self.fill_form()
                await self.press("ctrl+s")
            case Step.SIGN_IN if now.session is None:
                await self.type(PASSWORD)
                await self.press("enter")
            case _:
                await self.press("enter")

    def _in_a_line(self) -> bool:
        return isinstance(self.app.screen.focused, Input)

    async def fill_form(self) -> None:
        for text in (FORM_ACCOUNT, FORM_PASSWORD, *FORM):
            await self.type(text, BETWEEN_KEYS if text == FORM_PASSWORD else 0)
            await self.press("enter")
        await self.press("space")

    # --- cards and their counters ---

    @property
    def card(self) -> VirtualCard:
        """The only card of the demo."""
        self.backends.embedded  # noqa: B018 - makes the cards
        (card,) = self.backends.cards
        return card

    def new_card(self, toml: str = "") -> VirtualCard:
        """Another good card of the same CA."""
        card = VirtualCard(Profile.parse(toml), self.backends.authority)
        self.backends.cards.append(card)
        return card

    @property
    def pins_sent(self) -> int:
        """VERIFY commands with a PIN that any of the cards ever got."""
        return sum(card.verify_count for card in self.backends.cards)

    # --- what the service has stored ---

    def rows(self, query: str) -> list[tuple[object, ...]]:
        path = self.backends.sandbox.database
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    @property
    def accounts(self) -> int:
        """Accounts besides the demo's own."""
        return len(self.rows(f"SELECT 1 FROM accounts WHERE account != '{ACCOUNT}'"))  # noqa: S608

    @property
    def bound(self) -> list[tuple[object, ...]]:
        """(receipt, account) for every card that is bound."""
        return self.rows(
            "SELECT receipts.id, account FROM bindings JOIN receipts USING (account_id, card)"
            " JOIN accounts ON accounts.id = account_id"
        )

    def nothing_bound(self) -> bool:
        return not self.rows("SELECT 1 FROM bindings UNION ALL SELECT 1 FROM receipts") and (
            self.accounts == 0
        )

    def bound_once(self) -> bool:
        """Is the receipt on the screen the one binding, and the only one ever made?"""
        receipt = self.wizard.receipt
        return (
            receipt is not None
            and self.bound == [(receipt.id, receipt.account)]
            and len(self.rows("SELECT 1 FROM receipts")) == 1
        )


@asynccontextmanager
async def at_the_wizard(
    authority: Path,
    scenario: str = "ok",
    *,
    language: Language = Language.ZH,
    size: tuple[int, int] = (80, 24),
    impatient: bool = False,
) -> AsyncIterator[Person]:
    """A person before the welcome screen of the demo; `authority` keeps the test CA.

    `impatient` is for who waits for a time-out; on a busy machine anybody else would meet one too.
    """
    backends = (ImpatientDemo if impatient else QuickDemo)(SCENARIOS[scenario])
    shutil.copytree(authority, backends.folder / "authority")
    app = WizardApp(backends, language)
    try:
        async with app.run_test(size=size) as pilot:
            yield Person(app, pilot, backends)
        assert app.unexpected is None
    finally:
        backends.close()


@pytest.fixture(scope="session")
def authority_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test CA of all these tests: its two keys take a while to make."""
    folder = tmp_path_factory.mktemp("authority")
    Authority.load_or_create(folder)
    return folder
