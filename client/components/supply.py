"""The components of one service or folder: its list, and the files on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from client.components import download
from client.components.manifest import (
    MANIFEST,
    MANIFEST_LIMIT,
    SIGNATURE,
    SIGNATURE_LIMIT,
    File,
    Manifest,
    open_manifest,
    pinned,
)
from client.components.progress import Meter, Progress
from client.components.seen import Seen
from client.components.source import Source
from client.errors import ClientCancelled, ClientError, ManifestTampered


class Supply:
    """Blocking calls; set their `stop`, then call `cancel`, to end them from another thread.

    `service` is the origin that the list must be for, None where none is configured. `cache` and
    `state` are folders that are made when needed.
    """

    def __init__(
        self,
        source: Source,
        *,
        keys: Sequence[str],
        service: str | None,
        cache: Path,
        state: Path,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pauses: tuple[float, ...] = download.PAUSES,
    ) -> None:
        self._source = source
        self._keys = tuple(keys)
        self._service = service
        self._cache = cache
        self._seen = Seen(state / "components.json")
        self._now = now
        self._pauses = pauses

    def manifest(self, stop: threading.Event) -> Manifest:
        """The present list. Raises ComponentKeyUnset, ComponentKeyInvalid, ManifestMissing,

        ManifestTampered, ManifestForeign, ManifestMalformed, ManifestRollback, ManifestChanged,
        ManifestExpired, ManifestFuture, SeenUnusable, and what reaching the service raises.
        """
        keys = pinned(self._keys)
        try:
            manifest = self._read(keys, stop)
        except ManifestTampered:  # a new list may have come between its two files
            manifest = self._read(keys, stop)
        self._seen.admit(manifest, self._now())
        return manifest

    def fetch(self, file: File, report: Callable[[Progress], None], stop: threading.Event) -> Path:
        """The file, verified; raises as `download.fetch`. `report` is called twice a second."""
        return download.fetch(
            file,
            self._source,
            self._cache,
            report=Meter(file.size, report),
            stop=stop,
            pauses=self._pauses,
        )

    def cancel(self) -> None:
        """Break what waits for the network; what runs raises ClientCancelled once `stop` is set."""
        self._source.cancel()

    def _read(self, keys: dict[str, bytes], stop: threading.Event) -> Manifest:
        return open_manifest(
            self._patiently(MANIFEST, MANIFEST_LIMIT, stop),
            self._patiently(SIGNATURE, SIGNATURE_LIMIT, stop),
            keys,
            service=self._service,
            base=self._source.base,
        )

    def _patiently(self, name: str, limit: int, stop: threading.Event) -> bytes:
        for pause in self._pauses[:2]:
            try:
                return self._source.read(name, limit)
            except ClientError as error:
                if not error.retriable:
                    raise
                if stop.wait(pause):
                    raise ClientCancelled from error
        return self._source.read(name, limit)
