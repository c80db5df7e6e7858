"""The terminal that a kiosk has: of any size, or none; gone; and what it keeps of who was there."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk import FIRST, Kiosk, Place, place
from pcscd import DEADLINE, wait_until
from terminal import Terminal, squeezed
from test_kiosk import MARKS

from screens.language import Language, Words

__all__ = ["place"]
_ = Words(Language.ZH)


class Tmux:
    """A terminal that, unlike the tests' own, keeps what scrolls off it, and two screens."""

    def __init__(self, socket: Path) -> None:
        self._command = ["tmux", "-u", "-S", str(socket), "-f", "/dev/null"]

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words], capture_output=True, text=True, check=False, timeout=DEADLINE
        )
        return done.stdout

    @property
    def child(self) -> str:
        """The process of the present turn; "" between two."""
        parent = self("display-message", "-p", "#{pane_pid}").strip()
        children = Path(f"/proc/{parent}/task/{parent}/children")
        return children.read_text().strip()

    @property
    def kept(self) -> str:
        """Everything: the screen, what scrolled off it, and the other screen."""
        both = (self("capture-pane", "-p", "-S", "-", *other) for other in ([], ["-a"]))
        return squeezed("".join(both))

    def until(self, text: str) -> None:
        wait_until(lambda: squeezed(text) in self.kept, text)


@contextmanager
def tmux(command: list[str]) -> Iterator[Tmux]:
    with tempfile.TemporaryDirectory(prefix="hca-tmux-") as folder:
        terminal = Tmux(Path(folder) / "socket")
        terminal("new-session", "-d", "-x", "80", "-y", "24", *command)
        try:
            yield terminal
        finally:
            terminal("kill-server")


def test_a_terminal_forgets_who_was_there(place: Place) -> None:
    """Neither on its screens nor in what scrolled off them, however the turn ended."""
    command = [*place.program, "kiosk", "--settings", str(place.settings())]
    with tmux(command) as terminal:
        terminal.until(FIRST[0])
        for number in (signal.SIGKILL, signal.SIGTERM):
            before = terminal.child
            terminal("send-keys", "3")
            terminal.until(_("Type the message, its number or a support code:"))
            terminal("send-keys", "-l", MARKS["account"])
            terminal.until(MARKS["account"])
            os.kill(int(before), number)
            wait_until(lambda was=before: terminal.child not in {"", was}, "the next turn")
            terminal.until(FIRST[0])
            assert squeezed(MARKS["account"]) not in terminal.kept


def test_a_terminal_of_no_size(place: Place) -> None:
    """Made as small as it can be, and to nothing; who makes it large again finds the wizard."""
    with place.kiosk() as kiosk:
        first = kiosk.child
        for size in ((1, 1), (0, 0), (80, 0), (0, 24), (1, 24), (80, 1)):
            kiosk.screen.resize(*size)
            kiosk.screen.press("f3", "f3")
            wait_until(lambda: kiosk.screen.unread == 0, "the keys to be read")
        kiosk.screen.resize(80, 24)
        kiosk.first_screen()
        kiosk.screen.press("3")
        kiosk.screen.until(_("Type the message, its number or a support code:"))
        assert kiosk.child == first


def test_the_parent_is_killed(place: Place) -> None:
    """Nobody is left who reads the next person's keys; systemd starts another."""
    command = [*place.program, "kiosk", "--settings", str(place.settings())]
    with Terminal(command, {}) as screen:
        kiosk = Kiosk(screen)
        kiosk.first_screen()
        child = kiosk.child
        os.kill(kiosk.parent, signal.SIGKILL)
        assert screen.ends() == -signal.SIGKILL
        wait_until(lambda: not _alive(child), "the turn's end with it")


def _alive(process: int) -> bool:
    """Not gone, and not a zombie that only waits for somebody to take note."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_terminal_goes(place: Place) -> None:
    """The kiosk ends by itself, for systemd to start it anew; it does not spin on a dead line."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*place.program, "kiosk", "--settings", str(place.settings())],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"TERM": "xterm"},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while "請問您要做什麼".encode() not in shown:
            shown += os.read(ours, 65536)
        os.close(ours)
        assert process.wait(DEADLINE) != 0


def test_the_bare_console(place: Place) -> None:
    """English, lines of ASCII, and a word on how to get Chinese, though the file asks for it."""
    with Terminal(
        [*place.program, "kiosk", "--settings", str(place.settings(language="zh"))],
        {"TERM": "linux"},
    ) as screen:
        screen.until("What would you like to do?")
        screen.until("kmscon")
        assert screen.written.isascii()
        screen.process.send_signal(signal.SIGTERM)
        assert screen.ends() == 0
