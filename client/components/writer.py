"""Hashing and writing beside the network: both let go of Python's lock, so they cost no time."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from hashlib import _Hash

WAITING = 8  # blocks at most, so memory stays bounded


class Writer:
    """A context in which `put` takes blocks; all of them are hashed and written when it ends.

    Its end, and `put`, raise the OSError of a write that failed.
    """

    def __init__(self, file: BinaryIO, digest: _Hash) -> None:
        """`file` is unbuffered and stands where the first block belongs."""
        self._file = file
        self._digest = digest
        self._blocks: queue.Queue[bytes | memoryview | None] = queue.Queue(WAITING)
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="hca-bind-writer", daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._blocks.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def put(self, block: bytes | memoryview) -> None:
        """The block must not change any more."""
        self._blocks.put(block)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (block := self._blocks.get()) is not None:
            if self._error is not None:
                continue  # the rest is taken and dropped, so that nobody waits for ever
            try:
                rest = memoryview(block)
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                self._error = error
            else:
                self._digest.update(block)
