"""No PIN stays: the living process's whole memory, its files and its output are searched."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from figures import Figures
from parts import HCA_BIND, Service, card_process
from pcscd import Pcscd, wait_until
from residue import forms, found_in, in_files, in_memory, memory
from softhsm import MODULE, SoftToken
from softhsm import PIN as SOFT_PIN
from terminal import BETWEEN_KEYS, DEADLINE, Terminal
from wizard_walk import to_the_pin

from card.virtual.authority import Authority
from screens.language import Language, Words

PIN = "qZ7#kW2x"  # eight characters that stand nowhere else
WRONG = "vJ4!mR9y"
LONG, LONG_WRONG = "qZ7#kW2x-bN5%tH8w-uD3?cL6s", "vJ4!mR9y-fQ1*pG0e-zT2+hB7k"
DIGITS, DIGITS_WRONG = "83920571", "61748395"
HUMAN = 0.12  # seconds between two keys: a person who types well
SERIAL = 'serial = "TEST0000000099"\n'
PKCS15 = f'{SERIAL}[pin]\nvalue = "{PIN}"\n'
LONG_PIN = f'{SERIAL}[pin]\nvalue = "{LONG}"\nmaximum = 40\npadded = true\n'
PIV = f'kind = "piv"\n{SERIAL}[pin]\nvalue = "{DIGITS}"\n'
HOLD = Path(__file__).with_name("held_program.py")
_ = Words(Language.ZH)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="reading another process's memory takes root"
)


@dataclass
class World:
    """What the program under test may write to: everything below `folder`, and its terminal."""

    pcscd: Pcscd
    authority: Path
    service: Service
    folder: Path
    figures: Figures
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        places = ("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
        self.folder.mkdir()
        own = {place: str(self.folder) for place in places}
        self.environment = {**self.pcscd.environment, **own, "LANG": "C.UTF-8"}

    @contextmanager
    def card(self, profile: str) -> Iterator[None]:
        file = self.folder.with_name("card.toml")
        file.write_text(profile)
        with card_process(self.pcscd, self.authority, str(file)):
            yield

    def wizard(self) -> Terminal:
        words = ["--trace", str(self.folder / "trace"), *self.service.options]
        return Terminal([HCA_BIND, *words], self.environment)

    def nothing(self, found: set[str]) -> None:
        """One search ended; it found nothing."""
        self.figures.count("PIN residue", searches=1, hits=len(found))
        assert found == set()

    def nothing_in(self, pid: int, *pins: str) -> None:
        """Not in the process's memory, environment or arguments; and no core file is written."""
        for pin in pins:
            self.nothing(in_memory(pid, pin))
            shown = [Path(f"/proc/{pid}/{place}").read_bytes() for place in ("environ", "cmdline")]
            self.nothing(found_in(shown, forms(pin)))
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)

    def nothing_left(self, screen: Terminal, *pins: str) -> None:
        """Not in any file: trace, report, log, cache, settings; nor in the terminal's bytes."""
        assert list(self.folder.iterdir()), "there is something to search"
        for pin in pins:
            self.nothing(in_files(self.folder, pin))
            self.nothing(found_in([bytes(screen.written)], forms(pin)))
        assert b"\x1b]52" not in screen.written, "nothing went to the far end's clipboard"


@pytest.fixture
def world(
    pcscd: Pcscd, authority_folder: Path, sandbox: Service, tmp_path: Path, figures: Figures
) -> World:
    return World(pcscd, authority_folder, sandbox, tmp_path / "home", figures)


# --- the search itself ---------------------------------------------------------------------------

KEEPER = """
import sys
pin = bytearray(sys.stdin.buffer.readline()[:-1])
kept = {
    "utf-16": lambda: pin.decode().encode("utf-16-le"),
    "hex": lambda: pin.hex(),
    "list of integers": lambda: str(list(pin)),
    "array of longs": lambda: __import__("array").array("q", list(pin)),
    "pointers to integers": lambda: list(pin),
}[sys.argv[1]]()
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    "form",
    ["utf-16", "hex", "list of integers", "array of longs", "pointers to integers"],
)
def test_the_search_finds_what_a_process_keeps(form: str) -> None:
    command = [sys.executable, "-c", KEEPER, form]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{PIN}\n".encode())
        process.stdin.flush()
        process.stdout.readline()
        assert form in in_memory(process.pid, PIN)
        assert in_memory(process.pid, WRONG) == set()
        process.stdin.close()


# --- below the wizard ---------------------------------------------------------------------------

SENDER = """
import sys
from contextlib import closing
from card.pcsc import PcscReaders

secret = bytearray(64)
size = sys.stdin.buffer.raw.readinto(secret)
with closing(PcscReaders()) as readers, closing(readers.connect(sys.argv[1])) as connection:
    command = bytearray(b"\\x00\\x20\\x00\\x81") + bytearray([size])
    for index in range(size):
        command.append(secret[index])
        secret[index] = 0
    answer = connection.transmit(command)
    for index in range(len(command)):
        command[index] = 0
    print(answer.hex(), flush=True)
    sys.stdin.buffer.raw.read(1)
"""


def test_no_copy_is_left_below_the_program(
    pcscd: Pcscd, authority_folder: Path, world: World
) -> None:
    """At once after the command: freed memory keeps what was in it until it is used again."""
    with world.card(PKCS15):
        process = subprocess.Popen(
            [sys.executable, "-c", SENDER, pcscd.readers[0]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=pcscd.environment,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(LONG.encode())
            process.stdin.flush()
            assert process.stdout.readline() == b"63c2\n", "the card had it"
            found = in_memory(process.pid, LONG) | in_memory(process.pid, LONG[12:])
            process.stdin.close()
    world.nothing(found)


# --- the wizard ----------------------------------------------------------------------------------


def at_the_pin(screen: Terminal) -> int:
    """The wizard's process; what the screen shows is in its memory, so the search works."""
    to_the_pin(screen, _)
    pid = screen.process.pid
    holder = {code: "測試員甲".encode(code) for code in ("utf-8", "utf-16-le")}
    assert found_in(memory(pid), holder)
    return pid


def typed(screen: Terminal, pin: str) -> None:
    """At the speed of a person, up to before Enter; then it is where it has to be."""
    screen.type(pin, pause=HUMAN)
    assert "all but the first" in in_memory(screen.process.pid, pin), (
        "the buffer itself, while it is filled"
    )


@pytest.mark.parametrize(
    ("profile", "right", "wrong"),
    [(PKCS15, PIN, WRONG), (LONG_PIN, LONG, LONG_WRONG), (PIV, DIGITS, DIGITS_WRONG)],
    ids=["PKCS#15", "PKCS#15 with a long PIN", "PIV"],
)
def test_no_pin_is_left_after_a_binding_s_proof(
    world: World, profile: str, right: str, wrong: str
) -> None:
    """Cancelled half-way, entered wrongly, entered rightly: afterwards none of it is there."""
    if right is PIN and not world.figures.whole:
        pytest.skip("the long PIN leaves more")
    with world.card(profile), world.wizard() as screen:
        pid = at_the_pin(screen)
        typed(screen, right)
        screen.press("esc")
        screen.until(_("Which category of card is it?"))
        world.nothing_in(pid, right)

        screen.type("1")
        screen.until(_("Your card's PIN, then Enter:"))
        for number, character in enumerate(right[:8], 1):  # as kitty's protocol sends keys
            screen.send(f"\x1b[{ord(character)}u".encode())
            screen.until("*" * number)
            time.sleep(HUMAN)
        screen.press("esc")
        screen.until(_("Which category of card is it?"))
        world.nothing_in(pid, right[:8])

        screen.type("1")
        screen.until(_("Your card's PIN, then Enter:"))
        typed(screen, wrong)
        screen.press("enter")
        screen.until(_("Tries left before the card locks: {tries}", tries=2))
        screen.until(_("Your card's PIN, then Enter:"))
        world.nothing_in(pid, wrong)

        typed(screen, right)
        screen.press("enter")
        screen.until(_("You may take the card out now."))
        world.nothing_in(pid, right)

        screen.press("f8")
        screen.until(_("Save"))
        screen.press("enter")
        screen.until("hca-bind-report-")
        world.nothing_in(pid, right, wrong)
    assert list(world.folder.glob("hca-bind-report-*"))
    assert (world.folder / "trace").stat().st_size
    world.nothing_left(screen, right, wrong)


@dataclass
class Held:
    """The program with a defect in it, which stays to be looked at when it has ended."""

    screen: Terminal
    said: int

    def ended(self) -> int:
        """Its process, once the program has come to its end."""
        assert select.select([self.said], [], [], DEADLINE)[0], self.screen.text
        return self.screen.process.pid


@contextmanager
def held(world: World, defect: str, words: list[str], *descriptors: int) -> Iterator[Held]:
    said, say = os.pipe()
    hold, let_go = os.pipe()
    command = [sys.executable, str(HOLD), str(say), str(hold), defect, *words]
    fds = (say, hold, *descriptors)
    try:
        with Terminal(command, world.environment, pass_fds=fds) as screen:
            yield Held(screen, said)
            os.close(let_go)
            let_go = -1
            screen.ends()
    finally:
        for descriptor in (said, say, hold, let_go):
            if descriptor >= 0:
                os.close(descriptor)


@pytest.mark.parametrize("defect", ["typing", "entering", "sending", "answered", "SIGTERM"])
def test_no_pin_is_left_by_a_crash_in_the_middle(world: World, defect: str) -> None:
    """Nobody's exception at the worst moments, and a signal while the PIN is being typed."""
    words = ["--trace", str(world.folder / "trace"), *world.service.options]
    with world.card(PKCS15), held(world, defect, words) as program:
        screen = program.screen
        at_the_pin(screen)
        screen.type(PIN[:-1])
        if defect == "SIGTERM":
            screen.process.send_signal(signal.SIGTERM)
        else:
            screen.press(PIN[-1])
        if defect not in {"typing", "SIGTERM"}:
            time.sleep(BETWEEN_KEYS)
            screen.press("enter")
        if defect in {"sending", "answered"}:  # the wizard lives on, and can be left
            screen.until(_("Support code: {code}", code=""))
            world.nothing_in(screen.process.pid, PIN[:-1])
            screen.send(b"\x1b[21~")
            screen.until(_("Leave?"))
            screen.press("enter")
        pid = program.ended()
        world.nothing_in(pid, PIN[:-1])
    world.nothing_left(screen, PIN[:-1])
    assert not screen.shows("ZeroDivisionError")


# --- line by line --------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["typed", "wrong", "descriptor"])
def test_no_pin_is_left_by_the_line_mode(world: World, given: str) -> None:
    words = ["bind", "--purpose", "register", *world.service.options]
    words += ["--trace", str(world.folder / "trace")]
    secret, end = os.pipe()
    pin = WRONG if given == "wrong" else PIN
    if given == "descriptor":
        os.write(end, pin.encode() + b"\n")
        words += ["--pin-fd", str(secret)]
    with world.card(PKCS15), held(world, "none", words, secret) as program:
        screen = program.screen
        if given != "descriptor":
            screen.until(lambda: screen.raw)
            for character in pin:
                screen.press(character)
                time.sleep(HUMAN)
            pid = screen.process.pid
            screen.until(lambda: screen.unread == 0)
            assert "all but the first" in in_memory(pid, pin)
            screen.press("enter")
        if given == "wrong":
            screen.until("card.pin.wrong")
            world.nothing_in(program.ended(), pin)
        else:  # it waits for the first field of the form
            screen.until(_("Verified"))
            pid = screen.process.pid
            screen.until(lambda: screen.text.rstrip().endswith((":", "：", ")")))
            world.nothing_in(pid, pin)
            screen.press("ctrl+d")
            world.nothing_in(program.ended(), pin)
    os.close(secret)
    os.close(end)
    world.nothing_left(screen, pin)


# --- a module of the card's own ------------------------------------------------------------------


def test_no_pin_is_left_beside_a_module(world: World, authority_folder: Path) -> None:
    """The module has it in the helper, whose memory is its own; the helper ends with the card."""
    authority = Authority.load_or_create(authority_folder)
    token = SoftToken.create(world.folder.parent, authority, SERIAL)
    world.environment["SOFTHSM2_CONF"] = str(token.configuration)
    settings = world.folder / "hca-bind/settings.toml"
    settings.parent.mkdir()
    settings.write_text(f'[pkcs11]\nmodules = [{{ path = "{MODULE}", cards = ["HPC"] }}]\n')
    hpc = 'kind = "foreign"\natr = "3BF91800008131FE4550565F4A3244303831B6"\n'
    with world.card(hpc), world.wizard() as screen:
        pid = at_the_pin(screen)
        assert helpers(pid), "the module has a process of its own"
        screen.type(WRONG)
        screen.press("enter")
        screen.until(_("Support code: {code}", code=""))
        screen.until(_("Your card's PIN, then Enter:"))
        world.nothing_in(pid, WRONG)
        typed(screen, SOFT_PIN)
        screen.press("enter")
        screen.until(_("You may take the card out now."))
        world.nothing_in(pid, SOFT_PIN)
        wait_until(lambda: not helpers(pid), "the helper's end")
    world.nothing_left(screen, SOFT_PIN, WRONG)


def helpers(pid: int) -> list[int]:
    """The processes that this one has started and that still run."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for each in found for child in each.read_text().split()]
