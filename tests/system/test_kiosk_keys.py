"""Somebody at a kiosk who presses everything there is: the wizard outlives it, and still works.

What is sent, in which order, comes from a seed; a failing run prints it, and HCA_BIND_SEED in the
environment repeats it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import string
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kiosk import FIRST, Kiosk, Place, place
from parts import Service, card_in_reader
from pcscd import Pcscd, wait_until
from test_kiosk import MARKS, bind, bound, marked_card, to_the_form

__all__ = ["place"]

ACTIONS = 4000
ROUND = 50  # actions between two looks
ESC, PASTE, PASTE_END = b"\x1b", b"\x1b[200~", b"\x1b[201~"
STRING_END = b"\x1b\\\x07"  # of what begins with Alt+], Alt+P and their kin
SIGNALS = (  # all that a terminal's keys, its end or its size can bring about
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGHUP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGCONT,
    signal.SIGWINCH,
    signal.SIGPIPE,
)
SIZES = (
    (0, 0),
    (1, 1),
    (2, 1),
    (1, 24),
    (80, 1),
    (20, 5),
    (40, 15),
    (80, 24),
    (132, 50),
    (300, 90),
)
OTHER_TEXT = "測試王ａ１é́ß🙂한ไ\u200b\u202e\ufffd"


class Fingers:
    """Chooses what is done next; everything comes from one generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._pasting = False

    def next(self) -> bytes | signal.Signals | tuple[int, int]:
        """Bytes to type, a signal to the terminal's processes, or a new size."""
        dice = self._random.random()
        if self._pasting and dice < 0.1:
            self._pasting = False
            return PASTE_END
        if dice < 0.02:
            return self._random.choice(SIGNALS)
        if dice < 0.035:
            return self._random.choice(SIZES)
        kinds: tuple[Callable[[], bytes], ...] = (
            self._printable,
            self._way,
            self._way,
            self._control,
            self._function,
            self._combination,
            self._alt,
            self._pasted,
            self._mouse,
            self._answer,
            self._garbage,
        )
        return self._random.choice(kinds)()

    def _printable(self) -> bytes:
        return self._random.choice(string.printable + OTHER_TEXT).encode()

    def _way(self) -> bytes:
        """The keys that lead somewhere, so that deep screens are met too."""
        return self._random.choice(
            (b"\r", b"\r", b"1", b"2", b"3", b" ", b"\t", ESC, b"\x1b[B", b"\x13", b"\x1b[21~")
        )

    def _control(self) -> bytes:
        return bytes([self._random.choice([*range(32), 127])])

    def _function(self) -> bytes:
        ss3 = [b"\x1bO" + bytes([letter]) for letter in b"PQRSABCDHFM"]
        numbers = [f"\x1b[{number}~".encode() for number in range(1, 35)]
        return self._random.choice([*ss3, *numbers])

    def _combination(self) -> bytes:
        """With Shift, Alt, Ctrl and Meta: xterm's, modifyOtherKeys' and kitty's forms."""
        modifier, key = self._random.randint(2, 16), self._random.randint(9, 127)
        return self._random.choice(
            (
                f"\x1b[1;{modifier}{self._random.choice('ABCDHFPQRS')}",
                f"\x1b[{self._random.randint(1, 24)};{modifier}~",
                f"\x1b[27;{modifier};{key}~",
                f"\x1b[{key};{modifier}u",
                f"\x1b[{key};{modifier}:{self._random.randint(1, 3)};{key}u",
                "\x1b[Z",
            )
        ).encode()

    def _alt(self) -> bytes:
        return ESC + self._random.choice(string.printable).encode()

    def _pasted(self) -> bytes:
        """A block, now and then one whose end is late: what is typed until then is part of it."""
        self._pasting = self._pasting or self._random.random() < 0.05
        block = self._bytes(self._random.choice((3, 40, 400)))
        return PASTE + block + (b"" if self._pasting else PASTE_END)

    def _mouse(self) -> bytes:
        button, x, y = (self._random.randint(0, limit) for limit in (130, 400, 120))
        return self._random.choice(
            (
                f"\x1b[<{button};{x};{y}{self._random.choice('mM')}".encode(),
                f"\x1b[{button};{x};{y}M".encode(),
                b"\x1b[M" + bytes(self._random.randint(32, 255) for _ in range(3)),
                b"\x1b[I",
                b"\x1b[O",
            )
        )

    def _answer(self) -> bytes:
        """What terminals answer to questions; a kiosk asks little and believes less."""
        lines, columns = (self._random.choice((1, 5, 24, 9999, 10**6)) for _ in range(2))
        return self._random.choice(
            (
                "\x1b[?1;2c",
                f"\x1b[{lines};{columns}R",
                "\x1b[?2048;1$y",
                "\x1b[?2026;2$y",
                f"\x1b[48;{lines};{columns};{lines * 20};{columns * 10}t",
                "\x1b]11;rgb:0000/0000/0000\x07",
                "\x1b]52;c;cXg3\x07",
                "\x1bP1$r0m\x1b\\",
                "\x1b_Gi=1;OK\x1b\\",
            )
        ).encode()

    def _garbage(self) -> bytes:
        return self._bytes(self._random.randint(1, 8))

    def _bytes(self, count: int) -> bytes:
        return bytes(self._random.randrange(256) for _ in range(count))


class CardInHand:
    """Put into the reader, and taken out where a new turn asks for it."""

    def __init__(self, pcscd: Pcscd, authority_folder: Path) -> None:
        self._pcscd = pcscd
        self._card = marked_card(authority_folder)
        self._lying = contextlib.ExitStack()

    def __enter__(self) -> CardInHand:
        self._lying.enter_context(card_in_reader(self._pcscd, self._card))
        return self

    def __exit__(self, *_: object) -> None:
        self._lying.close()

    def out_and_in(self, kiosk: Kiosk) -> None:
        self._lying.close()
        kiosk.screen.until(lambda: not kiosk.asks_for_a_card_to_be_taken_out)
        self.__enter__()


def everything(kiosk: Kiosk, fingers: Fingers, card: CardInHand) -> tuple[int, int]:
    """ACTIONS of them, with a look now and then; how many turns they took, and titles they met."""
    turns, titles = {kiosk.child}, {kiosk.screen.lines[0]}
    for number in range(1, ACTIONS + 1):
        match fingers.next():
            case signal.Signals() as sent:
                for process in kiosk.processes:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, sent)
            case bytes() as keys:
                kiosk.screen.send(keys)
                wait_until(lambda: kiosk.screen.unread == 0, "the wizard to read on", 60)
            case columns, lines:
                kiosk.screen.resize(columns, lines)
        if number % ROUND == 0:
            react(kiosk)
            titles.add(kiosk.screen.lines[0])
            if kiosk.asks_for_a_card_to_be_taken_out:
                card.out_and_in(kiosk)
        turns.add(kiosk.child)
    return len(turns - {0}), len(titles)


def react(kiosk: Kiosk) -> None:
    """Whatever was left open is closed; then Ctrl+L draws the screen, or a new turn does."""
    kiosk.screen.send(PASTE_END + STRING_END)
    kiosk.screen.resize(81, 24)
    kiosk.screen.resize(80, 24)
    kiosk.screen.press("ctrl+l")
    kiosk.screen.until(lambda: kiosk.screen.lines[0] != "", 20)


def back_to_the_first_screen(kiosk: Kiosk) -> None:
    """As the person who comes next would: keys, and patience until an abandoned turn has ended."""
    kiosk.screen.resize(80, 24)
    end = time.monotonic() + 60
    while not any(map(kiosk.screen.shows, FIRST)):
        assert time.monotonic() < end, f"no first screen\n{kiosk.screen.text}"
        for key in ("ctrl+l", "esc", "f10", "enter"):
            written = len(kiosk.screen.written)
            kiosk.screen.press(key)
            with contextlib.suppress(pytest.fail.Exception):  # not every key does something
                kiosk.screen.until(lambda was=written: len(kiosk.screen.written) > was, 0.5)


@pytest.mark.timeout(300)  # thousands of keys, on a machine that may have other work
def test_no_key_leads_out(
    place: Place, pcscd: Pcscd, sandbox: Service, authority_folder: Path
) -> None:
    seed = int(os.environ.get("HCA_BIND_SEED") or random.SystemRandom().randrange(2**32))
    print(f"HCA_BIND_SEED={seed}")
    account = f"{MARKS['account']}.keys"
    with place.kiosk(idle=30, countdown=3) as kiosk:  # for the slowest step of who binds at last
        parent = kiosk.parent
        with CardInHand(pcscd, authority_folder) as card:
            to_the_form(kiosk)
            kiosk.screen.type(MARKS["account"])
            turns, titles = everything(kiosk, Fingers(seed), card)
            print(f"{ACTIONS} actions, {turns} turns, {titles} titles")
            assert titles > 3, "they led somewhere"
        assert kiosk.screen.process.poll() is None
        assert kiosk.parent == parent
        back_to_the_first_screen(kiosk)
        last = kiosk.child
        kiosk.screen.press("f3")
        assert kiosk.files() == []
        os.kill(last, signal.SIGKILL)
        kiosk.next_turn(last)
        assert kiosk.holding(MARKS) == set()
        with card_in_reader(pcscd, marked_card(authority_folder)):
            bind(kiosk, account)
    assert bound(sandbox, account)
