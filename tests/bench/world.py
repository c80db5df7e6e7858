"""What the measurements run in: a pcscd with two readers, the sandbox, and programs on terminals.

Each part is a process of its own, as people start it; only the keys and what is written to the
terminal are shared with the programs that are measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from parts import HCA_BIND, Service, service
from pcscd import Pcscd
from terminal import Terminal

from card.virtual.authority import Authority
from screens.language import Language, Words

WORDS = Words(Language.ZH)
SIZE = (80, 24)
QUIET = 0.2  # seconds without output after which a screen is complete
MENU = ("--menu", "Bench", "20", "70", "4", "1", "one", "2", "two", "3", "three")  # whiptail's
BARE = (sys.executable, str(Path(__file__).with_name("bare_app.py")))
BARE_NAME = "a bare one-label Textual app"


@dataclass(frozen=True)
class World:
    """`authority` is the folder of the CA that the cards and the service share."""

    home: Path
    authority: Path
    pcscd: Pcscd
    sandbox: Service

    @property
    def environment(self) -> dict[str, str]:
        """Of every program that is measured: nothing of the person's own settings."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PCSCLITE_CSOCK_NAME": str(self.pcscd.socket),
        }

    def run(self, *command: str, **more: str) -> Terminal:
        """`command` on a terminal of its own; `more` goes into its environment."""
        return Terminal(command, {**self.environment, **more}, size=SIZE)

    def wizard(self, *options: str, **more: str) -> Terminal:
        """The wizard, set to the sandbox unless `options` say where else."""
        return self.run(HCA_BIND, *(options or self.sandbox.options), **more)

    def wizard_at_the_readers(self) -> Terminal:
        """The wizard where it waits for a card."""
        screen = self.wizard()
        screen.until(WORDS("What would you like to do?"))
        screen.press("1")
        screen.until(WORDS("Everything is there. Press Enter to go on."))
        screen.press("enter")
        screen.until(WORDS("Insert your card into the reader, chip first."))
        return screen


@contextmanager
def world() -> Iterator[World]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        authority = home / "authority"
        Authority.load_or_create(authority)
        daemon = Pcscd(home)
        os.environ["PCSCLITE_CSOCK_NAME"] = str(daemon.socket)  # for this process's own calls
        stack.callback(daemon.stop)
        daemon.start()
        sandbox = stack.enter_context(service(home / "service", authority))
        yield World(home, authority, daemon, sandbox)


# --- keys and what they cause ---------------------------------------------------------------------


@dataclass(frozen=True)
class Effect:
    seconds: float  # from the key to the last of what was waited for
    bytes: int  # to the terminal, until it was quiet


def effect(screen: Terminal, key: str, shown: str | Callable[[], bool] | None = None) -> Effect:
    """Press `key` and wait for what is `shown`, or for the first byte."""
    before = len(screen.written)
    start = time.perf_counter()
    screen.press(key)
    screen.until(shown or partial(_more_than, screen, before))
    seconds = screen.arrived - start
    quiet(screen)
    return Effect(seconds, len(screen.written) - before)


def quiet(screen: Terminal, seconds: float = QUIET) -> None:
    """Wait until nothing was written for `seconds`."""
    screen.until(lambda: time.perf_counter() - screen.arrived > seconds)


def _more_than(screen: Terminal, count: int) -> bool:
    return len(screen.written) > count


def frame(screen: Terminal, last: str) -> int:
    """The bytes of a first frame, complete when `last` is shown and nothing more comes."""
    screen.until(last)
    quiet(screen)
    return len(screen.written)


# --- what the kernel says of a process ------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def memory(pid: int, what: str) -> float:
    """A line of /proc/PID/smaps_rollup (Rss, Pss, …) in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{what}:"))
    return int(line.split()[1]) / 1024


def each(screens: Sequence[Terminal], what: str) -> list[float]:
    return [memory(screen.process.pid, what) for screen in screens]
