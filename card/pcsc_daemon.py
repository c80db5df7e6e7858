"""Asking pcscd itself, past the library: is it there, whose is it, which protocol does it speak?

libpcsclite reports a daemon of another protocol version as "stopped", like one that is not there
at all. The version exchange is the first message on the socket, so it can be asked for directly.
Source: pcsc-lite, src/winscard_msg.h (CMD_VERSION, struct version_struct).
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from card.errors import (
    PcscError,
    PcscServiceDenied,
    PcscServiceMissing,
    PcscServiceStopped,
    PcscSocketForeign,
    PcscSocketMissing,
    PcscSocketSilent,
    PcscSocketStale,
)

DEFAULT = Path("/run/pcscd/pcscd.comm")
VARIABLE = "PCSCLITE_CSOCK_NAME"
PATIENCE = 3.0  # seconds for each answer
_HEADER = struct.Struct("=II")  # size of the body, command
_VERSION = struct.Struct("=iiI")  # major, minor, return code
_CMD_VERSION = 0x11
_OURS = (4, 5)  # what is offered when only the answer matters; a newer daemon answers its own
_PEER = struct.Struct("=iII")  # struct ucred: pid, uid, gid
FORWARDERS = ("sshd", "sshd-session", "dropbear")  # whose process holds a forwarded socket
DAEMONS = ("pcscd", "systemd")  # systemd, where it holds the socket for pcscd


@dataclass(frozen=True)
class Protocol:
    """A version of pcsc-lite's socket protocol; 4:4 up to pcsc-lite 2.2, 4:5 from 2.3."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}:{self.minor}"


@dataclass(frozen=True)
class Daemon:
    """What answers at a socket; `forwarded` when an SSH server holds it for another machine."""

    protocol: Protocol
    forwarded: bool


def socket_path() -> Path | None:
    """Where libpcsclite finds its daemon; None on systems whose PC/SC has no such socket."""
    if sys.platform != "linux":
        return None
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def elsewhere(path: Path | None) -> bool:
    """Whether the socket is not this machine's own, told by its name without connecting."""
    return path is not None and path != DEFAULT and path.name != "" and path.resolve() != DEFAULT


def ask(path: Path) -> Daemon:
    """Exchange versions with the daemon at `path`, within PATIENCE seconds.

    Raises PcscServiceMissing (PcscSocketMissing or PcscSocketStale for a socket elsewhere),
    PcscServiceStopped (PcscSocketSilent where a forward has nobody behind it), PcscServiceDenied
    (polkit refuses this login) and PcscSocketForeign (the socket's permissions).
    """
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE)
        try:
            line.connect(str(path))
        except OSError as error:
            raise _unreachable(path, error) from error
        peer = _peer(line)
        try:
            line.sendall(_HEADER.pack(_VERSION.size, _CMD_VERSION) + _VERSION.pack(*_OURS, 0))
            major, minor, _ = _VERSION.unpack(_read(line, _VERSION.size))
        except OSError as error:
            if elsewhere(path) and peer not in DAEMONS:
                raise PcscSocketSilent(str(path)) from error
            # Without polkit's leave pcscd hangs up before it reads a word.
            hung_up = isinstance(error, ConnectionError)
            raise (PcscServiceDenied if hung_up else PcscServiceStopped) from error
    # Where /proc does not tell, any path but the usual one counts as forwarded.
    forwarded = elsewhere(path) if peer is None else peer in FORWARDERS
    return Daemon(Protocol(major, minor), forwarded)


def _unreachable(path: Path, error: OSError) -> PcscError:
    if not elsewhere(path):
        return PcscServiceDenied() if isinstance(error, PermissionError) else PcscServiceMissing()
    if isinstance(error, PermissionError):
        return PcscSocketForeign(str(path))
    return (PcscSocketStale if path.exists() else PcscSocketMissing)(str(path))


def library_protocol() -> Protocol | None:
    """What this machine's libpcsclite speaks, by letting it greet a socket of ours; None if mute.

    In a process of its own, because the library reads its socket's name once.
    """
    with tempfile.TemporaryDirectory(prefix="hca-bind-") as folder, suppress(OSError):
        path = Path(folder) / "comm"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(1)
            listener.settimeout(PATIENCE)
            greeting = (
                "import ctypes; ctypes.CDLL('libpcsclite.so.1')"
                ".SCardEstablishContext(2, None, None, ctypes.byref(ctypes.c_long()))"
            )
            with subprocess.Popen(
                [sys.executable, "-c", greeting],
                env={**os.environ, VARIABLE: str(path)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as child:
                try:
                    line, _ = listener.accept()
                    with line:
                        line.settimeout(PATIENCE)
                        greeted = _read(line, _HEADER.size + _VERSION.size)
                finally:
                    child.kill()
            size, command = _HEADER.unpack(greeted[: _HEADER.size])
            if (size, command) == (_VERSION.size, _CMD_VERSION):
                major, minor, _ = _VERSION.unpack(greeted[_HEADER.size :])
                return Protocol(major, minor)
    return None


def _read(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = line.recv(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data


def listener(path: Path) -> str | None:
    """The name of the process that made the socket; None where /proc does not tell.

    Raises OSError where nobody listens.
    """
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE)
        line.connect(str(path))
        return _peer(line)


def _peer(line: socket.socket) -> str | None:
    """The name of the process that made the socket; None where /proc does not tell."""
    try:
        peer = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        return Path(f"/proc/{_PEER.unpack(peer)[0]}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return None
