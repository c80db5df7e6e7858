"""A kiosk as its administrator sets it up: an account of its own, a file of root's, a terminal.

Only root can give it both, and look into the memory of a process that forbids everybody else to.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import pytest
from parts import HCA_BIND, Service
from pcscd import Pcscd, wait_until
from terminal import DEADLINE, Terminal

from screens.language import Language, Words

ACCOUNT = 64123  # of the kiosk: nobody else's, so whatever belongs to it was made by a kiosk
KEPT = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/home")  # where an account might leave a file
AS_ACCOUNT = [
    "setpriv",
    f"--reuid={ACCOUNT}",
    f"--regid={ACCOUNT}",
    "--clear-groups",
    "sh",
    "-c",
    'exec "$@"',
    "sh",
]
_ = Words(Language.ZH)
FIRST = [Words(language)("What would you like to do?") for language in Language]
LEFT = [
    Words(language)("A card was left in the reader. Take it out; then you can begin.")
    for language in Language
]


class Place:
    """What the kiosks of a test run share: a folder that their account can read, but not write."""

    def __init__(self, folder: Path, pcscd: Pcscd, service: Service) -> None:
        self.folder = folder
        self._service = service
        folder.chmod(0o755)
        # A socket that is not the system's own has to be in a folder of the account that uses it;
        # here the daemon's socket gets a second name in one.
        self._readers = folder / "readers"
        self._readers.mkdir(0o700)
        os.chown(self._readers, ACCOUNT, ACCOUNT)
        os.link(pcscd.socket, self._readers / "pcscd.comm")
        shutil.copy(service.ca, folder / "ca.pem")
        (folder / "ca.pem").chmod(0o644)

    @cached_property
    def program(self) -> list[str]:
        """hca-bind under the kiosk's account.

        Where that account may not enter the folder of the tests' Python, an environment of the
        system's Python borrows the packages.
        """
        straight = [*AS_ACCOUNT, HCA_BIND]
        if subprocess.run([*straight, "--help"], capture_output=True, check=False).returncode == 0:
            return straight
        borrowed = self.folder / "python"
        system = f"/usr/bin/python3.{sys.version_info.minor}"
        subprocess.run([system, "-m", "venv", "--without-pip", borrowed], check=True)
        (packages,) = borrowed.glob("lib/python3*/site-packages")
        (own,) = Path(HCA_BIND).parents[1].glob("lib/python3*/site-packages")
        (packages / "borrowed.pth").write_text(f"import site; site.addsitedir({str(own)!r})\n")
        return [*AS_ACCOUNT, str(borrowed / "bin/python"), HCA_BIND]

    def settings(self, **more: str | int | list[str]) -> Path:
        """The administrator's file; `more` replaces what is in it otherwise."""
        table: dict[str, object] = {
            "service": self._service.url,
            "ca": str(self.folder / "ca.pem"),
            "pcsc_socket": str(self._readers / "pcscd.comm"),
            "idle": 300,
            **more,
        }
        handle, name = tempfile.mkstemp(suffix=".toml", dir=self.folder)
        os.fchown(handle, 0, ACCOUNT)
        os.fchmod(handle, 0o640 if "administrator" in more else 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for key, value in table.items():
                file.write(f"{key} = {value!r}\n")
        return Path(name)

    @contextlib.contextmanager
    def kiosk(
        self,
        environment: Mapping[str, str] | None = None,
        size: tuple[int, int] = (80, 24),
        program: Sequence[str] = (),
        **settings: str | int | list[str],
    ) -> Iterator[Kiosk]:
        """A running kiosk at its first screen; an administrator ends it, and it ends well."""
        file = self.settings(**settings)
        command = [*(program or self.program), "kiosk", "--settings", str(file)]
        with Terminal(command, environment or {}, size=size) as screen:
            kiosk = Kiosk(screen)
            kiosk.first_screen()
            yield kiosk
            if screen.process.poll() is None:
                screen.process.send_signal(signal.SIGTERM)
            assert screen.ends() == 0
            assert not screen.raw, "the terminal is as it was"


class Kiosk:
    """A kiosk, the person at its keys, and root looking over everybody's shoulder."""

    def __init__(self, screen: Terminal) -> None:
        self.screen = screen

    @property
    def parent(self) -> int:
        return self.screen.process.pid

    @property
    def child(self) -> int:
        """The process of the present turn; 0 between two turns."""
        found = Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text().split()
        return int(found[0]) if found else 0

    @property
    def processes(self) -> list[int]:
        return [self.parent, *filter(None, [self.child])]

    def first_screen(self) -> None:
        self.screen.until(lambda: any(map(self.screen.shows, FIRST)))

    def next_turn(self, before: int) -> None:
        """Wait for another process than `before`, with nothing but the first screen to see."""
        self.another(before)
        self.first_screen()

    def another(self, before: int) -> None:
        """Wait for another process than `before`."""
        wait_until(lambda: self.child not in {0, before}, "a fresh process", DEADLINE)

    @property
    def asks_for_a_card_to_be_taken_out(self) -> bool:
        return any(map(self.screen.shows, LEFT))

    def holding(self, marks: Mapping[str, str]) -> set[str]:
        """The names of those marks that are in the memory of any process of the kiosk."""
        wanted = {
            name: [mark.encode(code) for code in ("utf-8", "utf-16-le", "utf-32-le")]
            for name, mark in marks.items()
        }
        return {
            name
            for process in self.processes
            for region in memory(process)
            for name, forms in wanted.items()
            if any(form in region for form in forms)
        }

    def files(self) -> list[str]:
        """Regular files that the kiosk has open for writing, or has left anywhere."""
        left = subprocess.run(
            ["find", *KEPT, "-xdev", "-uid", str(ACCOUNT), "!", "-name", "readers"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        return [*left, *(name for process in self.processes for name in _written(process))]


def memory(process: int) -> Iterator[bytes]:
    """Each readable region of a process's memory, its stack, heap and mapped files."""
    with Path(f"/proc/{process}/mem").open("rb", 0) as mem:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if found is None or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            first, end = (int(address, 16) for address in found.groups())
            with contextlib.suppress(OSError):
                yield os.pread(mem.fileno(), end - first, first)


def _written(process: int) -> Iterator[str]:
    for link in Path(f"/proc/{process}/fdinfo").iterdir():
        flags = int(re.search(r"flags:\s*([0-7]+)", link.read_text())[1], 8)  # type: ignore[index]
        target = Path(f"/proc/{process}/fd/{link.name}").readlink()
        if flags & os.O_ACCMODE and target.is_file():
            yield str(target)


@pytest.fixture
def place(pcscd: Pcscd, sandbox: Service) -> Iterator[Place]:
    """Where kiosks can be started."""
    if os.geteuid() != 0:
        pytest.skip("a kiosk's account and root's file for it need root")
    with tempfile.TemporaryDirectory(prefix="hca-kiosk-") as folder:
        yield Place(Path(folder), pcscd, sandbox)
