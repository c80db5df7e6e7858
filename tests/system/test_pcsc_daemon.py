"""Asking pcscd itself: the real daemon, and peers that are silent, of another version, or sshd."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from parts import end_process
from pcscd import Pcscd, wait_until

from card.errors import PcscServiceMissing, PcscServiceStopped
from card.pcsc_daemon import Daemon, Protocol, ask, elsewhere, library_protocol

PEER = """
import socket, sys
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    while True:
        line, _ = listener.accept()
        if line.recv(20):
            line.sendall(bytes.fromhex(sys.argv[2]))
"""
# What a daemon of another version answers: its own version, and SCARD_E_SERVICE_STOPPED.
NEWER = struct.pack("=iiI", 4, 6, 0x8010001E)


@contextmanager
def peer(path: Path, answer: bytes, name: str) -> Iterator[None]:
    """A process called `name` that answers every greeting with `answer`."""
    program = path.parent / name
    program.symlink_to(sys.executable)
    process = subprocess.Popen([program, "-S", "-c", PEER, str(path), answer.hex()])
    try:
        wait_until(lambda: _listens(path), "the peer's socket")
        yield
    finally:
        end_process(process)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(str(path)) == 0


def test_the_daemon_tells_its_version_and_the_library_speaks_the_same(pcscd: Pcscd) -> None:
    daemon = ask(pcscd.socket)
    assert daemon.protocol.major == 4
    assert not daemon.forwarded
    assert library_protocol() == daemon.protocol


def test_asking_leaves_the_daemon_in_working_order(pcscd: Pcscd) -> None:
    first = ask(pcscd.socket)
    for _ in range(20):
        assert ask(pcscd.socket) == first


def test_nobody_listens(tmp_path: Path, pcscd: Pcscd) -> None:
    with pytest.raises(PcscServiceMissing):
        ask(tmp_path / "no-such-socket")
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    with pytest.raises(PcscServiceMissing):
        ask(stale)


def test_a_peer_that_hangs_up_is_a_stopped_service(tmp_path: Path) -> None:
    path = tmp_path / "comm"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def hang_up() -> None:
            line, _ = listener.accept()
            line.recv(20)
            line.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(PcscServiceStopped):
            ask(path)
        thread.join(10)


def test_a_daemon_of_another_version_is_told_from_one_that_is_away(tmp_path: Path) -> None:
    with peer(tmp_path / "comm", NEWER, "pcscd"):
        assert ask(tmp_path / "comm") == Daemon(Protocol(4, 6), forwarded=False)


def test_a_socket_that_an_ssh_server_holds_is_a_forwarded_one(tmp_path: Path) -> None:
    with peer(tmp_path / "comm", NEWER, "sshd-session"):
        assert ask(tmp_path / "comm").forwarded
    assert elsewhere(tmp_path / "comm")
    assert not elsewhere(Path("/run/pcscd/pcscd.comm"))
    assert not elsewhere(None)
