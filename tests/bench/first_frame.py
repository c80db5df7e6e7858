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
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from figure import Figure

ROOT = Path(__file__).parents[2]
COLUMNS, LINES = 80, 24
DEADLINE = 30.0  # seconds for a first frame; a limit, never a wait
QUIET = 0.3  # seconds without output after which the first frame is complete
TIMES_BARE = 1.5  # what was promised of the first frame

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
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
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


def measure(runs: int) -> list[Figure]:
    """The wizard's welcome screen beside the bare app, in turn; the first round is not counted."""
    wizard = [str(ROOT / ".venv/bin/hca-bind")]
    bare = [sys.executable, str(Path(__file__).with_name("bare_app.py"))]
    ours: list[Frame] = []
    theirs: list[Frame] = []
    for _ in range(runs + 1):
        ours.append(first_frame(wizard, "醫事"))
        theirs.append(first_frame(bare, "bare"))
    del ours[0], theirs[0]
    reference = "a bare one-label Textual app"
    return [
        Figure(
            "first frame",
            "s",
            reference,
            tuple(frame.seconds for frame in ours),
            tuple(frame.seconds for frame in theirs),
            most_times=TIMES_BARE,
        ),
        Figure(
            "first frame's size",
            "bytes",
            reference,
            tuple(frame.bytes for frame in ours),
            tuple(frame.bytes for frame in theirs),
        ),
    ]
