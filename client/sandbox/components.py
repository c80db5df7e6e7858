"""The sandbox's components: a signed list, files with Range and ETag, and all their troubles."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from client.components.manifest import (
    CLOCK_TOLERANCE,
    MANIFEST,
    PATH,
    SIGNATURE,
    TYPE,
    key_name,
)
from client.sandbox.faults import JSON, Fault

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

LIFE, RENEW = timedelta(days=30), timedelta(days=7)
BLOCK = 256 * 1024  # bytes sent at a time
SLOW_BLOCK, SLOW_SECONDS = 64 * 1024, 0.15
BREAK_EVERY = 300_000  # bytes; not a multiple of anything
KEY_FILE, PUBLIC_KEY_FILE = "component-key.pem", "component-key"
PRACTICE_SIZE = 3 * 1024 * 1024  # bytes


class Broken(Exception):
    """Ends an answer in the middle; uvicorn then closes the connection."""


class Shelf:
    """What the sandbox offers; `put` adds to it, `faults` and `breaks` spoil it while it runs.

    `breaks`: positions in a file; each answer that reaches the first of them ends there.
    """

    def __init__(self, data: Path, origin: str, faults: AbstractSet[Fault]) -> None:
        """Raises OSError, and ValueError for a key file that holds no key."""
        self.breaks: deque[int] = deque()
        self.slow_seconds = SLOW_SECONDS
        self._origin = origin
        self._faults = faults
        self._key = _key(data)
        self._folder = data / "components"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._serial = int(time.time() * 1000)  # higher after each restart
        self._issued = datetime.now(UTC)
        self._entries: list[dict[str, Any]] = []
        self._asked = 0  # how often the list was asked for
        self._opened: dict[str, int] = {}  # how often each file was
        self._current = b""
        self.put(*_practice())

    @property
    def public_key(self) -> str:
        """What a client pins."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def put(self, entry: dict[str, Any], content: bytes | Path | None = None) -> None:
        """Add a component, a member of the manifest's `components`; its `file` is made here."""
        entry = deepcopy(entry)
        if content is not None:
            path = self._folder / entry["file"]["name"]
            self._opened.pop(path.name, None)
            if isinstance(content, Path):
                path.unlink(missing_ok=True)
                path.symlink_to(content.resolve())
            else:
                path.write_bytes(content)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            entry["file"] |= {
                "address": f"files/{path.name}",
                "size": path.stat().st_size,
                "sha256": digest,
            }
        self._entries = [*(each for each in self._entries if each["id"] != entry["id"]), entry]
        self._renew()

    def _renew(self) -> None:
        self._serial += 1
        self._issued = datetime.now(UTC).replace(microsecond=0)

    def opened(self, name: str) -> int:
        """How often the file was asked for."""
        return self._opened.get(name, 0)

    def export(self, folder: Path) -> None:
        """The same as a folder for `--components`."""
        content = self._list()
        (folder / MANIFEST).write_bytes(content)
        (folder / SIGNATURE).write_bytes(self._signature(content))
        for path in self._folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())

    def routes(self) -> list[Route]:
        from starlette.routing import Route

        return [
            Route(PATH + MANIFEST, self._get_manifest),
            Route(PATH + SIGNATURE, self._get_signature),
            Route(PATH + "files/{name}", self._get_file),
        ]

    # --- the list ---------------------------------------------------------------------------------

    def _list(self) -> bytes:
        now = datetime.now(UTC)
        if now - self._issued > RENEW:
            self._renew()
        manifest: dict[str, Any] = {
            "type": TYPE,
            "format": 1,
            "service": self._origin,
            "serial": self._serial,
            "issued": self._issued,
            "expires": self._issued + LIFE,
            "components": deepcopy(self._entries),
        }
        if self._faults & {Fault.MANIFEST_EXPIRED, Fault.MANIFEST_FUTURE}:
            manifest["serial"] += 1  # another list than the good one
        if Fault.MANIFEST_EXPIRED in self._faults:
            manifest |= {"issued": now - 2 * LIFE, "expires": now - LIFE}
        if Fault.MANIFEST_FUTURE in self._faults:
            manifest |= {"issued": now + 2 * CLOCK_TOLERANCE, "expires": now + LIFE}
        if Fault.MANIFEST_REPLAYED in self._faults:
            manifest["serial"] -= self._asked
        if Fault.MANIFEST_CHANGED in self._faults:
            manifest["expires"] += timedelta(seconds=self._asked)
        if Fault.MANIFEST_SERVICE in self._faults:
            manifest["service"] = "https://reports.example.invalid"
        if Fault.MANIFEST_MALFORMED in self._faults:
            manifest["components"][0]["install"]["how"] = "magic"
        return json.dumps(manifest, default=datetime.isoformat, ensure_ascii=False).encode()

    def _signature(self, content: bytes) -> bytes:
        if Fault.MANIFEST_UNSIGNED in self._faults:
            return b""
        key = self._key
        if Fault.MANIFEST_FOREIGN in self._faults:
            key = _new_key()
        name = key_name(key.public_key().public_bytes_raw())
        return f"{name} {base64.b64encode(key.sign(content)).decode()}\n".encode()

    async def _get_manifest(self, _request: Request) -> Response:
        from starlette.exceptions import HTTPException
        from starlette.responses import Response

        if Fault.MANIFEST_MISSING in self._faults:
            raise HTTPException(404)
        self._current = sent = self._list()
        self._asked += 1
        if Fault.MANIFEST_TAMPERED in self._faults:
            sent = sent.replace(b'"size": ', b'"size": 1', 1)
        return Response(sent, media_type=JSON)

    async def _get_signature(self, _request: Request) -> Response:
        from starlette.responses import Response

        content = self._current or self._list()
        return Response(self._signature(content), media_type="text/plain")

    # --- the files --------------------------------------------------------------------------------

    async def _get_file(self, request: Request) -> Response:
        from starlette.exceptions import HTTPException
        from starlette.responses import Response, StreamingResponse

        name = request.path_params["name"]
        entry = next((e for e in self._entries if e.get("file", {}).get("name") == name), None)
        if entry is None or Fault.FILE_MISSING in self._faults:
            raise HTTPException(404)
        self._opened[name] = self._opened.get(name, 0) + 1
        sending = _Sending(self._folder / name, entry["file"], self._faults, self._opened[name])
        status, headers, start = sending.answer(request.headers)
        if status == 416:
            return Response(b"", status, headers)
        blocks = self._blocks(sending, start)
        return StreamingResponse(blocks, status, headers, "application/octet-stream")

    async def _blocks(self, sending: _Sending, start: int) -> AsyncIterator[bytes]:
        import asyncio

        slow = Fault.FILE_SLOW in self._faults
        at = start
        for block in sending.blocks(start, SLOW_BLOCK if slow else BLOCK):
            limits = [at + len(block), *sending.limits(start)]
            if self.breaks and self.breaks[0] >= start:
                limits.append(self.breaks[0])
            until = max(at, min(limits))
            yield block[: until - at]
            if until < at + len(block):
                if self.breaks and self.breaks[0] == until:
                    self.breaks.popleft()
                raise Broken
            at = until
            await asyncio.sleep(self.slow_seconds if slow else 0)  # also to notice who hung up


class _Sending:
    """One answer with a file, as the faults want it."""

    def __init__(
        self, path: Path, file: dict[str, Any], faults: AbstractSet[Fault], turn: int
    ) -> None:
        self._path = path
        self._size: int = file["size"]
        self._faults = faults
        self._first = turn == 1
        first_version = self._first and bool(faults & {Fault.FILE_REPLACED, Fault.FILE_SAME_ETAG})
        self._other = first_version or Fault.FILE_OTHER in faults
        old = first_version and Fault.FILE_REPLACED in faults
        self._etag = '"' + ("old-" if old else "") + file["sha256"][:32] + '"'

    def answer(self, headers: Any) -> tuple[int, dict[str, str], int]:
        """Status, headers and the first byte; RFC 9110 §14 for one range to the end."""
        answer = {"ETag": self._etag, "Accept-Ranges": "bytes", "Cache-Control": "no-transform"}
        asked = headers.get("range", "")
        first = asked.removeprefix("bytes=").removesuffix("-")
        current = headers.get("if-range", self._etag) == self._etag
        whole = Fault.FILE_NO_RANGE in self._faults or not current
        if not (asked.startswith("bytes=") and first.isascii() and first.isdigit()) or whole:
            announced = self._size
            announced -= 1000 if Fault.FILE_SHORT in self._faults else 0
            announced += 1000 if Fault.FILE_LONG in self._faults else 0
            if Fault.FILE_ENDLESS not in self._faults:
                answer["Content-Length"] = str(announced)
            return 200, answer, 0
        start = int(first[:15])
        if start >= self._size:
            return 416, {**answer, "Content-Range": f"bytes */{self._size}"}, 0
        if Fault.FILE_WRONG_RANGE in self._faults:
            start //= 2
        answer["Content-Range"] = f"bytes {start}-{self._size - 1}/{self._size}"
        answer["Content-Length"] = str(self._size - start)
        return 206, answer, start

    def limits(self, start: int) -> list[int]:
        """Where this answer ends too early."""
        once = {
            Fault.FILE_REPLACED,
            Fault.FILE_SAME_ETAG,
            Fault.FILE_NO_RANGE,
            Fault.FILE_WRONG_RANGE,
        }
        middle = Fault.FILE_CUT in self._faults or (self._first and bool(self._faults & once))
        return [
            *([self._size // 2] if middle else []),
            *([start + BREAK_EVERY] if Fault.FILE_BREAK in self._faults else []),
        ]

    def blocks(self, start: int, size: int) -> Any:
        extra = bool(self._faults & {Fault.FILE_LONG, Fault.FILE_ENDLESS})
        with self._path.open("rb") as file:
            file.seek(start)
            while block := file.read(size):
                yield bytes(255 - byte for byte in block) if self._other else block
        if extra:
            yield bytes(1000)


def _practice() -> tuple[dict[str, Any], bytes]:
    """A component to practise on: no program, only bytes of a size that takes a moment."""
    entry = {
        "id": "practice-module",
        "part": "module",
        "name": {"zh-Hant": "練習用卡片元件", "en": "card module for practice"},
        "version": "1.0.0",
        "licence": "MIT",
        "platform": {"system": "linux", "machine": "any"},
        "cards": ["PRACTICE"],
        "install": {"how": "module"},
        "file": {"name": "libpractice-pkcs11.so"},
    }
    return entry, random.Random(5).randbytes(PRACTICE_SIZE)  # noqa: S311 - no secret


def _new_key() -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def _key(data: Path) -> Ed25519PrivateKey:
    """The sandbox's own signing key; its public half lies beside it, to be pinned."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    from client.sandbox.tls import write

    try:
        key = load_pem_private_key((data / KEY_FILE).read_bytes(), None)
    except FileNotFoundError:
        key = _new_key()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write(data / KEY_FILE, pem)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")
    public = base64.b64encode(key.public_key().public_bytes_raw())
    write(data / PUBLIC_KEY_FILE, public + b"\n")
    return key
