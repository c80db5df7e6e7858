"""A real pcscd with vpcd's two virtual readers, private to one test run.

pcscd's socket path is compiled in (/run/pcscd/pcscd.comm), so the daemon runs in a mount
namespace of its own with a directory of ours bound there: nothing on the machine is disturbed, a
system daemon may run beside it, and so may a second test run. A user who is not root gets one
too. Clients find it through PCSCLITE_CSOCK_NAME, which libpcsclite reads once a process: this
module sets it when it is imported, before any test can make a PC/SC call.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FIXED = Path("/run/pcscd")  # pcscd's own directory, used where no mount namespace can be made
LOCK = Path("/tmp/hca-bind-pcscd.lock")
PCSCD = "/usr/sbin/pcscd"
BUNDLES = Path("/usr/lib/pcsc/drivers")  # compiled in, too
DRIVER = BUNDLES / "serial/libifdvpcd.so"
READERS = ("Virtual PCD 00 00", "Virtual PCD 00 01")
DEADLINE = 20.0  # seconds for anything below; a limit, never a wait


def wait_until(condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    """Return as soon as `condition()` holds; fail the test when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.01)


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _namespace() -> list[str]:
    """The command that gives its argument a mount namespace of its own; [] where none can."""
    ways = (["unshare", "-m"], ["unshare", "-rm"], ["sudo", "-n", "unshare", "-m"])
    return next((way for way in ways if _succeeds([*way, "true"])), [])


def _ignoring_polkit() -> list[str]:
    """A pcscd built with polkit turns every client away where no system bus runs."""
    usage = subprocess.run([PCSCD, "--help"], capture_output=True, text=True, check=False).stdout
    return ["--disable-polkit"] if "--disable-polkit" in usage else []


def free_pair() -> int:
    """A port p such that p and p + 1 are free: vpcd takes one for each of its two slots."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port
    raise RuntimeError("no two neighbouring free ports")


def listening(port: int) -> bool:
    """True when a socket listens there, told by the kernel: connecting would insert a card."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(f":{port:04X}" in line.split()[1] and line.split()[3] == "0A" for line in lines)


class Pcscd:
    """The daemon: `socket` is its PC/SC socket, `ports` where virtual cards are inserted."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.namespace = _namespace()  # the command that makes one
        self.private = bool(self.namespace)
        run = home / "run" if self.private else FIXED
        run.mkdir(exist_ok=True)
        self.socket = run / "pcscd.comm"
        self.log = home / "pcscd.log"
        self.readers = READERS
        self.ports = (0, 0)
        self.driver = DRIVER
        self.bundles: Path | None = None  # in place of the drivers for USB, where private
        self.preload: Path | None = None  # a library that the daemon gets before its own
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """os.environ for a program that shall talk to this daemon."""
        return {**os.environ, "PCSCLITE_CSOCK_NAME": str(self.socket)}

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, readers: bool = True) -> None:
        """Start it and wait until it answers and both readers wait for a card."""
        assert self._process is None, "already started"
        configuration = self.home / "reader.conf.d"
        configuration.mkdir(exist_ok=True)
        entry = configuration / "vpcd"
        entry.unlink(missing_ok=True)
        if readers:
            port = self.ports[0] or free_pair()
            self.ports = (port, port + 1)
            entry.write_text(
                'FRIENDLYNAME "Virtual PCD"\n'
                f"DEVICENAME /dev/null:0x{port:04X}\n"
                f"LIBPATH {self.driver}\n"
                f"CHANNELID 0x{port:04X}\n"
            )
        daemon = [PCSCD, "--foreground", "--config", str(configuration), *_ignoring_polkit()]
        if self.preload is not None:
            daemon = ["env", f"LD_PRELOAD={self.preload}", *daemon]
        if self.private:
            script = """
                [ -d /run/pcscd ] || { mount -t tmpfs tmpfs /run && mkdir /run/pcscd; } &&
                mount --bind "$0" /run/pcscd &&
            """
            if self.bundles is not None:
                script += f"mount --bind {shlex.quote(str(self.bundles))} {BUNDLES} &&"
            script += ' exec "$@"'
            daemon = [*self.namespace, "sh", "-c", script, str(self.socket.parent), *daemon]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(daemon, stdout=log, stderr=log)
        wait_until(self._answers, "pcscd's socket")
        if readers:
            wait_until(lambda: all(map(listening, self.ports)), "vpcd's ports")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"pcscd ended at once: {self.log.read_text(errors='replace')[-500:]}")
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.socket)) == 0

    def stop(self) -> None:
        """End it as an administrator would (SIGTERM); does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(DEADLINE)
        self.socket.unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop()
        self.start()


# One home and one socket path for the life of this process, because libpcsclite asks only once.
_HOME = Path(tempfile.mkdtemp(prefix="hca-pcscd-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
_PCSCD = Pcscd(_HOME)
os.environ["PCSCLITE_CSOCK_NAME"] = str(_PCSCD.socket)


@pytest.fixture(scope="session")
def pcscd_home() -> Iterator[Pcscd]:
    """The daemon object, not started; alone on the machine where it cannot be made private."""
    with contextlib.ExitStack() as stack:
        if not _PCSCD.private:
            lock = stack.enter_context(LOCK.open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        stack.callback(_PCSCD.stop)
        yield _PCSCD


@pytest.fixture
def pcscd(pcscd_home: Pcscd) -> Pcscd:
    """A running daemon with two empty readers, shared by the tests and restarted if one ended."""
    if not pcscd_home.running:
        pcscd_home.stop()
        pcscd_home.start()
    return pcscd_home
