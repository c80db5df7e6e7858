"""The kiosk in earnest: every end of a turn leads to the first screen, and nothing stays behind.

pcscd, the sandbox and the kiosk are processes of their own; the kiosk's account is nobody else's.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from kiosk import ACCOUNT, LEFT, Kiosk, Place, _, place
from parts import Service, card_in_reader
from pcscd import Pcscd
from terminal import Terminal
from wizard_walk import to_the_pin

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from screens.steps.step_screen import WORK_NAMES
from screens.wizard import Work
from tui.kiosk.run import ENDED, RESTARTED
from tui.kiosk.supervisor import End

__all__ = ["place"]

PIN = "Qx7-kzPn"
MARKS = {  # what the first person types, and what their card says
    "account": "marked-account-qx7",
    "password": "Marked-Passw0rd-Qx7",
    "name": "標記測試員",
    "holder": "標記持卡測試員",
    "mail": "marked-qx7@example.invalid",
    "pin": PIN,
}
SECRET = "Administrat0r-Qx7"


def marked_card(authority_folder: Path) -> VirtualCard:
    profile = f'[pin]\nvalue = "{PIN}"\n[certificate]\nholder = "{MARKS["holder"]}"\n'
    return VirtualCard(Profile.parse(profile), Authority.load_or_create(authority_folder))


def at_the_pin(kiosk: Kiosk) -> None:
    to_the_pin(kiosk.screen, _, holder=MARKS["holder"])


def to_the_form(kiosk: Kiosk) -> None:
    screen = kiosk.screen
    at_the_pin(kiosk)
    screen.type(PIN)
    screen.press("enter")
    screen.until(_("Verified"))
    assert not screen.shows(_("You may take the card out now."))
    screen.until(
        _("Leave the card in the reader until the end: taking it out ends everything here.")
    )
    screen.press("enter")
    screen.until(_("Your account application. * must be filled in."))


def fill_in(kiosk: Kiosk, account: str) -> None:
    """Everything that the first person does, up to the form's last key."""
    screen = kiosk.screen
    to_the_form(kiosk)
    texts = (MARKS["password"], MARKS["name"], "0000000000", "", " ", MARKS["mail"], "02-0000-0000")
    for text in (account, *texts):
        screen.type(text)
        screen.type("\t")
    screen.type(" ")


def bind(kiosk: Kiosk, account: str) -> None:
    """The same, and the form sent, up to the receipt."""
    fill_in(kiosk, account)
    kiosk.screen.press("ctrl+s")
    kiosk.screen.until(_("Then take your card out: that clears the screen for the next person."))


def bound(service: Service, account: str) -> bool:
    return [row[2] for row in service.bindings(account)] == [MARKS["holder"]]


# --- nothing stays behind ------------------------------------------------------------------------


def test_nothing_of_a_person_remains(
    place: Place, pcscd: Pcscd, sandbox: Service, authority_folder: Path, tmp_path: Path
) -> None:
    """Not in any process's memory, not on the terminal, and nowhere on a disk."""
    log = tmp_path / "textual.log"
    hostile = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "start.py"),
        "PYTHONINSPECT": "1",
        "TEXTUAL": "devtools,debug",
        "TEXTUAL_LOG": str(log),
        "TEXTUAL_SCREENSHOT": "1",
        "HCA_BIND_SERVICE": "https://elsewhere.example.invalid",
        "HOME": str(tmp_path),
        "COLUMNS": "10",
        "LINES": "3",
    }
    with place.kiosk(hostile) as kiosk:
        for process in kiosk.processes:
            assert known(process) == {
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                "PATH": "/usr/bin:/bin",
                "HOME": "/nonexistent",
            }
            assert Path(f"/proc/{process}/mem").stat().st_uid == 0, (
                "not dumpable: root alone may look"
            )
            (core,) = (line for line in limits(process) if line.startswith("Max core file size"))
            assert core.split()[-3:-1] == ["0", "0"]
        first = kiosk.child
        with card_in_reader(pcscd, marked_card(authority_folder)):
            bind(kiosk, MARKS["account"])
            held = kiosk.holding(MARKS)
            assert {"account", "holder", "name", "mail"} <= held, "the search finds what is there"
            assert not held & {"pin", "password"}, "secrets go as soon as they were used"
            assert kiosk.files() == []
        kiosk.next_turn(first)
        assert kiosk.screen.shows(_(ENDED[End.CARD_OUT]))
        assert kiosk.holding(MARKS) == set()
        assert kiosk.files() == []
        shown_last = kiosk.screen.written.rindex(MARKS["account"].encode())
        assert b"\x1b[3J" in kiosk.screen.written[shown_last:], "and what scrolled off is gone"
        assert not any(kiosk.screen.shows(mark) for mark in MARKS.values())
    assert bound(sandbox, MARKS["account"])
    assert not log.exists()


def limits(process: int) -> list[str]:
    return Path(f"/proc/{process}/limits").read_text().splitlines()


def known(process: int) -> dict[str, str]:
    """The environment that a process was started with."""
    entries = Path(f"/proc/{process}/environ").read_text().strip("\0").split("\0")
    return dict(entry.partition("=")[::2] for entry in entries)


# --- the ends of a turn --------------------------------------------------------------------------


def test_nobody_at_the_keys(place: Place, pcscd: Pcscd, authority_folder: Path) -> None:
    """Counted down, stopped by any key, which does nothing else; then the card has to come out."""
    with place.kiosk(idle=8, countdown=3) as kiosk:
        screen, first = kiosk.screen, kiosk.child
        with card_in_reader(pcscd, marked_card(authority_folder)):
            to_the_form(kiosk)
            screen.type(MARKS["account"])
            screen.until(_("Is anybody there?"))
            assert not screen.shows(MARKS["account"]), "the countdown covers what was typed"
            screen.press("x")
            screen.until(MARKS["account"])
            assert not screen.shows(MARKS["account"] + "x")
            assert kiosk.child == first
            screen.until(
                _("In {seconds} s everything that was typed here is forgotten.", seconds=1)
            )
            kiosk.another(first)
            second = kiosk.child
            screen.until(LEFT[0])
            for key in ("1", "enter", "esc", "f1", "f2", "f10", "3"):
                screen.press(key)
            for language in (1, 0):  # the one key that does something, after all the others
                screen.press("f3")
                screen.until(LEFT[language])
            assert not any(screen.shows(mark) for mark in MARKS.values())
            assert kiosk.holding(MARKS) == set()
        screen.until(_(ENDED[End.IDLE]))
        kiosk.first_screen()
        assert kiosk.child == second


def test_a_turn_has_a_longest_time(place: Place) -> None:
    """Told before it is over, however busily somebody types."""
    with place.kiosk(idle=9, countdown=4, turn=9) as kiosk:
        screen, first = kiosk.screen, kiosk.child
        screen.type("3")
        warned = False
        while kiosk.child == first:
            screen.press("x")
            warned = warned or screen.shows(_("Your time is nearly up"))
            time.sleep(0.25)  # as fingers do; the condition is the turn's end, bounded by the file
        assert warned
        kiosk.next_turn(first)
        assert screen.shows(_(ENDED[End.TIME_UP]))


def test_the_card_taken_out_while_sending(
    place: Place, pcscd: Pcscd, sandbox: Service, authority_folder: Path
) -> None:
    """The outcome is waited for, and the receipt is there to be read, for its time."""
    account = f"{MARKS['account']}.pulled"
    with ExitStack() as stack, place.kiosk(receipt=8, countdown=3) as kiosk:
        screen, first = kiosk.screen, kiosk.child
        with card_in_reader(pcscd, marked_card(authority_folder)):
            fill_in(kiosk, account)
            sandbox.process.send_signal(signal.SIGSTOP)  # a slow service
            stack.callback(sandbox.process.send_signal, signal.SIGCONT)
            screen.press("ctrl+s")
            screen.until(_(WORK_NAMES[Work.REGISTERING]))
        screen.until("4 s")  # it goes on waiting, as its own clock says
        assert kiosk.child == first
        stack.close()
        screen.until(account)
        screen.until(_("Keep the receipt's number. You can now sign in with this card."))
        assert kiosk.child == first
        kiosk.next_turn(first)
        assert screen.shows(_(ENDED[End.IDLE]))
        assert kiosk.holding(MARKS) == set()
    assert bound(sandbox, account)


def test_the_first_screen_is_quiet(place: Place) -> None:
    """With nobody there, nothing is counted down (after 5 s), sent or restarted."""
    with place.kiosk(idle=8, countdown=3) as kiosk:
        child, written = kiosk.child, len(kiosk.screen.written)
        with pytest.raises(pytest.fail.Exception):
            kiosk.screen.until(lambda: len(kiosk.screen.written) > written, seconds=6)
        assert kiosk.child == child


@pytest.mark.parametrize("at", [at_the_pin, to_the_form], ids=["pin", "form"])
def test_the_card_taken_out(place: Place, pcscd: Pcscd, authority_folder: Path, at: object) -> None:
    assert callable(at)
    with place.kiosk() as kiosk:
        first = kiosk.child
        with card_in_reader(pcscd, marked_card(authority_folder)):
            at(kiosk)
        kiosk.next_turn(first)
        assert kiosk.screen.shows(_(ENDED[End.CARD_OUT]))
        assert kiosk.holding(MARKS) == set()


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP, signal.SIGTERM], ids=lambda n: n.name
)
def test_a_crash(place: Place, number: signal.Signals) -> None:
    with place.kiosk() as kiosk:
        first = kiosk.child
        kiosk.screen.type("3")
        kiosk.screen.type(MARKS["account"])
        os.kill(first, number)
        kiosk.next_turn(first)
        assert kiosk.screen.shows(_(RESTARTED))
        assert kiosk.holding(MARKS) == set()
        assert kiosk.files() == []


def test_a_person_leaves(place: Place) -> None:
    """F10 ends a person's turn and never the kiosk; on the first screen there is nothing to end."""
    with place.kiosk() as kiosk:
        first = kiosk.child
        kiosk.screen.press("f10", "2")
        kiosk.screen.until(_("First: is everything there that your card needs?"))
        assert kiosk.child == first
        kiosk.screen.press("f10")
        kiosk.screen.until(_("Nothing has been bound yet. What you typed will be forgotten."))
        kiosk.screen.press("enter")
        kiosk.next_turn(first)
        assert not any(kiosk.screen.shows(_(word)) for word in (*ENDED.values(), RESTARTED) if word)


HUNG = """
import time
from tui.kiosk import supervisor
from tui.kiosk.board import Board
from tui.kiosk.tty import Tty

def turn(before):
    print("a turn began", flush=True)
    time.sleep(600)

supervisor.HUNG_SECONDS, supervisor.LOOK_SECONDS = 1.0, 0.1
supervisor.Supervisor(turn, Board(), Tty(0)).run()
"""


def test_a_turn_that_hangs() -> None:
    """Without a sign of life a process is ended, and the next one begins."""
    with Terminal([sys.executable, "-c", HUNG], {}) as screen:
        screen.until(lambda: screen.written.count(b"a turn began") >= 3)
        screen.process.send_signal(signal.SIGTERM)
        assert screen.ends() == 0


# --- what the administrator decides --------------------------------------------------------------


def test_the_administrators_exit(place: Place, pcscd: Pcscd, authority_folder: Path) -> None:
    """By the secret whose hash is in the settings, asked for even above the PIN, and not as one."""
    card = marked_card(authority_folder)
    with (
        place.kiosk(administrator=hash_of(place, SECRET)) as kiosk,
        card_in_reader(pcscd, card),
    ):
        screen = kiosk.screen
        at_the_pin(kiosk)
        for _wrong in range(3):
            screen.press("ctrl+]")
            screen.until(_("The administrator's secret, then Enter:"))
            screen.type("Wrong-one")
            screen.press("enter")
            screen.until(_("That is not it."))
            screen.press("esc")
            screen.until(_("Your card's PIN, then Enter:"))
        assert card.verify_count == 0
        screen.press("ctrl+]")
        screen.until(_("Too many wrong ones. Another can be typed in {seconds} s.", seconds=1))
        screen.until(_("The administrator's secret, then Enter:"))
        screen.type(SECRET)
        screen.press("enter")
        assert screen.ends() == 0
        assert card.verify_count == 0
    assert not screen.raw
    assert SECRET.encode() not in screen.written


def hash_of(place: Place, secret: str) -> str:
    """What `hca-bind kiosk password` makes of it."""
    with Terminal([*place.program, "kiosk", "password", "--lang", "zh"], {}) as screen:
        screen.until(_("New secret of the administrator:"))
        screen.send(secret.encode() + b"\r")
        screen.until(_("Once more:"))
        screen.send(secret.encode() + b"\r")
        assert screen.ends() == 0
        assert secret.encode() not in screen.written
        return screen.text.replace("\n", "").partition('administrator = "')[2].partition('"')[0]


def test_only_what_the_file_allows(place: Place) -> None:
    with place.kiosk(actions=["rebind"], language="en") as kiosk:
        screen = kiosk.screen
        lines = [line.strip() for line in screen.lines]
        assert "> 1 I have an account: bind a new card to it" in lines
        assert "2 改用中文顯示" in lines
        assert not any(line.startswith("3 ") for line in lines)


@pytest.mark.parametrize("case", ["own", "others", "folder", "shown", "root", "typo", "range"])
def test_refused_settings(place: Place, case: str) -> None:
    """A file that the kiosk's account or others can write, or that does not say what it must.

    One with the hash of a secret is nobody's to read but the kiosk's.
    """
    more: dict[str, int | str] = (
        {"idle": 1} if case == "range" else {"idel": 60} if case == "typo" else {}
    )
    if case == "shown":
        more["administrator"] = hash_of(place, SECRET)
    file, program = place.settings(**more), place.program
    match case:
        case "own":
            os.chown(file, ACCOUNT, ACCOUNT)
        case "others":
            file.chmod(0o666)
        case "shown":
            file.chmod(0o644)
        case "folder":
            (open_folder := place.folder / "open").mkdir()
            open_folder.chmod(0o777)
            file = file.rename(open_folder / "kiosk.toml")
        case "root":
            program = [program[-1]]
    with Terminal([*program, "kiosk", "--settings", str(file), "--lang", "en"], {}) as screen:
        assert screen.ends() == 2
        said = {
            "own": "Others can change the kiosk's settings",
            "others": "Others can change the kiosk's settings",
            "folder": "Others can change the kiosk's settings",
            "shown": "The kiosk's settings hold a secret that everybody can read",
            "root": "The kiosk cannot run as root",
            "typo": "idel",
            "range": "idle",
        }
        assert screen.shows(said[case])
