"""The parent of a kiosk: one child process for each person, the next one when it ends.

However a child ends – finished, idle, card out, crashed, stopped, hung – the terminal is wiped and
a fresh one follows. Keys cannot send signals here, and those that a terminal's end sends do not
count; SIGTERM, which only an administrator can send, ends everything.
"""

from __future__ import annotations

import os
import signal
import syslog
import time
from collections.abc import Callable
from enum import IntEnum
from typing import NoReturn

from tui.kiosk.board import Board
from tui.kiosk.process import die_with
from tui.kiosk.tty import Tty

AWAITED = {signal.SIGTERM, signal.SIGCHLD}
IGNORED = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGHUP,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
# Held back from a child until its wizard runs: Textual's driver answers some of them until then, by
# stopping, or (SIGCONT) by starting its threads a second time.
HELD = {*IGNORED, signal.SIGCONT}
LOOK_SECONDS = 2.0  # between two looks at a child that says nothing
HUNG_SECONDS = 30.0  # without a sign of life
ENDING_SECONDS = 5.0  # for a child that was asked to end
LONGEST_PAUSE = 5.0  # seconds between crashes that follow each other
STEADY_SECONDS = 10.0  # a child that lived as long did not crash at its start


class End(IntEnum):
    """Exit statuses of a turn's process; any other, and any signal, is a crash."""

    FINISHED = 0
    CANCELLED = 4
    IDLE = 10
    CARD_OUT = 11
    ADMINISTRATOR = 12
    TIME_UP = 13


class Supervisor:
    """`turn` runs one person's wizard in the child and gives its exit status.

    It is told how the turn before ended, which is nothing personal; None for the first.
    """

    def __init__(self, turn: Callable[[int | None], int], board: Board, tty: Tty) -> None:
        self._turn = turn
        self._board = board
        self._tty = tty

    def run(self) -> int:
        """Turn after turn; returns the kiosk's own exit status once it may end."""
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED | HELD)
        syslog.openlog("hca-bind-kiosk")
        pause, status = 0.0, None
        while True:
            if self._tty.gone:
                return 128 + signal.SIGHUP
            self._tty.wipe()
            started = time.monotonic()
            status = self._outlive(self._fork(status))
            if status is None or status == End.ADMINISTRATOR:
                self._tty.give_back()
                syslog.syslog("ended by the administrator")
                return 0
            if status in [*End] or time.monotonic() - started > STEADY_SECONDS:
                pause = 0.0
            if status not in [*End]:
                syslog.syslog(syslog.LOG_ERR, f"a turn crashed, status {status}; the next begins")
                self._tty.wipe()
                if _terminated_within(pause):
                    self._tty.give_back()
                    return 0
                pause = min(LONGEST_PAUSE, pause * 2 or 0.1)

    def _fork(self, before: int | None) -> int:
        self._board.beat()
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            _live(self._turn, before, parent)
        return child

    def _outlive(self, child: int) -> int | None:
        """The child's exit status, -n after signal n; None when an administrator ended it."""
        while True:
            told = signal.sigtimedwait(AWAITED, LOOK_SECONDS)
            ended, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
            if told is not None and told.si_signo == signal.SIGTERM:
                if not ended or os.WIFSTOPPED(status):
                    _end(child)
                return None
            if ended and not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            if ended or self._board.silence > HUNG_SECONDS:  # stopped, or stuck
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return -signal.SIGKILL


def _live(turn: Callable[[int | None], int], before: int | None, parent: int) -> NoReturn:
    """The child: whatever happens, it ends here, without a word on the terminal."""
    status = 70  # EX_SOFTWARE of sysexits.h
    try:
        die_with(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
        status = turn(before)
    finally:
        os._exit(status)


def _end(child: int) -> None:
    """SIGTERM, and SIGKILL to a child that does not heed it in time."""
    os.kill(child, signal.SIGTERM)
    end = time.monotonic() + ENDING_SECONDS
    while time.monotonic() < end:
        signal.sigtimedwait({signal.SIGCHLD}, 0.2)
        if os.waitpid(child, os.WNOHANG)[0]:
            return
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _terminated_within(seconds: float) -> bool:
    """Wait; True at once when SIGTERM comes."""
    told = signal.sigtimedwait({signal.SIGTERM}, seconds)
    return told is not None
