"""A thin client and its host: the script as it is printed, a real sshd, a real pcscd, a relay.

The thin client's side is `hca-bind-connect`, run by dash or by busybox's sh; the host's side is
what that starts there.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from parts import HCA_BIND, card_process
from pcscd import Pcscd
from sshd import Host, Relay, gives_terminals, host
from terminal import Terminal

from tui.passthrough import script

DELAY = 0.04  # seconds each way: 80 ms for every question and its answer
DASH, BUSYBOX = ["dash"], ["busybox", "sh"]
NO_TMUX = "沒有 tmux：連線若中斷，精靈會從頭開始。"
BREAK = "連線中斷，正在重新連線"
SHOW = """#!/bin/sh
echo "socket=$PCSCLITE_CSOCK_NAME."
opensc-tool --list-readers
read -r _
"""
WITH_A_TERMINAL = pytest.mark.skipif(
    not gives_terminals(), reason="an sshd that is not root's cannot give a terminal on this system"
)


@dataclass(frozen=True)
class ThinClient:
    """The machine with the reader: its pcscd, the script as it was printed, the way to the host."""

    pcscd: Pcscd
    script: Path
    host: Host
    home: Path  # of whoever logs in at the host

    def run(self, shell: list[str], *words: str, command: str = HCA_BIND, **more: str) -> Terminal:
        """The script on a terminal, with nothing of ours in its environment."""
        options = ["-l", "zh", "-F", str(self.host.config), "-s", str(self.pcscd.socket)]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.script.parent),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "LANG": "C",
        }
        return Terminal(
            [*shell, str(self.script), *options, "-c", command, *words], {**environment, **more}
        )

    @property
    def runtime(self) -> Path:
        """Where the script keeps what it needs while it runs; short, for a socket is in it."""
        return self.host.config.parent

    @property
    def running(self) -> list[Path]:
        """What the scripts that run keep there, or what others have left."""
        return list(self.runtime.glob("hca-bind-*"))

    @property
    def sockets(self) -> list[Path]:
        """The readers that this user has on the host."""
        return [file for file in (self.home / ".hca-bind").glob("*") if file.is_socket()]

    @property
    def kept(self) -> bool:
        """Is there a wizard on the host that waits for its terminal to come back?"""
        return self.tmux("has-session") == 0

    def tmux(self, command: str) -> int:
        """What the host's tmux says to it; its exit status."""
        return subprocess.run(
            ["tmux", "-L", "hca-bind", command],
            env={**os.environ, "TMUX_TMPDIR": str(self.home)},
            capture_output=True,
            check=False,
        ).returncode

    def go_silent(self) -> None:
        """The cable is out: the script's ssh gives up, and the host hears nothing of it."""
        self.host.relay.silence()
        (folder,) = self.running
        (control,) = folder.glob("ssh-*")
        subprocess.run(["ssh", "-S", str(control), "-O", "exit", "host"], check=True)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Path]]:
    """The host, 80 ms away, and the home there."""
    home = tmp_path_factory.mktemp("home")
    with host(DELAY, f"SetEnv HOME={home} XDG_RUNTIME_DIR= TMUX_TMPDIR={home}") as running:
        yield running, home


@pytest.fixture
def client(pcscd: Pcscd, far: tuple[Host, Path], tmp_path: Path) -> Iterator[ThinClient]:
    printed = subprocess.run(
        [HCA_BIND, "passthrough", "script"], stdout=subprocess.PIPE, check=True
    ).stdout
    assert printed.decode() == script()
    file = tmp_path / "hca-bind-connect"
    file.write_bytes(printed)
    there = ThinClient(pcscd, file, *far)
    yield there
    there.tmux("kill-server")  # a wizard that waits for a terminal which does not come back


@pytest.fixture
def card(pcscd: Pcscd, authority_folder: Path) -> Iterator[None]:
    with card_process(pcscd, authority_folder):
        yield


def reconnected(screen: Terminal, relay: Relay) -> None:
    """The line breaks, and is there again."""
    relay.cut()
    screen.until(BREAK)
    relay.restore()


@contextmanager
def user(name: str, folder: Path, hashed: str = "*") -> Iterator[pwd.struct_passwd]:
    """A user of this machine, with a home in `folder`, for the time of the block.

    `hashed` is their password's hash, as crypt(5) has it; no password fits "*".
    """
    home = folder / name
    subprocess.run(
        ["useradd", "--no-log-init", "-M", "-d", str(home), "-s", "/bin/sh", "-p", hashed, name],
        check=True,
    )
    try:
        found = pwd.getpwnam(name)
        home.mkdir(mode=0o700)
        os.chown(home, found.pw_uid, found.pw_gid)
        yield found
    finally:
        # --force: their last process may still be ending
        subprocess.run(["userdel", "--force", name], check=True, stderr=subprocess.DEVNULL)
