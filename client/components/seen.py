"""The lists seen before, so that an older one is not taken again (TUF specification §5.4.4)."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec

from client.components.lock import locked
from client.components.manifest import Manifest, check_age
from client.errors import DiskUnwritable, ManifestChanged, ManifestRollback, SeenUnusable


class Last(msgspec.Struct, frozen=True):
    """The newest list of one service; `sha256` is that of its bytes."""

    serial: int
    sha256: str


class Seen:
    """A JSON file of the newest list of each service."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def admit(self, manifest: Manifest, now: datetime) -> None:
        """Take the list as the newest, unless it is older than one seen before or too old.

        Raises ManifestRollback, ManifestChanged, ManifestExpired, ManifestFuture, SeenUnusable. A
        record that cannot be read is an error and not a fresh start: whoever could spoil it could
        replay any list.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self._path.with_suffix(".lock")):
                self._admit(manifest, now)
        except (OSError, DiskUnwritable, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise SeenUnusable(str(self._path)) from error

    def _admit(self, manifest: Manifest, now: datetime) -> None:
        try:
            known = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Last])
        except FileNotFoundError:
            known = {}
        this = Last(manifest.serial, manifest.digest)
        last = known.get(manifest.service)
        if last is not None and this.serial < last.serial:
            raise ManifestRollback(this.serial, last.serial)
        if last is not None and this.serial == last.serial and this != last:
            raise ManifestChanged(this.serial)
        check_age(manifest, now)
        if this != last:
            replace(self._path, msgspec.json.encode({**known, manifest.service: this}))


def replace(path: Path, content: bytes) -> None:
    """Write `content` as `path` in one step that a crash cannot halve. Raises OSError."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` outlast a power cut, where the system can (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
