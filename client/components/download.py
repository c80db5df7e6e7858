"""Fetching one file so that a wrong one never gets the right name.

The bytes go into `NAME.part`, with `NAME.note` beside it saying which version they are of. Only a
part of the right size and SHA-256 is synced and renamed to NAME, which carries the hash too. So a
break, a kill, a full disk or a lying server at any byte leaves at most a part, which the next run
goes on with or throws away. Memory stays constant; a lock lets several runs share one download.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from client.components.lock import locked
from client.components.manifest import File
from client.components.seen import replace, sync_folder
from client.components.writer import Writer
from client.errors import (
    ClientCancelled,
    ClientError,
    ConnectionLost,
    DiskFull,
    DiskUnwritable,
    FileContentWrong,
    FileSizeWrong,
)

if TYPE_CHECKING:
    from client.components.source import Body, Source

BLOCK = 1024 * 1024  # bytes read at a time from the disk
PAUSES = (0.3, 1.0, 3.0)  # seconds before another attempt; counted anew after each progress
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Note(msgspec.Struct, frozen=True):
    """Which version a part is of."""

    address: str
    validator: str


def cached_name(file: File) -> str:
    """A name of its own for each content."""
    return f"{file.sha256[:16]}-{file.name}"


def fetch(
    file: File,
    source: Source,
    folder: Path,
    *,
    report: Callable[[int], None],
    stop: threading.Event,
    pauses: tuple[float, ...] = PAUSES,
) -> Path:
    """The verified file in `folder`, downloaded as far as it is not there yet.

    `report` gets the bytes that are there, often; set `stop`, then cancel the source, to end it.
    Raises FileMissing, FileSizeWrong, FileContentWrong, DiskFull, DiskUnwritable,
    ClientCancelled, and what reaching the server raises.
    """
    download = _Download(file, source, folder)
    return download.run(report, stop, pauses)


class _Download:
    def __init__(self, file: File, source: Source, folder: Path) -> None:
        self._file = file
        self._source = source
        self._final = folder / cached_name(file)
        self._part = self._beside(".part")
        self._note = self._beside(".note")
        self._hash = hashlib.sha256()
        self._done = 0
        self._anew = False  # every byte of the part came in this run

    def run(
        self, report: Callable[[int], None], stop: threading.Event, pauses: tuple[float, ...]
    ) -> Path:
        self._report, self._stop, self._pauses = report, stop, pauses
        try:
            self._final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self._beside(".lock"), stop, self._watch_the_other):
                if not self._is_there():
                    self._fetch()
        except OSError as error:
            raise self._disk_error(error) from error
        report(self._file.size)
        return self._final

    def _beside(self, suffix: str) -> Path:
        return self._final.with_name(self._final.name + suffix)

    def _watch_the_other(self) -> None:
        """Another run downloads; its part grows for this one too."""
        try:
            self._report(self._part.stat().st_size)
        except OSError:
            return

    def _is_there(self) -> bool:
        """True when the cached file is the right one; a spoilt one goes."""
        if not self._final.exists():
            return False
        with self._final.open("rb") as stream:
            self._take_hash(stream)
        if self._matches():
            return True
        self._final.unlink()
        return False

    def _fetch(self) -> None:
        with self._part.open("r+b" if self._part.exists() else "w+b", buffering=0) as part:
            self._resume(part)
            self._fill(part)
            if not self._matches() and not self._anew:  # what an earlier run left was spoilt
                self._restart(part)
                self._fill(part)
            if not self._matches():
                self._restart(part)
                raise FileContentWrong(self._file.name)
            os.fsync(part.fileno())
        self._part.replace(self._final)
        sync_folder(self._final.parent)
        self._note.unlink(missing_ok=True)

    def _resume(self, part: BinaryIO) -> None:
        """Take what an earlier run left, if it is known which version that is of."""
        if 0 < os.fstat(part.fileno()).st_size <= self._file.size and self._noted():
            part.seek(0)
            self._take_hash(part)
        else:
            self._restart(part)

    def _fill(self, part: BinaryIO) -> None:
        """Complete the part, over as many breaks as it takes while each gets farther."""
        farthest = self._done
        pauses = iter(self._pauses)
        while self._done < self._file.size:
            try:
                self._transfer(part)
            except ClientError as error:
                if self._done > farthest:
                    farthest, pauses = self._done, iter(self._pauses)
                pause = next(pauses, None)
                if not error.retriable or pause is None:
                    raise
                if self._stop.wait(pause):
                    raise ClientCancelled from error

    def _noted(self) -> str:
        try:
            note = msgspec.json.decode(self._note.read_bytes(), type=Note)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return ""
        return note.validator if note.address == self._file.address else ""

    def _transfer(self, part: BinaryIO) -> None:
        """One answer of the source, to its end or to where it breaks."""
        if self._stop.is_set():
            raise ClientCancelled
        self._check_space()
        with self._source.open(self._file, self._done, self._noted()) as body:
            try:
                if body.start != self._done or self._done == 0:
                    self._restart(part)
                    note = Note(self._file.address, body.validator)
                    replace(self._note, msgspec.json.encode(note))
                if body.start == self._done:
                    self._write(part, body)
            except OSError as error:
                raise self._disk_error(error) from error
        if self._done < self._file.size:
            raise ConnectionLost(self._host)

    def _write(self, part: BinaryIO, body: Body) -> None:
        with Writer(part, self._hash) as writer:
            for block in body.parts:
                if self._done + len(block) > self._file.size:
                    break
                writer.put(block)
                self._done += len(block)
                self._report(self._done)
                if self._stop.is_set():
                    raise ClientCancelled
            else:
                return
        offered = self._done + len(block)
        self._restart(part)
        raise FileSizeWrong(self._file.name, self._file.size, offered)

    def _restart(self, part: BinaryIO) -> None:
        part.seek(0)
        part.truncate()
        self._hash, self._done, self._anew = hashlib.sha256(), 0, True

    def _take_hash(self, stream: BinaryIO) -> None:
        self._hash, self._done = hashlib.sha256(), 0
        while block := stream.read(BLOCK):
            self._hash.update(block)
            self._done += len(block)
            if self._stop.is_set():
                raise ClientCancelled

    def _matches(self) -> bool:
        return self._done == self._file.size and self._hash.hexdigest() == self._file.sha256

    def _check_space(self) -> None:
        needed = self._file.size - self._done
        free = shutil.disk_usage(self._final.parent).free
        if free < needed:
            raise DiskFull(needed, free)

    def _disk_error(self, error: OSError) -> ClientError:
        if error.errno in FULL:
            return DiskFull(self._file.size - self._done, None)
        return DiskUnwritable(str(error.filename or self._part))

    @property
    def _host(self) -> str:
        from urllib.parse import urlsplit

        return urlsplit(self._file.address).hostname or ""
