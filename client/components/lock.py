"""A lock between runs of the program, which a killed run lets go of by itself."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from client.errors import ClientCancelled, DiskUnwritable

LOOK_AGAIN = 0.2  # seconds; a lock that can be cancelled cannot block


@contextmanager
def locked(
    path: Path,
    stop: threading.Event | None = None,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold the lock file `path`; while another run holds it, call `waiting` now and then.

    The file stays: one that is removed could be locked by two. Raises ClientCancelled when `stop`
    is set before the lock is had, DiskUnwritable where the file cannot be made.
    """
    stop = stop or threading.Event()
    try:
        file = path.open("ab")
    except OSError as error:
        raise DiskUnwritable(str(path)) from error
    with file:
        while not _try(file):
            waiting()
            if stop.wait(LOOK_AGAIN):
                raise ClientCancelled
        try:
            yield
        finally:
            _release(file)


if sys.platform == "win32":
    import msvcrt

    def _try(file: BinaryIO) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _release(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
