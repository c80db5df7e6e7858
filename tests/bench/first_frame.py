"""Time and bytes from a program's start to its first frame, on a real terminal device."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from figure import Figure
from parts import HCA_BIND
from world import BARE, BARE_NAME, MENU, QUIET, SIZE, World

DEADLINE = 30.0  # seconds for a first frame; a limit, never a wait
TIMES_BARE, SIZE_MOST = 1.15, 6_000  # what was promised: of the bare app's time, and in bytes

# CSI sequences, OSC strings, and two-byte escapes: what a terminal obeys and does not show.
ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[\]])")


@dataclass(frozen=True)
class Frame:
    seconds: float  # from the start of the process until the text was there
    bytes: int  # written to the terminal until the program went quiet


@contextmanager
def on_terminal(command: Sequence[str], home: str) -> Iterator[int]:
    """Run `command` on a pty of 80×24; the descriptor of our side. Killed on the way out."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *reversed(SIZE), 0, 0))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        cwd=home,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield ours
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


def _read(descriptor: int, seconds: float) -> bytes:
    """What arrives next, b"" where nothing does in time or the program has ended."""
    if not select.select([descriptor], [], [], seconds)[0]:
        return b""
    try:
        return os.read(descriptor, 65536)
    except OSError:  # EIO: no program holds the other side any more
        return b""


def first_frame(command: Sequence[str], text: str) -> Frame:
    """Start `command` and wait until `text` is on its terminal; RuntimeError when it never is."""
    sought = text.encode()
    with tempfile.TemporaryDirectory() as home:
        start = time.perf_counter()
        with on_terminal(command, home) as terminal:
            received = bytearray()
            while sought not in ESCAPES.sub(b"", bytes(received)):
                chunk = _read(terminal, start + DEADLINE - time.perf_counter())
                arrived = time.perf_counter()
                if not chunk:
                    shown = ESCAPES.sub(b"", bytes(received)).decode(errors="replace")
                    raise RuntimeError(f"{command[0]} never showed {text!r}: {shown[-2000:]}")
                received += chunk
            while chunk := _read(terminal, QUIET):
                received += chunk
    return Frame(arrived - start, len(received))


def measure(_world: World, runs: int) -> list[Figure]:
    """The welcome screen beside the bare app and whiptail, in turn; the first round is dropped."""
    programs = {
        "wizard": ((HCA_BIND,), "F10"),  # the last thing on the screen
        BARE_NAME: (BARE, "bare"),
        "whiptail's menu": (("whiptail", *MENU), "<Cancel>"),
    }
    frames: dict[str, list[Frame]] = {name: [] for name in programs}
    for _ in range(runs + 1):
        for name, (command, last) in programs.items():
            frames[name].append(first_frame(command, last))
    seconds = {name: tuple(each.seconds for each in some[1:]) for name, some in frames.items()}
    sizes = {name: tuple(each.bytes for each in some[1:]) for name, some in frames.items()}
    bare, whiptail = list(programs)[1:]
    return [
        Figure("first frame", "s", bare, seconds["wizard"], seconds[bare], most_times=TIMES_BARE),
        Figure("first frame", "s", whiptail, seconds["wizard"], seconds[whiptail]),
        Figure("first frame", "bytes", bare, sizes["wizard"], sizes[bare], most=SIZE_MOST),
        Figure("first frame", "bytes", whiptail, sizes["wizard"], sizes[whiptail]),
    ]
