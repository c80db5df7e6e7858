"""The program with a reader that has keys of its own: the wizard, the line mode, the list.

pcscd with the driver of pad_reader.c, the sandbox and `hca-bind` are processes of their own; the
card lies in the reader by a thread of this one, so its own count of VERIFY commands can be read.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pad_reader import CHERRY_SMARTBOARD, PadReader, pad_driver, pad_reader
from parts import HCA_BIND, Service, card_in_reader, pins_sent, trace
from pcscd import DEADLINE
from residue import in_memory
from terminal import Terminal
from wizard_walk import HOLDER, to_the_pin

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from screens.language import Language, Words
from screens.steps.pin import ON_THE_READER, ONLY_THE_READER
from screens.steps.step_screen import COUNTDOWN
from screens.troubleshooting.remedy import words_for

__all__ = ["pad_driver", "pad_reader"]

PIN = "70391846"
SECOND_BYTES = 80  # of the countdown, at most
DIGITS = f'[pin]\nvalue = "{PIN}"\ndigits_only = true\npadded = true\n'


@pytest.fixture
def card(pad_reader: PadReader, authority_folder: Path) -> Iterator[VirtualCard]:
    made = VirtualCard(Profile.parse(DIGITS), Authority.load_or_create(authority_folder))
    with card_in_reader(pad_reader.pcscd, made):
        yield made


@pytest.mark.parametrize("language", Language)
def test_the_wizard(
    pad_reader: PadReader, card: VirtualCard, sandbox: Service, tmp_path: Path, language: Language
) -> None:
    _ = Words(language)
    file = tmp_path / "trace"
    command = [HCA_BIND, "--lang", "zh" if language is Language.ZH else "en", *sandbox.options]
    asks = "The PIN is typed on the reader's own keys, not here. Enter starts it."
    typing = _("Now type the PIN on the reader, then press its green key (OK).")
    with Terminal(
        [*command, "--trace", str(file)], pad_reader.pcscd.environment, size=(60, 20)
    ) as screen:
        to_the_pin(screen, _, asks=asks)
        screen.type("1")  # as one who did not read it would
        screen.until(_(ON_THE_READER))

        screen.press("enter")
        screen.until(typing)
        pad_reader.waits()
        screen.press("esc")
        screen.until(_(ONLY_THE_READER))
        screen.until(_(COUNTDOWN, left="27"))
        before = len(screen.written)
        screen.until(_(COUNTDOWN, left="24"))
        assert (len(screen.written) - before) / 3 <= SECOND_BYTES
        pad_reader.ends(0x6401)
        screen.until(words_for("card.pad.cancelled", {}, _).title)
        screen.until(_("Agree and verify"))

        screen.press("enter")
        pad_reader.waits(2)
        pad_reader.ends(0x6400)
        screen.until(words_for("card.pad.timeout", {"seconds": 30}, _).title)
        screen.until(_("Agree and verify"))
        assert card.verify_count == 0

        screen.press("enter")
        pad_reader.waits(3)
        pad_reader.type(PIN)
        screen.until(_("You may take the card out now."))
        assert screen.shows(HOLDER)
        if os.geteuid() == 0:  # whom alone the kernel lets look
            assert in_memory(screen.process.pid, PIN) == set(), "it never came to this program"
    assert PIN.encode() not in screen.written
    assert (card.verify_count, len(pad_reader.entries), pins_sent(trace(file))) == (1, 3, 3)


def run(pad: PadReader, *arguments: str) -> tuple[int, list[dict[str, object]]]:
    done = subprocess.run(
        [HCA_BIND, *arguments, "--json"],
        env=pad.pcscd.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        timeout=DEADLINE,
        check=False,
    )
    assert not done.stderr, done.stderr.decode()
    return done.returncode, [json.loads(line) for line in done.stdout.decode().splitlines()]


def test_line_by_line(pad_reader: PadReader, card: VirtualCard, sandbox: Service) -> None:
    pad_reader.type(PIN)
    status, events = run(pad_reader, "verify", *sandbox.options)
    (asked,) = (event for event in events if event["event"] == "pad")
    assert (asked["reader"], asked["seconds"]) == (pad_reader.name, 30)
    assert (status, events[-1]["event"], card.verify_count) == (0, "verified", 1)


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [(0x6401, 4, "card.pad.cancelled"), (0x6400, 1, "card.pad.timeout")],
)
def test_cancel_and_time_out_line_by_line(
    pad_reader: PadReader, card: VirtualCard, sandbox: Service, *, word: int, status: int, code: str
) -> None:
    pad_reader.ends(word)
    ended, events = run(pad_reader, "verify", *sandbox.options)
    assert (ended, events[-1]["code"], card.verify_count) == (status, code, 0)


@pytest.mark.parametrize(("use", "verifies", "entries"), [("off", 1, 0), ("only", 1, 1)])
def test_a_pin_from_elsewhere(
    pad_reader: PadReader,
    card: VirtualCard,
    sandbox: Service,
    *,
    use: str,
    verifies: int,
    entries: int,
) -> None:
    """It is taken where the reader's keys are not used, and not read where only they are."""
    read, write = os.pipe()
    os.write(write, PIN.encode() + b"\n")
    os.close(write)
    pad_reader.type(PIN)
    command = [HCA_BIND, "verify", *sandbox.options, "--pin-pad", use, "--pin-fd", str(read)]
    done = subprocess.run(
        command,
        env=pad_reader.pcscd.environment,
        pass_fds=(read,),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        timeout=DEADLINE,
        check=False,
    )
    left = os.read(read, 100)
    os.close(read)
    assert (done.returncode, card.verify_count, len(pad_reader.entries)) == (0, verifies, entries)
    assert left == (b"" if use == "off" else PIN.encode() + b"\n")


@pytest.mark.parametrize(
    ("usb", "options", "state"),
    [
        ((0x046A, 0x003E), (), "used"),
        (CHERRY_SMARTBOARD, (), "lying"),
        (None, (), "unnamed"),
        ((0x046A, 0x003E), ("--pin-pad", "off"), "off"),
    ],
)
def test_the_list_tells_of_the_keys(
    pad_reader: PadReader,
    card: VirtualCard,
    *,
    usb: tuple[int, int] | None,
    options: tuple[str, ...],
    state: str,
) -> None:
    pad_reader.is_new(usb)
    status, (row,) = run(pad_reader, "readers", *options)
    assert (status, row["pad"], row["usable"]) == (0, state, True)
    assert (card.verify_count, pad_reader.entries) == (0, [])


def test_the_list_tells_of_no_keys_where_there_are_none(
    pad_reader: PadReader, card: VirtualCard
) -> None:
    pad_reader.is_new(pad=False)
    status, (row,) = run(pad_reader, "readers")
    assert (status, row["pad"], row["usable"], card.verify_count) == (0, None, True, 0)
