"""What the wizard makes of real terminals: small ones, odd bytes, signals, and none at all."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from parts import HCA_BIND, PIN
from terminal import BETWEEN_KEYS, DEADLINE, Terminal

from screens.language import Language, Words
from screens.secret_field import Refused
from screens.steps.pin import HINTS
from screens.wizard import STEP_NAMES, Step

_ = Words(Language.ZH)
LEFT_FULL_SCREEN = (b"\x1b[?1049l", b"\x1b[?25h")  # back to the shell's screen, with a cursor


@contextmanager
def demo(size: tuple[int, int] = (80, 24), *wrapper: str) -> Iterator[Terminal]:
    """`hca-bind demo` in a terminal, with its welcome screen shown.

    Its shell exports a size that is not the terminal's: the program has to ask the terminal.
    """
    environment = {**os.environ, "COLUMNS": "132", "LINES": "50"}
    with Terminal([*wrapper, HCA_BIND, "demo"], environment, size=size) as screen:
        screen.until(_("What would you like to do?"))
        yield screen


def on_step(screen: Terminal, step: Step, number: int) -> Callable[[], bool]:
    """Does the head name this step, in its long or in its short form?"""
    name = _(STEP_NAMES[step])
    ways = (f"[{number} {name}]", f"{number}/7 {name}")
    return lambda: any(screen.shows(way) for way in ways)


def to_the_pin(screen: Terminal) -> None:
    """From the welcome screen to the PIN field, each step's name in sight."""
    screen.press("1")
    screen.until(on_step(screen, Step.COMPONENTS, 1))
    screen.until(_("Continue"))
    screen.press("enter")
    screen.until(on_step(screen, Step.READER, 2))
    screen.until(_("Read the card"))
    screen.press("enter")
    screen.until(on_step(screen, Step.CARD, 3))
    screen.until("1 醫事人員卡")
    screen.press("1")
    screen.until(on_step(screen, Step.PIN, 4))
    screen.until(_("Agree and verify"))


@pytest.mark.parametrize("size", [(60, 20), (40, 10)])
def test_a_small_terminal_shows_the_step_and_the_field(size: tuple[int, int]) -> None:
    with demo(size) as screen:
        to_the_pin(screen)
        screen.type(PIN)
        assert screen.shows("*" * len(PIN))
        screen.press("enter")
        screen.until(_("Verified"))
        screen.press("enter")
        screen.until(on_step(screen, Step.FORM, 6))
        for text, shown in (
            ("wang.test", "wang.test"),
            ("Invented-password-1", "*" * 19),
            ("王測試", "王測試"),
            ("0000000000", "0000000000"),
        ):
            screen.type(text)
            screen.until(shown)
            screen.press("tab")


def test_what_is_typed_ahead_goes_into_the_next_field() -> None:
    """A slow line delivers Tab or Enter and the letters after it in one piece."""
    with demo() as screen:
        to_the_pin(screen)
        screen.type(PIN)
        screen.press("enter")
        screen.until(_("Verified"))
        screen.press("enter")
        screen.until(on_step(screen, Step.FORM, 6))
        screen.until(_("Next field"))
        screen.send(b"wang\tpa\tname\r123")
        screen.until("| 123")
        fields = [text.strip() for _, bar, text in (x.partition("| ") for x in screen.lines) if bar]
        assert fields[:4] == ["wang", "**", "name", "123"]


# --- odd bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xb4\xfa", Refused.NOT_ASCII),  # Big5, which is no UTF-8
        ("１".encode(), Refused.FULL_WIDTH),
        (b"\x1b[200~" + PIN.encode() + b"\x1b[201~", Refused.PASTED),
        (PIN.encode(), Refused.PASTED),  # from a terminal that does not bracket what is pasted
    ],
)
def test_what_does_not_go_into_the_pin_field(data: bytes, why: Refused) -> None:
    with demo() as screen:
        to_the_pin(screen)
        screen.send(data)
        screen.until(_(HINTS[why]))
        assert "*" not in screen.text
        time.sleep(BETWEEN_KEYS)  # the person sees it and starts again
        screen.type(PIN)
        screen.press("enter")
        screen.until(_("Verified"))


def test_resize_while_running() -> None:
    with demo() as screen:
        to_the_pin(screen)
        for columns, lines in ((40, 10), (100, 30), (60, 20), (80, 24)):
            screen.resize(columns, lines)
            screen.until(on_step(screen, Step.PIN, 4))
            screen.until(_("Your card's PIN, then Enter:"))
        screen.type(PIN)
        screen.until("*" * len(PIN))


# --- ends ----------------------------------------------------------------------------------------


def test_sizes_that_follow_each_other_quickly() -> None:
    """A window that is dragged, or shut to nothing: whatever came between, the last one is drawn.

    Ten times, because it is a matter of what the program is doing when they come.
    """
    with demo() as screen:
        for _again in range(10):
            for size in ((1, 1), (0, 0), (80, 0), (0, 24), (80, 1), (80, 24)):
                screen.resize(*size)  # the screen is empty then, until it is drawn
            screen.until(_("What would you like to do?"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_a_signal_gives_the_terminal_back(number: signal.Signals) -> None:
    with demo() as screen:
        to_the_pin(screen)
        assert screen.raw
        screen.process.send_signal(number)
        assert screen.ends() == 128 + number
        assert not screen.raw
        for sequence in LEFT_FULL_SCREEN:
            assert sequence in screen.written


def test_the_keys_that_end_other_programs_do_not_end_this_one() -> None:
    with demo() as screen:
        screen.press("ctrl+c", "ctrl+z", "ctrl+\\")
        screen.press("f3")
        screen.until(Words(Language.EN)("What would you like to do?"))
        screen.press("f10")
        assert screen.ends() == 4
        assert not screen.raw


def test_a_vanished_terminal_ends_the_program_even_without_its_signal() -> None:
    """As under a parent that ignores SIGHUP: an ssh session that broke."""
    with demo((80, 24), "sh", "-c", 'trap "" HUP; exec "$0" "$@"') as screen:
        screen.vanish()
        assert screen.process.wait(DEADLINE) == 128 + signal.SIGHUP


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_without_a_cursor_is_sent_to_the_line_mode(term: str) -> None:
    with Terminal([HCA_BIND, "demo"], {**os.environ, "TERM": term}) as screen:
        assert screen.ends() == 2
        assert screen.shows("app.terminal.unfit")
        assert screen.shows("hca-bind bind")
        assert b"\x1b" not in screen.written


def test_without_a_terminal_too() -> None:
    done = subprocess.run(
        [HCA_BIND, "demo"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert b"app.terminal.unfit" in done.stdout
