"""Hostile text from cards, readers, servers, files and the environment, as a terminal gets it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from behind import behind_relay
from figures import Figures
from headless import ACCOUNT, PASSWORD, PIN
from hostile import (
    HARMLESS,
    HOSTILE,
    NO_UTF8,
    PAYLOADS,
    SHORT,
    Manner,
    answered,
    hostile,
    obeyed,
    put,
    rewriting,
    texts,
)
from pyte.screens import Char
from relay import Answer, Relay, Stage, Trouble
from terminal import Terminal

from card.virtual import authority as authorities
from card.virtual.authority import FILE, Authority
from screens.language import Language, Words

HERE = Path(__file__).parent
PART = 8  # of so many single fields one, in everyday runs
_ = Words(Language.ZH)


def test_the_search_itself_finds_every_payload() -> None:
    for payload in PAYLOADS:
        if not payload.startswith("[bold"):
            assert obeyed(payload.encode()), payload
    assert obeyed(b"\x1b[38;2;18;52;86mA\x1b[m"), "markup that was obeyed"
    assert obeyed(os.fsencode(NO_UTF8))
    assert obeyed(b"\x1b[1;1HA\x1b[m", own=None)
    assert obeyed(b"\x1b[1;1H\xe5\xaf\xac plain e\xcc\x81\x1b[K\x1b[1;7mA\x1b[m\x1b[?25l") == []


# --- a card, its reader and a service, on every screen -------------------------------------------


def named_by(manner: Manner) -> Authority:
    """A test CA whose own name is planted too: the issuer on the card's screen."""
    root_key, key = authorities._rsa_key(), authorities._rsa_key()
    root = authorities._name(organisation="TEST", common_name="TEST Root")
    unit = "醫事憑證管理中心" + manner.card(SHORT)
    issuing = authorities._name(organisation="TEST", unit=unit, common_name="TEST")
    return Authority(
        key,
        issuing=authorities._ca_certificate(issuing, key, root, root_key, path_length=0),
        root=authorities._ca_certificate(root, root_key, root, root_key, path_length=1),
    )


@dataclass
class World:
    """One program with its own card and service, everything in it named in one manner."""

    command: list[str]
    relay: Relay
    environment: dict[str, str]
    planted: set[str]


@contextmanager
def world(folder: Path, name: str, manner: Manner) -> Iterator[World]:
    authority = named_by(manner)
    with behind_relay(folder / name, authority) as (desk, relay):
        keys = folder / name / "authority"
        keys.mkdir()
        (keys / FILE).write_bytes(authority._pem())
        planted: set[str] = set()
        trouble = Trouble("hostile", Stage.DONE, rewriting(manner, planted))
        relay.break_at(0, trouble, lasting=True)
        program = [sys.executable, str(HERE / "hostile_program.py")]
        yield World(
            [*program, desk.url, str(desk.ca), str(keys), name],
            relay,
            {
                "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]),
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
            },
            planted,
        )


def blank(cell: tuple[object, ...]) -> tuple[object, ...]:
    char = Char(*cell)
    if char.reverse or char.underscore or char.strikethrough:
        return cell
    return char._replace(fg="default", bold=False, italics=False, blink=False)


def masked(screen: Terminal) -> list[list[tuple[object, ...]]]:
    """The cells, with what differs from run to run made equal: numbers, codes, receipts.

    Of a blank only what is seen of it: a weight or colour of letters comes with its neighbours.
    """
    seen = [[cell if cell[0] != " " else blank(cell) for cell in row] for row in screen.cells]
    for row in seen:
        line = "".join(str(cell[0])[:1] or "\0" for cell in row)
        plain = re.sub(r"[0-9A-Za-z-]*[0-9][0-9A-Za-z-]*", lambda at: "0" * len(at[0]), line)
        row[:] = [(new + str(cell[0])[1:], *cell[1:]) for new, cell in zip(plain, row, strict=True)]
    return seen


class Pair:
    """The same keys for two programs; what one shows, the other must show cell by cell."""

    def __init__(self, hostile: Terminal, harmless: Terminal) -> None:
        self._both = (hostile, harmless)
        self.screens = 0

    def see(self, text: str) -> None:
        """Both show it, and nothing on the screens or of the terminals' state differs."""
        hostile, harmless = self._both
        for screen in self._both:
            screen.until(text)
        try:
            hostile.until(lambda: masked(hostile) == masked(harmless))
        except pytest.fail.Exception:
            pytest.fail(f"two screens:\n{hostile.text}\n\n{harmless.text}")
        assert hostile.modes == harmless.modes
        self.screens += 1

    def type(self, text: str) -> None:
        for screen in self._both:
            screen.type(text)

    def press(self, key: str) -> None:
        for screen in self._both:
            screen.press(key)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    folder = tmp_path_factory.mktemp("worlds")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(world(folder, name, manner))
            for name, manner in (("hostile", HOSTILE), ("harmless", HARMLESS))
        }


def to_the_pin(pair: Pair, choice: str) -> None:
    pair.see(_("What would you like to do?"))
    pair.type(choice)
    pair.see(_("Everything is there. Press Enter to go on."))
    pair.press("enter")
    pair.see(_("Your card is there."))
    pair.see("Reader")
    pair.press("enter")
    pair.see(_("Which category of card is it?"))
    pair.see("Holder")
    pair.see("Label")
    pair.type("1")


def new_account(pair: Pair) -> None:
    """Up to the form and through all its fields."""
    to_the_pin(pair, "1")
    pair.see(_("Your card's PIN, then Enter:"))
    pair.type(PIN.decode())
    pair.press("enter")
    pair.see(_("You may take the card out now."))
    pair.see("Srv")
    pair.press("enter")
    pair.see(_("Your account application. * must be filled in."))
    for _turn in range(9):
        pair.press("tab")
        pair.see("Srv")
    pair.press("ctrl+s")
    pair.see("!!")
    pair.press("f1")
    pair.see("Esc")


def new_card(pair: Pair) -> None:
    """Up to the receipt, with a password that the service refuses and says why."""
    to_the_pin(pair, "2")
    pair.see(_("Bind it to which account? (your account name)"))
    pair.type(ACCOUNT)
    pair.press("enter")
    pair.see(_("Your card's PIN, then Enter:"))
    pair.type(PIN.decode())
    pair.press("enter")
    pair.see(_("You may take the card out now."))
    pair.press("enter")
    ask = _("Your account's password (not the PIN), then Enter:")
    pair.see(ask)
    pair.type("wrong")
    pair.press("enter")
    pair.see("!!")
    pair.press("f2")
    pair.see("service.")
    pair.press("esc")
    pair.see(ask)
    pair.type(PASSWORD.decode())
    pair.press("enter")
    pair.see(_("Signed in. Press Enter: bind the new card to this account."))
    pair.press("enter")
    pair.see(_("The new card is bound to your account."))


@pytest.mark.parametrize("walk", [new_account, new_card])
def test_the_screens_are_those_of_harmless_text(
    figures: Figures, worlds: dict[str, World], walk: Callable[[Pair], None]
) -> None:
    """Cell by cell, colours and the terminal's modes too; and no byte of it says more."""
    evil, good = worlds["hostile"], worlds["harmless"]
    command = ["--service", "https://localhost"]
    with (
        Terminal([*evil.command, *command], evil.environment) as hostile,
        Terminal([*good.command, *command], good.environment) as harmless,
    ):
        pair = Pair(hostile, harmless)
        walk(pair)
        written = bytes(hostile.written)
    hits = obeyed(written)
    figures.count(
        "hostile text, wizard",
        planted=len(evil.planted) + 5,  # and a reader, a label, a serial, a holder, an issuer
        screens=pair.screens,
        bytes=len(written),
        hits=len(hits),
    )
    assert evil.planted
    assert hits == []


def test_without_the_neutralising_it_would_be_obeyed(worlds: dict[str, World]) -> None:
    """The same program with all of it switched off: what the tests above look for does come."""
    evil = worlds["hostile"]
    program = [*evil.command[:-1], "open", "--service", "https://localhost"]
    with Terminal(program, evil.environment) as screen:
        screen.until(_("What would you like to do?"))
        screen.press("1")
        screen.until(_("Everything is there. Press Enter to go on."))
        screen.press("enter")
        screen.until(lambda: b"Reader" in screen.written)
        written = bytes(screen.written)
    assert obeyed(written)
    said = [*evil.command[:-1], "open", "readers"]
    with Terminal(said, evil.environment) as screen:
        screen.ends()
        assert obeyed(bytes(screen.written), own=None)


# --- one field after the other, line by line -----------------------------------------------------

FIELDS = {  # what each of them is filled with: refused, or shown as text
    "sequences": hostile("Srv "),
    "half a pair": "\ud800",
    "wide": "寬" * 5_000,
}


class Lines:
    """Programs one after the other on one terminal, each with its own words."""

    def __init__(self, screen: Terminal) -> None:
        self._screen = screen
        self._runs = 0

    def run(self, *words: str) -> bytes:
        """What it wrote."""
        start = len(self._screen.written)
        self._screen.send(json.dumps(words).encode() + b"\n")
        self._runs += 1
        self._screen.until(lambda: self._screen.written.count(b"READY\r\n") == self._runs)
        return bytes(self._screen.written[start:])


def leaves(relay: Relay, lines: Lines, words: list[str]) -> list[tuple[int, tuple[str | int, ...]]]:
    """(request, where) of every text in the service's answers to a whole binding."""
    found: list[tuple[int, tuple[str | int, ...]]] = []

    def note(answer: Answer) -> bytes:
        if answer.body:
            found.extend((relay.seen - 1, path) for path in texts(json.loads(answer.body)))
        return answer.encoded()

    relay.break_at(0, Trouble("noted", Stage.DONE, note), lasting=True)
    lines.run(*words)
    return found


def test_no_single_field_is_obeyed(
    figures: Figures, worlds: dict[str, World], tmp_path: Path
) -> None:
    """Names and moments, tokens and patterns too: each is refused, or shown as text."""
    evil = worlds["hostile"]
    relay = evil.relay
    words = ["bind", "--purpose", "rebind", "--account", ACCOUNT]
    words += ["--pin-fd", "PIN", "--password-fd", "PASSWORD"]
    hits: list[str] = []
    with Terminal(evil.command, evil.environment) as screen:
        lines = Lines(screen)
        found = leaves(relay, lines, words)
        bound = _("Bound. Receipt {id}: account {account}, {holder}, card …{card}")
        assert screen.shows(bound.partition("{")[0])
        cells = [(request, path, name) for request, path in found for name in FIELDS]
        cells = cells if figures.whole else cells[::PART]
        for index, (request, path, name) in enumerate(cells):

            def planting(answer: Answer, path=path, name=name) -> bytes:
                return answered(answer, put(json.loads(answer.body), path, FIELDS[name]))

            relay.break_at(request, Trouble("hostile", Stage.DONE, planting))
            written = lines.run(*words, *(["--json"] if index % 2 else []))
            assert b"\r\n" in written
            hits += [f"{path} {name}: {hit}" for hit in obeyed(written, own=None)]
    figures.count("hostile text, single fields", planted=len(cells), hits=len(hits))
    assert hits == []
