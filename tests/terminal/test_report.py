"""Secrets planted in every input, and the report searched for them in every form."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from marked_secrets import leaks
from person import ACCOUNT, PASSWORD, Person, at_the_wizard

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from screens.doctor_screen import ReportScreen
from screens.findings import ServiceChoice, Topic
from screens.prose import Prose
from screens.steps.step_screen import StepScreen
from screens.wizard import Failure, Step, Wizard
from tui.event_log import EventLog
from tui.scenarios import READER

pytestmark = pytest.mark.anyio
PIN, WRONG_PIN = "Mk7#qZw9", "Mk7#qZw8"
SECRETS = {
    "PIN": PIN,
    "wrong PIN": WRONG_PIN,
    "holder": "標記姓名甲",
    "label": "MARKED-LABEL",
    "serial": "MARKEDSERIAL77",
    "national ID": "A123987654",
    "account": ACCOUNT,
    "password": PASSWORD,
    "new account": "marked.account",
    "new password": "Marked-passw0rd-77",
    "name": "標記姓名乙",
    "mail": "marked@example.invalid",
    "login": "marked-login",
    "token": "marked-url-token",
    "URL password": "marked-url-password",
    "variable": "marked-variable",
}
PROFILE = f"""
label = "{SECRETS["label"]}"
serial = "{SECRETS["serial"]}"
[pin]
value = "{PIN}"
[certificate]
holder = "{SECRETS["holder"]} {SECRETS["national ID"]}"
"""


@pytest.fixture(autouse=True)
def marked_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / SECRETS["login"]
    home.mkdir()
    for name, value in {
        "HOME": str(home),
        "USER": SECRETS["login"],
        "LOGNAME": SECRETS["login"],
        "HCA_BIND_SECRET": SECRETS["variable"],
    }.items():
        monkeypatch.setenv(name, value)
    return home


def plant(person: Person, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marked card in the reader, and a marked address in the settings."""
    card = VirtualCard(Profile.parse(PROFILE), Authority.load_or_create(authority))
    person.backends.embedded.insert(READER, card)
    address = f"https://{SECRETS['login']}:{SECRETS['URL password']}@localhost/?{SECRETS['token']}"
    monkeypatch.setattr(person.backends, "choice", lambda: ServiceChoice(address, own_ca=True))


async def focused(person: Person, field: str) -> None:
    """Until what is typed goes into this field."""

    def there() -> bool:
        return person.app.focused is not None and person.app.focused.id == field

    await person.until(there, field)


async def reported(person: Person, home: Path) -> str:
    """What F8 shows, after it was saved; the same as in the file, which is its owner's alone."""
    await person.press("f8")
    await person.until(lambda: isinstance(person.app.screen, ReportScreen), "the report")
    screen = person.app.screen
    assert isinstance(screen, ReportScreen)
    await person.until(lambda: len(screen._findings) == len(Topic), "the doctor's end")
    shown = screen.query_one("#text", Prose).text
    assert not list(home.iterdir()), "saved before it was asked for"
    await person.press("enter")
    await person.until(lambda: bool(list(home.iterdir())), "the file")
    (file,) = home.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    saved = file.read_text("utf-8")
    assert saved in shown
    assert str(file) in screen.query_one("#text", Prose).text
    file.unlink()
    await person.press("escape")
    await person.until(lambda: isinstance(person.app.screen, StepScreen), "the step again")
    return saved


def live_secrets(now: Wizard) -> dict[str, str]:
    """What the service and the card made secret in this run."""
    found = {}
    if now.challenge is not None:
        found["nonce"] = now.challenge.nonce
    if now.verification is not None:
        found["verification"] = now.verification.id
    if now.session is not None:
        found["session"] = now.session.token
    if now.card is not None:
        found["certificate"] = now.card.certificate.der[-48:].hex()
    return found


async def test_no_planted_secret_is_in_the_report_of_a_rebinding(
    authority_folder: Path, marked_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_the_wizard(authority_folder) as person:
        plant(person, authority_folder, monkeypatch)
        await person.go(Step.PIN, choice="2")
        secrets = SECRETS | live_secrets(person.wizard)
        await person.type(WRONG_PIN)
        await person.press("enter")
        await person.fails("card.pin.wrong")
        text = await reported(person, marked_home)
        assert "card.pin.wrong" in text
        assert person.app.support_code(Failure("card.pin.wrong", {"tries_left": 2})) in text
        assert leaks(text, secrets) == []
        await person.type(PIN)
        await person.press("enter")
        await person.at(Step.RESULT)
        await person.press("enter")
        await focused(person, "password")
        await person.type(PASSWORD)
        await person.press("enter")
        await person.until(lambda: person.wizard.session is not None, "the sign-in")
        secrets |= live_secrets(person.wizard)
        text = await reported(person, marked_home)
        assert "sign-in" in text
        assert leaks(text, secrets) == []


async def test_no_planted_secret_is_in_the_report_of_a_registration(
    authority_folder: Path, marked_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_the_wizard(authority_folder) as person:
        plant(person, authority_folder, monkeypatch)
        await person.go(Step.PIN, choice="1")
        await person.type(PIN)
        await person.press("enter")
        await person.at(Step.RESULT)
        await person.press("enter")
        await focused(person, "field-0")
        fields = ("new account", "new password", "name", "national ID")
        for name in fields:
            await person.type(SECRETS[name])
            await person.press("enter")
        text = await reported(person, marked_home)
        assert "form" in text
        assert leaks(text, SECRETS | live_secrets(person.wizard)) == []


async def test_the_log_keeps_no_fact_of_a_failure_and_is_bounded() -> None:
    log = EventLog(limit=3)
    base = Wizard(step=Step.FORM, account=SECRETS["account"])
    for number in range(9):
        code = "service.form.invalid" if number % 2 else "net.lost"
        log.note(replace(base, failure=Failure(code, {"fields": SECRETS["name"]})))
    log.note(replace(base, failure=Failure("net.lost", {"host": "other"})))
    assert len(log.events) == 3
    assert leaks("\n".join(map(str, log.events)), SECRETS) == []
    assert str(log.events[-1]).endswith("net.lost")
