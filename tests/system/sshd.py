"""A real sshd on loopback, as far away as a test wants it: own configuration, keys and port.

The kernels that tests run on need not have netem, so a relay in this process holds the bytes of
each direction back. Cutting it is what a pulled cable or a switched-off thin client looks like.
"""

from __future__ import annotations

import contextlib
import getpass
import grp
import heapq
import os
import selectors
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pcscd import DEADLINE, wait_until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:" + os.environ.get("PATH", ""))
PRIVILEGE_SEPARATION = Path("/run/sshd")  # where root's sshd shuts its unprivileged part in
MOST = 65536


class Relay:
    """Passes TCP connections on to `port`, each direction `delay` seconds later."""

    def __init__(self, port: int, delay: float) -> None:
        self.delay = delay
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._peer: dict[socket.socket, socket.socket] = {}
        self._late: list[tuple[float, int, socket.socket, bytes]] = []
        self._count = 0
        self._silent: set[socket.socket] = set()
        self._down = False
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Break every connection, and refuse new ones until `restore`."""
        self._down = True
        self._nudge()
        wait_until(lambda: not self._peer, "every connection cut")

    def restore(self) -> None:
        self._down = False

    def silence(self) -> None:
        """Swallow what the present connections send from now on; neither side is told."""
        self._silent |= set(self._peer)

    def close(self) -> None:
        self._over = True
        self._nudge()
        self._thread.join(DEADLINE)

    def _nudge(self) -> None:
        self._wake.send(b"!")

    def _run(self) -> None:
        while not self._over:
            now = time.monotonic()
            wait = max(0.0, self._late[0][0] - now) if self._late else None
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(MOST)
                else:
                    self._receive(key.fileobj)  # type: ignore[arg-type]
            if self._down or self._over:
                self._late.clear()
                for end in list(self._peer):
                    self._drop(end)
            self._deliver()
        self._listener.close()
        self._wake.close()
        self._woken.close()
        self._selector.close()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if self._down:
            near.close()
            return
        far = socket.create_connection(("127.0.0.1", self._target))
        self._peer[near], self._peer[far] = far, near
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ)

    def _receive(self, end: socket.socket) -> None:
        if end not in self._peer:
            return
        data = b""
        with contextlib.suppress(OSError):
            data = end.recv(MOST)
        if not data:
            self._selector.unregister(end)
        if end in self._silent:
            return
        self._count += 1  # what came first goes first
        heapq.heappush(
            self._late, (time.monotonic() + self.delay, self._count, self._peer[end], data)
        )

    def _deliver(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, end, data = heapq.heappop(self._late)
            if end not in self._peer:
                continue
            try:
                if not data:
                    raise ConnectionResetError
                end.sendall(data)
            except OSError:
                self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        other = self._peer.pop(end, None)
        if other is not None:
            self._peer.pop(other, None)
        for each in (end, other):
            if each is not None:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()


@dataclass(frozen=True)
class Host:
    """An sshd and the way to it: `ssh -F config USER@host`, USER being one of this machine."""

    config: Path  # ssh's
    sshd_config: Path
    relay: Relay
    port: int


@contextmanager
def host(delay: float = 0.0, *options: str) -> Iterator[Host]:
    """An sshd for this machine's users with the key of these tests, `delay` seconds away.

    `delay` counts for each direction, so a round trip takes twice as long. `options` are lines of
    its configuration. Without root only the present user can log in.
    """
    with tempfile.TemporaryDirectory(prefix="hca-sshd-") as folder:
        yield from _host(Path(folder), delay, options)


def _host(folder: Path, delay: float, options: Sequence[str]) -> Iterator[Host]:
    assert SSHD is not None, "openssh-server is not installed"
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    shutil.copy(folder / "user.pub", folder / "authorized")
    for path in (folder, folder / "authorized"):  # another user's sshd reads it
        path.chmod(0o755 if path.is_dir() else 0o644)
    if os.getuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sshd_config = folder / "sshd_config"
    sshd_config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin yes\nAllowStreamLocalForwarding yes\n"
        "AcceptEnv LANG LC_* PCSCLITE_CSOCK_NAME\n" + "".join(f"{line}\n" for line in options)
    )
    relay = Relay(port, delay)
    config = folder / "ssh_config"
    config.write_text(
        f"Host host\n  HostName 127.0.0.1\n  Port {relay.port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {folder / 'user'}\n"
        f"  IdentitiesOnly yes\n  BatchMode yes\n  LogLevel ERROR\n"
        f"  UserKnownHostsFile {folder / 'known'}\n  StrictHostKeyChecking accept-new\n"
    )
    log = (folder / "sshd.log").open("wb")
    daemon = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(sshd_config)], stdout=log, stderr=log, start_new_session=True
    )
    try:
        wait_until(lambda: _listens(port) or daemon.poll() is not None, "sshd")
        assert daemon.poll() is None, (folder / "sshd.log").read_text()
        yield Host(config, sshd_config, relay, port)
    finally:
        relay.close()
        daemon.terminate()
        daemon.wait(DEADLINE)
        log.close()


def gives_terminals() -> bool:
    """Can an sshd of this user's give a login a terminal? It has to be the group tty's by then.

    Root's sshd sees to that; any other needs a system whose devpts is mounted so, as most are.
    """
    ours, theirs = os.openpty()
    try:
        return os.getuid() == 0 or os.fstat(theirs).st_gid == grp.getgrnam("tty").gr_gid
    finally:
        os.close(ours)
        os.close(theirs)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Forward:
    """A reader lent through `ssh -R`: the socket at `path` on the host leads to that at `to`."""

    def __init__(self, host: Host, path: Path, to: Path, user: str = "") -> None:
        self._host, self._user = host, user
        self.path, self.to = path, to
        self._ssh: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Forward:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def open(self) -> None:
        """Connect (again); the socket that an earlier connection left is removed first."""
        self.path.unlink(missing_ok=True)
        self._host.relay.restore()
        target = f"{self._user or getpass.getuser()}@host"
        command = ["ssh", "-F", str(self._host.config), "-o", "ExitOnForwardFailure=yes"]
        # With a session, as people have one: for a mere forward (-N) sshd leaves Nagle's delay on.
        ssh = self._ssh = subprocess.Popen(
            [*command, "-R", f"{self.path}:{self.to}", target, "cat"], stdin=subprocess.PIPE
        )
        wait_until(lambda: self.path.exists() or ssh.poll() is not None, "the forwarded socket")
        assert ssh.poll() is None, "ssh -R failed"

    def cut(self) -> None:
        """As a cable pulled out: the host is left with a socket that nobody listens on."""
        self._host.relay.cut()
        self._end()
        wait_until(lambda: not _connects(self.path), "sshd closing the socket")

    def _end(self) -> None:
        if self._ssh is not None:
            self._ssh.terminate()
            self._ssh.wait(DEADLINE)
            if self._ssh.stdin:
                self._ssh.stdin.close()
            self._ssh = None


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
