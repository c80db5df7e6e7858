"""A daemon that was away is noticed by its socket, wherever that appears."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from card.pcsc_return import ServiceReturn

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
SECONDS = 20.0


class Waiting:
    """`wait` in a thread of its own."""

    def __init__(self, service: ServiceReturn) -> None:
        self._service = service
        self.thread = threading.Thread(target=service.wait, daemon=True)
        self.thread.start()

    def blocks(self) -> bool:
        self.thread.join(0.2)
        return self.thread.is_alive()

    def ends(self) -> bool:
        self.thread.join(SECONDS)
        return not self.thread.is_alive()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        yield made


def listening(listener: socket.socket, path: Path) -> None:
    listener.bind(str(path))
    listener.listen(1)


def renamed(listener: socket.socket, path: Path) -> None:
    listening(listener, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)


def in_a_new_folder(listener: socket.socket, path: Path) -> None:
    path.parent.rmdir()
    path.parent.mkdir()
    listening(listener, path)


def long_after_it_appeared(listener: socket.socket, path: Path) -> None:
    listener.bind(str(path))
    time.sleep(0.1)
    listener.listen(1)


def over_a_stale_one(listener: socket.socket, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    path.unlink()
    listening(listener, path)


@pytest.mark.parametrize(
    "appears",
    [listening, renamed, in_a_new_folder, long_after_it_appeared, over_a_stale_one],
)
def test_a_socket_that_appears(
    tmp_path: Path, listener: socket.socket, appears: Callable[[socket.socket, Path], None]
) -> None:
    path = tmp_path / "run/pcscd/comm"
    path.parent.mkdir(parents=True)
    waiting = Waiting(ServiceReturn(path))
    assert waiting.blocks()
    (tmp_path / "run/pcscd/other").touch()  # somebody else's business
    assert waiting.blocks()
    (tmp_path / "run/pcscd/other").unlink()
    appears(listener, path)
    assert waiting.ends()


def test_a_folder_that_is_not_there_yet(tmp_path: Path, listener: socket.socket) -> None:
    path = tmp_path / "run/pcscd/comm"
    waiting = Waiting(ServiceReturn(path))
    assert waiting.blocks()
    path.parent.mkdir(parents=True)
    assert waiting.blocks()
    listening(listener, path)
    assert waiting.ends()


def test_a_daemon_that_is_there_but_does_not_serve_is_asked_ever_more_seldom(
    tmp_path: Path, listener: socket.socket
) -> None:
    path = tmp_path / "comm"
    listener.bind(str(path))
    listener.listen(9)
    service = ServiceReturn(path)
    took = []
    for _ in range(3):
        before = time.monotonic()
        service.wait()
        took.append(time.monotonic() - before)
    assert took[0] >= 0.1
    assert took[1] >= 0.2
    assert took[2] >= 0.4


def test_ending_it_from_another_thread(tmp_path: Path) -> None:
    service = ServiceReturn(tmp_path / "comm")
    waiting = Waiting(service)
    service.end()
    assert waiting.ends()
    assert Waiting(service).ends()  # until it is resumed
    service.resume()
    again = Waiting(service)
    assert again.blocks()
    service.end()
    assert again.ends()


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def test_it_keeps_no_descriptor(tmp_path: Path) -> None:
    service = ServiceReturn(tmp_path / "comm")
    service.end()
    before = descriptors()
    for _ in range(5):
        service.wait()
    assert descriptors() == before
