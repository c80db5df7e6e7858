"""A real sandbox over TLS, and the client's side of its components."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from client.components.manifest import File
from client.components.progress import Progress
from client.components.source import FolderSource, ServiceSource
from client.components.supply import Supply
from client.sandbox.server import Sandbox

QUICK = (0.0, 0.0, 0.0)  # pauses of a client that does not wait before it tries again


@dataclass
class Desk:
    """One computer: its cache and state are in `home`."""

    sandbox: Sandbox
    home: Path
    reports: list[Progress] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def supply(self, folder: Path | None = None) -> Supply:
        sandbox = self.sandbox
        return Supply(
            ServiceSource(sandbox.url, sandbox.ca_file) if folder is None else FolderSource(folder),
            keys=[sandbox.shelf.public_key],
            service=sandbox.url,
            cache=self.home / "cache",
            state=self.home / "state",
            pauses=QUICK,
        )

    def file(self) -> File:
        """The one on the list with the highest version, of the last component put there."""
        file = self.supply().manifest(self.stop).components[-1].file
        assert file is not None
        return file

    def fetch(self, file: File | None = None) -> Path:
        return self.supply().fetch(file or self.file(), self.reports.append, self.stop)

    def cached(self) -> list[str]:
        """Names of the files that anyone could take for the component."""
        return sorted(
            path.name
            for path in (self.home / "cache").glob("*")
            if path.suffix not in {".part", ".note", ".lock", ".new"}
        )


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def desk(sandbox: Sandbox, tmp_path: Path) -> Iterator[Desk]:
    sandbox.shelf.slow_seconds = 0.02
    yield Desk(sandbox, tmp_path)
    sandbox.faults.clear()
    sandbox.shelf.breaks.clear()


def entry(name: str, **changes: object) -> dict[str, object]:
    """A member of the list's `components` whose file is `name`."""
    return {
        "id": "test-module",
        "part": "module",
        "name": {"zh-Hant": "測試元件", "en": "test module"},
        "version": "1.2.3",
        "licence": "MIT",
        "platform": {"system": "linux", "machine": "any"},
        "cards": ["HPC"],
        "install": {"how": "module"},
        "file": {"name": name},
        **changes,
    }
