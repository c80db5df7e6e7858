"""The same job line by line: every exit status, and the stable code behind it.

pcscd, the sandbox and `hca-bind` are processes of their own. The card lies in vpcd's reader by a
thread of this one, so that its own counters say how often it was sent a PIN.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from parts import (
    ACCOUNT,
    HCA_BIND,
    PASSWORD,
    PIN,
    WRONG_PIN,
    Service,
    card_in_reader,
    pins_sent,
    service,
    trace,
)
from pcscd import READERS, Pcscd
from terminal import Terminal

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from screens.language import Language, Words

DONE, REFUSED, USAGE, ENVIRONMENT, CANCELLED = range(5)
SECONDS = 60
EC = '[key]\ntype = "EC"\n'  # its keys are quick to make; the flows on RSA are in test_binding
HOLDER = "測試員甲"
_ = Words(Language.ZH)
FORM = """
account = "{account}"
password = "Invented-password-1"
name = "王測試"
institution = "{institution}"
title = "nurse"
email = "wang@example.invalid"
phone = "02-0000-0000"
consent = true
"""


@dataclass(frozen=True)
class Ran:
    """How one `hca-bind` ended; `events` are its JSON lines."""

    status: int
    events: list[dict[str, object]]
    output: bytes

    @property
    def code(self) -> object:
        """The stable code of the error that it ended with."""
        assert self.events[-1]["event"] == "error", self.events
        return self.events[-1]["code"]

    def event(self, name: str) -> dict[str, object]:
        (found,) = (event for event in self.events if event["event"] == name)
        return found


@dataclass(frozen=True)
class Desk:
    """What a command needs: the daemon's socket, the service, the CA, and room for files."""

    pcscd: Pcscd
    service: Service
    authority: Authority
    folder: Path

    def card(self, toml: str = "") -> VirtualCard:
        return VirtualCard(Profile.parse(toml + EC), self.authority)

    def form(self, account: str, institution: str = "0000000000") -> str:
        file = self.folder / "form.toml"
        file.write_text(FORM.format(account=account, institution=institution), "utf-8")
        return str(file)

    def run(
        self, *arguments: str, pin: str | None = PIN, password: str | None = None, ca: bool = True
    ) -> Ran:
        """One command with nobody at a terminal; `pin` and `password` come from descriptors."""
        options = self.service.options if ca else ["--service", self.service.url]
        command = [HCA_BIND, *arguments, *options, "--json"]
        with ExitStack() as opened:
            fds = []
            for name, secret in (("--pin-fd", pin), ("--password-fd", password)):
                if secret is not None:
                    read, write = os.pipe()
                    opened.callback(os.close, read)
                    os.write(write, secret.encode() + b"\n")
                    os.close(write)
                    command += [name, str(read)]
                    fds.append(read)
            done = subprocess.run(
                command,
                env=self.pcscd.environment,
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                start_new_session=True,  # without a controlling terminal
                timeout=SECONDS,
                check=False,
            )
        assert not done.stderr, done.stderr.decode()
        for secret in filter(None, (pin, password)):
            assert secret.encode() not in done.stdout
        events = [json.loads(line) for line in done.stdout.decode().splitlines()]
        return Ran(done.returncode, events, done.stdout)

    def terminal(self, *arguments: str) -> Terminal:
        """One command with a person at a terminal."""
        return Terminal([HCA_BIND, *arguments, *self.service.options], self.pcscd.environment)


@pytest.fixture
def desk(pcscd: Pcscd, sandbox: Service, authority_folder: Path, tmp_path: Path) -> Desk:
    return Desk(pcscd, sandbox, Authority.load_or_create(authority_folder), tmp_path)


# --- 0: done -------------------------------------------------------------------------------------


def test_verify(desk: Desk) -> None:
    file = desk.folder / "trace"
    with card_in_reader(desk.pcscd, desk.card()) as card:
        ran = desk.run("verify", "--trace", str(file))
        assert ran.status == DONE
        assert [event["event"] for event in ran.events] == ["service", "card", "tries", "verified"]
        assert ran.event("card")["reader"] == READERS[0]
        assert ran.event("verified")["holder"] == HOLDER
        assert ran.event("tries")["left"] == 3
        assert card.verify_count == 1
        rows = trace(file)
        assert len(rows) == card.transmitted
    assert pins_sent(rows) == 1
    assert file.stat().st_mode & 0o077 == 0
    assert {key for row in rows for key in row} == {"ins", "p1", "p2", "lc", "le", "sw", "ms"}
    assert PIN.encode() not in file.read_bytes()
    assert PIN.encode().hex() not in file.read_text("ascii").lower()


def test_bind_a_new_account(desk: Desk) -> None:
    with card_in_reader(desk.pcscd, desk.card()) as card:
        ran = desk.run("bind", "--purpose", "register", "--form", desk.form("line.register"))
        assert ran.status == DONE
        assert card.verify_count == 1
    receipt = ran.event("receipt")
    assert desk.service.bindings("line.register") == [(receipt["id"], "register", HOLDER)]
    assert b"Invented-password-1" not in ran.output


def test_bind_a_new_card(desk: Desk) -> None:
    with card_in_reader(desk.pcscd, desk.card()) as card:
        ran = desk.run("bind", "--purpose", "rebind", "--account", ACCOUNT, password=PASSWORD)
        assert ran.status == DONE
        assert card.verify_count == 1
    receipt = ran.event("receipt")
    assert desk.service.bindings(ACCOUNT) == [(receipt["id"], "rebind", HOLDER)]


def test_the_reader_that_is_named(desk: Desk) -> None:
    """Two cards at once, as beside the hospital information system: only the named one is used."""
    with (
        card_in_reader(desk.pcscd, desk.card('kind = "foreign"\n')) as other,
        card_in_reader(desk.pcscd, desk.card(), 1) as card,
    ):
        before = other.transmitted
        ran = desk.run("verify", "--reader", READERS[1])
        assert ran.status == DONE
        assert card.verify_count == 1
        assert other.transmitted == before
        unknown = desk.run("verify", "--reader", "No Such Reader")
        assert (unknown.status, unknown.code) == (ENVIRONMENT, "card.reader.unknown")


# --- 1: refused by the card or the service -------------------------------------------------------


def test_a_wrong_pin_is_sent_once(desk: Desk) -> None:
    with card_in_reader(desk.pcscd, desk.card()) as card:
        ran = desk.run("verify", pin=WRONG_PIN)
        assert (ran.status, ran.code) == (REFUSED, "card.pin.wrong")
        assert ran.events[-1]["facts"] == {"tries_left": 2}
        assert ran.events[-1]["title"]
        assert ran.events[-1]["steps"]
        assert (card.verify_count, card.tries_left) == (1, 2)


@pytest.mark.parametrize(
    ("toml", "code"),
    [
        ("[pin]\ntries_left = 0\n", "card.pin.blocked"),
        ("[pin]\ntries_left = 1\n", "card.pin.last-try"),
        ("[certificate]\nnot_before = -9\nnot_after = -1\n", "card.certificate.expired"),
        ('kind = "foreign"\n', "card.kind.unknown"),
        ("[pin]\nminimum = 12\nmaximum = 16\nvalue = 'Test-Test-Test'\n", "card.pin.length"),
    ],
)
def test_a_card_that_is_asked_no_pin(desk: Desk, toml: str, code: str) -> None:
    """Nothing is sent, whatever stands in the pipe."""
    with card_in_reader(desk.pcscd, desk.card(toml)) as card:
        tries = card.tries_left
        ran = desk.run("bind", "--purpose", "register", "--form", desk.form("line.refused"))
        assert (ran.status, ran.code) == (REFUSED, code)
        assert (card.verify_count, card.tries_left) == (0, tries)
    assert desk.service.bindings("line.refused") == []


def test_the_last_try_confirmed(desk: Desk) -> None:
    with card_in_reader(desk.pcscd, desk.card("[pin]\ntries_left = 1\n")) as card:
        assert desk.run("verify", "--confirm-last-try").status == DONE
        assert (card.verify_count, card.tries_left) == (1, 3)


def test_what_the_service_refuses(desk: Desk) -> None:
    """A wrong password, an account that is taken: nothing is bound, and each says its own code."""
    before = desk.service.rows("SELECT * FROM bindings")
    with card_in_reader(desk.pcscd, desk.card()):
        wrong = desk.run(
            "bind", "--purpose", "rebind", "--account", ACCOUNT, password="Not-the-password-1"
        )
        assert (wrong.status, wrong.code) == (REFUSED, "service.sign-in.refused")
        taken = desk.run("bind", "--purpose", "register", "--form", desk.form(ACCOUNT))
        assert (taken.status, taken.code) == (REFUSED, "service.account.exists")
    assert desk.service.rows("SELECT * FROM bindings") == before


# --- 2: usage ------------------------------------------------------------------------------------


def test_a_form_field_that_is_wrong(desk: Desk) -> None:
    with card_in_reader(desk.pcscd, desk.card()):
        form = desk.form("line.wrong", institution="12345")
        ran = desk.run("bind", "--purpose", "register", "--form", form)
    assert (ran.status, ran.code) == (USAGE, "app.form.field")
    assert ran.events[-1]["facts"] == {"field": "institution"}
    assert desk.service.bindings("line.wrong") == []


def test_a_form_file_that_cannot_be_read(desk: Desk) -> None:
    ran = desk.run("bind", "--purpose", "register", "--form", str(desk.folder / "none.toml"))
    assert (ran.status, ran.code) == (USAGE, "app.file")


def test_nobody_to_ask_for_the_pin(desk: Desk) -> None:
    with card_in_reader(desk.pcscd, desk.card()) as card:
        ran = desk.run("verify", pin=None)
        assert (ran.status, ran.code) == (USAGE, "app.terminal.none")
        assert card.verify_count == 0


# --- 3: environment ------------------------------------------------------------------------------


def test_no_card(desk: Desk) -> None:
    ran = desk.run("verify")
    assert (ran.status, ran.code) == (ENVIRONMENT, "card.absent")


def test_no_daemon(desk: Desk) -> None:
    desk.pcscd.stop()
    ran = desk.run("verify")
    # The tests name the daemon's socket, as a thin client's forward does: that one is not there.
    assert (ran.status, ran.code) == (ENVIRONMENT, "pcsc.socket.missing")


@pytest.fixture
def no_readers(pcscd_home: Pcscd) -> Iterator[None]:
    pcscd_home.stop()
    pcscd_home.start(readers=False)
    yield
    pcscd_home.stop()


def test_no_reader(no_readers: None, desk: Desk) -> None:
    ran = desk.run("verify")
    assert (ran.status, ran.code) == (ENVIRONMENT, "card.reader.none")


def test_a_certificate_that_nobody_here_trusts(desk: Desk) -> None:
    with card_in_reader(desk.pcscd, desk.card()) as card:
        before = card.transmitted
        ran = desk.run("verify", ca=False)
        assert (ran.status, ran.code) == (ENVIRONMENT, "net.tls.untrusted")
        assert card.transmitted == before


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("service-down", ENVIRONMENT, "service.unavailable"),
        ("service-nonsense", REFUSED, "service.nonsense"),
        ("challenge-expired", REFUSED, "service.challenge.expired"),
        ("challenge-used", REFUSED, "service.challenge.used"),
    ],
)
def test_a_service_in_trouble(
    desk: Desk, authority_folder: Path, fault: str, status: int, code: str
) -> None:
    with (
        service(desk.folder / "service", authority_folder, faults=[fault]) as troubled,
        card_in_reader(desk.pcscd, desk.card()) as card,
    ):
        there = Desk(desk.pcscd, troubled, desk.authority, desk.folder)
        ran = there.run("bind", "--purpose", "register", "--form", desk.form("line.trouble"))
        assert (ran.status, ran.code) == (status, code)
        assert card.verify_count == (1 if code.startswith("service.challenge.") else 0)
        assert troubled.rows("SELECT * FROM bindings") == []


# --- whether the certificate was revoked ---------------------------------------------------------


@pytest.fixture
def asking(
    desk: Desk,
    authority_folder: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    """A service that wants certificates looked up, and settings that name the cards' CA."""
    way, *faults = request.param
    settings = desk.folder / "hca-bind" / "settings.toml"
    settings.parent.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(desk.folder))
    issuing = desk.folder / "issuing.pem"
    issuing.write_bytes(desk.authority.issuing_pem)
    settings.write_text(f'[card]\nanchors = ["{issuing}"]\n', "utf-8")
    with service(
        desk.folder / "asking", authority_folder, faults=faults, revocation=way
    ) as running:
        authority = Authority.load_or_create(authority_folder, running.responder)
        yield Desk(desk.pcscd, running, authority, desk.folder)


@pytest.mark.parametrize("asking", [["ocsp"], ["crl"]], indirect=True, ids=["ocsp", "crl"])
def test_looked_up_before_the_pin(asking: Desk) -> None:
    with card_in_reader(asking.pcscd, asking.card("[certificate]\nstatus = 'good'\n")) as card:
        ran = asking.run("verify")
        assert ran.status == DONE
        assert [event["event"] for event in ran.events][:4] == [
            "service",
            "card",
            "status",
            "tries",
        ]
        assert ran.event("status")["status"] == "good"
        assert card.verify_count == 1
    for status in ("revoked", "on-hold"):
        toml = f"[certificate]\nstatus = '{status}'\n"
        with card_in_reader(asking.pcscd, asking.card(toml)) as card:
            ran = asking.run("verify")
            assert (ran.status, ran.code) == (REFUSED, f"revocation.{status}")
            assert (card.verify_count, card.tries_left) == (0, 3)


@pytest.mark.parametrize("asking", [["ocsp"]], indirect=True)
def test_looked_up_by_the_word_of_a_root_and_the_ca_on_the_card(asking: Desk) -> None:
    (asking.folder / "issuing.pem").write_bytes(asking.authority.root_pem)
    for status, outcome in (("good", DONE), ("revoked", REFUSED)):
        toml = f"[certificate]\nstatus = '{status}'\n"
        with card_in_reader(asking.pcscd, asking.card(toml)) as card:
            assert asking.run("verify").status == outcome
            assert card.verify_count == (outcome == DONE)


@pytest.mark.parametrize(
    ("asking", "status", "code"),
    [
        (["ocsp", "status-down"], ENVIRONMENT, "revocation.unavailable"),
        (["crl", "status-forged"], REFUSED, "revocation.signature"),
    ],
    indirect=["asking"],
    ids=["down", "forged"],
)
def test_nobody_says_whether_it_was_revoked(asking: Desk, status: int, code: str) -> None:
    with card_in_reader(asking.pcscd, asking.card()) as card:
        ran = asking.run("verify")
        assert (ran.status, ran.code) == (status, code)
        assert card.verify_count == 0


@pytest.mark.parametrize("asking", [["ocsp"]], indirect=True, ids=["ocsp"])
def test_the_settings_name_no_authority(asking: Desk) -> None:
    (asking.folder / "hca-bind" / "settings.toml").unlink()
    with card_in_reader(asking.pcscd, asking.card()) as card:
        ran = asking.run("verify")
        assert (ran.status, ran.code) == (ENVIRONMENT, "revocation.issuer")
        assert card.verify_count == 0


def test_a_service_that_is_not_there(desk: Desk, authority_folder: Path) -> None:
    with service(desk.folder / "service", authority_folder) as gone:
        there = Desk(desk.pcscd, gone, desk.authority, desk.folder)
    ran = there.run("verify")
    assert (ran.status, ran.code) == (ENVIRONMENT, "net.refused")


# --- a person at the terminal, and 4: cancelled --------------------------------------------------


def test_prompts_on_a_terminal(desk: Desk) -> None:
    """The form and the PIN asked for one by one; a wrong answer is asked again."""
    with (
        card_in_reader(desk.pcscd, desk.card()) as card,
        desk.terminal("bind", "--purpose", "register") as screen,
    ):
        screen.until("請輸入 PIN 碼")
        screen.send(PIN.encode())
        process = Path(f"/proc/{screen.process.pid}")
        for secret_place in ("cmdline", "environ"):
            assert PIN.encode() not in (process / secret_place).read_bytes()
        screen.press("enter")
        screen.until("驗證成功")
        for prompt, answer in (
            ("帳號 ", "line.prompts"),
            ("密碼:", "Invented-password-1"),
            ("姓名 [測試員甲]:", ""),  # as the card has it
            ("機構代碼 ", "12345"),
            ("格式不符", "0000000000"),
            ("單位:", "測試單位"),
            ("職稱:", "2"),
            ("電子郵件:", "wang@example.invalid"),
            ("聯絡電話 ", "02-0000-0000"),
            ("YES", "YES"),
        ):
            screen.until(prompt)
            screen.send(answer.encode() + b"\r")
        assert screen.ends() == DONE
        assert card.verify_count == 1
    assert len(desk.service.bindings("line.prompts")) == 1
    for secret in (PIN, "Invented-password-1"):
        assert secret.encode() not in screen.written


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+d"])
def test_cancelled_at_the_pin(desk: Desk, key: str) -> None:
    with (
        card_in_reader(desk.pcscd, desk.card()) as card,
        desk.terminal("verify", "--json") as screen,
    ):
        screen.until("請輸入 PIN 碼")
        screen.send(PIN.encode())
        screen.press(key)
        assert screen.ends() == CANCELLED
        assert '"code": "app.cancelled"' in screen.written.decode()
        assert card.verify_count == 0
    assert PIN.encode() not in screen.written
    assert not screen.raw


def test_the_last_try_on_a_terminal(desk: Desk) -> None:
    """Anything but the word keeps the try."""
    with (
        card_in_reader(desk.pcscd, desk.card("[pin]\ntries_left = 1\n")) as card,
        desk.terminal("verify", "--json") as screen,
    ):
        screen.until("YES")
        screen.send(b"y\r")
        assert screen.ends() == REFUSED
        assert '"code": "card.pin.last-try"' in screen.written.decode()
        assert (card.verify_count, card.tries_left) == (0, 1)


def test_waiting_for_the_card(desk: Desk) -> None:
    """Where someone is there the card is waited for; Ctrl+C ends that too."""
    with desk.terminal("verify") as screen:
        screen.until("請將卡片插入讀卡機")
        with card_in_reader(desk.pcscd, desk.card()) as card:
            screen.until("請輸入 PIN 碼")
            screen.send(PIN.encode() + b"\r")
            screen.until("驗證成功")
            assert screen.ends() == DONE
            assert card.verify_count == 1
    with desk.terminal("verify") as screen:
        screen.until("請將卡片插入讀卡機")
        screen.press("ctrl+c")
        assert screen.ends() == CANCELLED
