"""How a reader is attached, whose socket is refused, and what is really wrong with a service.

A fake daemon answers the version exchange here, because one of the other version cannot be had.
"""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from card import attachment, pcsc_daemon
from card.attachment import Way, exact, in_clear, refuse_foreign, way
from card.errors import (
    PcscError,
    PcscProtocolMismatch,
    PcscServiceDenied,
    PcscServiceMissing,
    PcscServiceStopped,
    PcscSocketForeign,
    PcscSocketMissing,
    PcscSocketOpen,
    PcscSocketSilent,
    PcscSocketStale,
)
from card.pcsc_daemon import VARIABLE, Protocol

VERSION = struct.Struct("=IIiiI")
MISMATCH = 0x8010001E


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where PCSCLITE_CSOCK_NAME points, in a folder of this user's alone."""
    tmp_path.chmod(0o700)
    path = tmp_path / "comm"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@contextmanager
def daemon(path: Path, serve: Callable[[socket.socket], object]) -> Iterator[None]:
    """Something that listens at `path` and does `serve` with each connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        over = threading.Event()

        def run() -> None:
            while True:
                line, _ = listener.accept()
                with line:
                    if over.is_set():
                        return
                    serve(line)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(str(path))
            thread.join(10)


def speaking(protocol: Protocol) -> Callable[[socket.socket], object]:
    """A strict pcscd: it tells its own version, and SERVICE_STOPPED to any other."""

    def serve(line: socket.socket) -> None:
        size, command, major, minor, _ = VERSION.unpack(line.recv(VERSION.size))
        assert (size, command) == (12, 0x11)
        agreed = Protocol(major, minor) == protocol
        answer = (protocol.major, protocol.minor, 0 if agreed else MISMATCH)
        line.sendall(struct.pack("=iiI", *answer))

    return serve


def hang_up(line: socket.socket) -> None:
    """What sshd does when the far socket refuses, and pcscd when polkit does."""


# --- what is really wrong ----------------------------------------------------------------------


def test_a_socket_that_is_not_there(path: Path) -> None:
    found = exact(PcscServiceMissing())
    assert isinstance(found, PcscSocketMissing)
    assert found.facts() == {"socket": str(path)}


def test_no_service_at_the_systems_own_place(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(pcsc_daemon, "DEFAULT", path)
    found = exact(PcscServiceMissing())
    assert type(found) is PcscServiceMissing


def test_a_socket_that_is_left_of_a_forward(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    assert isinstance(exact(PcscServiceMissing()), PcscSocketStale)


def test_a_forward_with_nobody_behind_it(path: Path) -> None:
    with daemon(path, hang_up):
        assert isinstance(exact(PcscServiceMissing()), PcscSocketSilent)


def test_a_forward_whose_line_is_dead(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc_daemon, "PATIENCE", 0.1)
    kept: list[socket.socket] = []
    with daemon(path, lambda line: kept.append(line.dup())):
        assert isinstance(exact(PcscServiceMissing()), PcscSocketSilent)
    for line in kept:
        line.close()


def test_a_daemon_that_polkit_makes_hang_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(pcsc_daemon, "DEFAULT", path)
    with daemon(path, hang_up):
        assert isinstance(exact(PcscServiceMissing()), PcscServiceDenied)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (Protocol(4, 5), Protocol(4, 4)),
        (Protocol(4, 4), Protocol(4, 5)),
        (Protocol(4, 3), Protocol(4, 6)),
    ],
    ids=str,
)
def test_another_protocol_version(
    path: Path, monkeypatch: pytest.MonkeyPatch, theirs: Protocol, ours: Protocol
) -> None:
    monkeypatch.setattr(attachment, "library_protocol", lambda: ours)
    with daemon(path, speaking(theirs)):
        found = exact(PcscServiceStopped())
    assert isinstance(found, PcscProtocolMismatch)
    assert found.code == "pcsc.service.protocol"
    assert found.facts() == {"daemon": str(theirs), "library": str(ours)}


def test_a_service_that_is_back_keeps_what_was_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachment, "library_protocol", lambda: Protocol(4, 4))
    said = PcscServiceStopped()
    with daemon(path, speaking(Protocol(4, 4))):
        assert exact(said) is said
    with daemon(path.with_name("other"), speaking(Protocol(4, 5))):
        monkeypatch.setenv(VARIABLE, str(path.with_name("other")))
        assert exact(said, connected=True) is said


def test_six_answers_have_six_codes_and_more() -> None:
    codes = {
        kind.code
        for kind in (
            PcscServiceMissing,
            PcscSocketMissing,
            PcscSocketStale,
            PcscSocketSilent,
            PcscProtocolMismatch,
            PcscServiceDenied,
            PcscSocketForeign,
            PcscSocketOpen,
        )
    }
    assert len(codes) == 8


# --- whose socket it is ------------------------------------------------------------------------


@contextmanager
def bound(path: Path, mode: int = 0o600) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(mode)
        yield


def test_ones_own_socket_in_ones_own_folder(path: Path) -> None:
    with bound(path, 0o666):
        refuse_foreign()  # nobody else can enter the folder
        path.parent.chmod(0o755)
        path.chmod(0o600)
        refuse_foreign()  # nobody else can open the socket


def test_a_socket_that_others_can_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own lies where nobody else enters
        path = Path(folder) / "comm"
        path.parent.chmod(0o755)
        monkeypatch.setenv(VARIABLE, str(path))
        for mode in (0o666, 0o620, 0o602):
            with bound(path, mode), pytest.raises(PcscSocketOpen):
                refuse_foreign()
            path.unlink()


def test_a_folder_in_which_others_may_put_a_socket(path: Path) -> None:
    with bound(path):
        path.parent.chmod(0o777)
        with pytest.raises(PcscSocketForeign):
            refuse_foreign()
        path.parent.chmod(0o1777)  # as /tmp: only the owner can take it away again
        refuse_foreign()


def test_a_link_leads_to_what_it_names(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "far"
    other.mkdir(mode=0o700)
    other.chmod(0o777)
    with bound(other / "comm"):
        path.symlink_to(other / "comm")
        with pytest.raises(PcscSocketForeign):
            refuse_foreign()


def test_somebody_elses_socket(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bound(path):
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
        else:  # only root can give a file away: be somebody else instead
            monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(PcscSocketForeign) as caught:
            refuse_foreign()
        assert caught.value.facts() == {"socket": str(path)}


def test_nothing_there_is_no_reason_to_refuse(path: Path) -> None:
    refuse_foreign()


def test_a_refused_socket_is_never_connected_to(path: Path) -> None:
    met: list[bool] = []
    with daemon(path, lambda _: met.append(True)):
        path.parent.chmod(0o777)
        with pytest.raises(PcscError):
            refuse_foreign()
        assert isinstance(exact(PcscServiceMissing()), PcscSocketForeign)
    assert met == []


# --- how the reader is attached ----------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_remote_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XRDP_SESSION", raising=False)


def test_the_systems_own_socket_is_local(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(pcsc_daemon, "DEFAULT", path)
    assert way() is Way.LOCAL
    assert way(["Virtual PCD 00 00"]) is Way.REMOTE_CLEAR


def test_a_named_socket_is_a_forwarded_one(path: Path) -> None:
    assert way() is Way.FORWARDED  # also while nobody holds it
    with daemon(path, hang_up):
        assert way(["Virtual PCD 00 00"]) is Way.FORWARDED


def test_a_remote_desktop_redirects(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    home = path.parent
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XRDP_SESSION", "1")
    monkeypatch.setenv("DISPLAY", ":10.0")
    assert way() is Way.FORWARDED
    (home / ".pcsc10").mkdir()
    with bound(home / ".pcsc10" / "pcscd.comm"):
        assert way() is Way.REDIRECTED


def test_usbip_and_vpcd_carry_the_pin_in_clear(tmp_path: Path) -> None:
    assert not in_clear([], tmp_path)
    assert not in_clear(["ACS ACR39U ICC Reader 00 00"], tmp_path)
    assert in_clear(["ACS ACR39U ICC Reader 00 00", "Virtual PCD 00 01"], tmp_path)
    interface = tmp_path / "vhci_hcd.0/usb3/3-1/3-1:1.0"
    interface.mkdir(parents=True)
    (interface / "bInterfaceClass").write_text("08\n")  # a disk
    assert not in_clear([], tmp_path)
    (interface / "bInterfaceClass").write_text("0b\n")
    assert in_clear([], tmp_path)
