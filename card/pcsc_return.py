"""Noticing that a PC/SC daemon which was away is there again, without asking time and again.

Linux tells when its socket appears (inotify(7)); elsewhere nothing does, and some time is waited.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ABSENT = 60.0  # seconds; where the socket lies on a network the kernel may not tell
AGAIN = 0.1  # seconds until a daemon that is there but does not serve is asked again
SLOWLY = 2.0  # seconds that this grows to, doubled each time
LISTENS = 1.0  # seconds that a socket which has just appeared may take until somebody listens
LOOK = 0.02  # seconds between two looks in that time
_CREATE, _MOVED_TO, _ATTRIB, _GONE = 0x100, 0x80, 0x4, 0x400 | 0x800  # sys/inotify.h


class ServiceReturn:
    """Waits for the daemon at `path`, None where there is no such socket; for one thread.

    `end` may be called by any other.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._again = AGAIN
        self._lock = threading.Lock()
        self._ended = False
        self._end: socket.socket | None = None

    def wait(self) -> None:
        """Return when the daemon may be back, or when asking it again costs little."""
        ended, end = socket.socketpair()
        with ended, end:
            with self._lock:
                self._end = end
                if self._ended:
                    end.send(b"\0")
            try:
                self._wait(self._path, ended)
            finally:
                with self._lock:
                    self._end = None

    def end(self) -> None:
        """Make the `wait` that blocks, and every later one until `resume`, return at once."""
        with self._lock:
            if self._end is not None and not self._ended:
                self._end.send(b"\0")
            self._ended = True

    def resume(self) -> None:
        """Let `wait` block again."""
        with self._lock:
            self._ended = False

    def _wait(self, path: Path | None, ended: socket.socket) -> None:
        if path is None or sys.platform != "linux":
            _sleep(ended, SLOWLY)
        elif _answers(path):  # it ends just now, or what is wrong with it is something else
            _sleep(ended, self._again)
            self._again = min(2 * self._again, SLOWLY)
        else:
            self._again = AGAIN
            try:
                with _notices() as notices:
                    _until_it_listens(path, notices, ended)
            except OSError:  # no more of them for this user
                _sleep(ended, SLOWLY)


def _sleep(ended: socket.socket, seconds: float) -> None:
    select.select([ended], [], [], seconds)


def _until_it_listens(path: Path, notices: int, ended: socket.socket) -> None:
    end = time.monotonic() + ABSENT
    appeared = 0.0
    while True:
        _watch(notices, path)
        if _answers(path):
            return
        now = time.monotonic()
        soon = path.exists() and now - appeared < LISTENS
        patience = LOOK if soon else end - now
        if patience <= 0:
            return
        ready = select.select([notices, ended.fileno()], [], [], patience)[0]
        if ended.fileno() in ready:
            return
        if notices in ready:
            os.read(notices, 4096)
            appeared = time.monotonic()


def _answers(path: Path) -> bool:
    """Somebody listens at the socket; a service manager starts the daemon by that."""
    with socket.socket(socket.AF_UNIX) as line:
        line.setblocking(False)
        try:
            return line.connect_ex(str(path)) == 0
        except OSError:  # a path too long for a socket
            return False


@contextmanager
def _notices() -> Iterator[int]:
    """A descriptor that becomes readable at each notice. Raises OSError."""
    notices: int = _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if notices < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    try:
        yield notices
    finally:
        os.close(notices)


def _watch(notices: int, path: Path) -> None:
    """Be told what comes into the socket's folder, or into the nearest that is there.

    A folder that is watched already stays so. Raises OSError.
    """
    mask = _CREATE | _MOVED_TO | _ATTRIB | _GONE
    watched = None
    while watched != (nearest := _nearest(path)):  # one that came just before is not told of
        if _libc().inotify_add_watch(notices, os.fsencode(nearest), mask) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        watched = nearest


def _nearest(path: Path) -> Path:
    return next(each for each in path.absolute().parents if each.is_dir())


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
