"""Where a list and its files come from: the service, or a folder for places without internet."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import urlsplit

from client.address import Address, parse_address
from client.components.manifest import PATH, File
from client.errors import (
    ClientCancelled,
    ClientError,
    FileMissing,
    FileSizeWrong,
    ManifestMissing,
    ServiceNonsense,
)

if TYPE_CHECKING:
    import ssl

    import httpx

    from client.line import Line

READ = 1024 * 1024  # bytes at a time from a folder
TIMEOUT = 20.0  # seconds for each step of an exchange
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")  # RFC 9110 §14.4
STRONG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')  # a strong entity tag: RFC 9110 §8.8.3
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "hca-bind"}


@dataclass(frozen=True)
class Body:
    """Bytes of a file from `start` on, -1 where they fit nowhere.

    `validator` tells the file's versions apart, empty if nothing does. `parts` raises
    ClientError where the transfer breaks.
    """

    start: int
    validator: str
    parts: Iterator[bytes | memoryview]


class Source(Protocol):
    """Both calls block; `cancel` makes them raise ClientCancelled, from any thread."""

    @property
    def base(self) -> str:
        """What the addresses in the list are relative to; empty for a folder."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """The list or its signatures. Raises ManifestMissing, ClientError."""
        ...

    def open(self, file: File, offset: int, validator: str) -> AbstractContextManager[Body]:
        """The file from `offset` on if it is still the version of `validator`, else from 0.

        Raises FileMissing, FileSizeWrong, ClientError.
        """
        ...

    def cancel(self) -> None: ...


class ServiceSource:
    """The list at a service, the files at the https:// addresses that the list gives.

    Proxies are those of the environment. No redirects: an address in the list is what was signed.
    """

    def __init__(self, origin: str, ca_file: Path | None = None, timeout: float = TIMEOUT) -> None:
        self._origin = parse_address(origin)
        self._ca_file = ca_file
        self._timeout = timeout
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._context: ssl.SSLContext | None = None

    @property
    def base(self) -> str:
        return self._origin.origin + PATH

    def read(self, name: str, limit: int) -> bytes:
        content = bytearray()
        with self._exchange(self._origin, PATH + name, {}) as (line, response):
            if response.status_code in {404, 410}:
                raise ManifestMissing
            if response.status_code != 200:
                raise _refusal(response)
            for part in line.body_parts(response):
                content += part
                if len(content) > limit:
                    raise ServiceNonsense
        return bytes(content)

    @contextmanager
    def open(self, file: File, offset: int, validator: str) -> Iterator[Body]:
        parts = urlsplit(file.address)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        partly = offset > 0 and STRONG.fullmatch(validator) is not None
        headers = {"Range": f"bytes={offset}-", "If-Range": validator} if partly else {}
        address = parse_address(f"https://{parts.netloc}")
        with self._exchange(address, path, headers) as (line, response):
            yield Body(
                start=_start(response, file, offset if partly else 0, validator),
                validator=_validator(response),
                parts=line.long_body_parts(response, self._timeout),
            )

    def cancel(self) -> None:
        with self._lock:
            lines = tuple(self._lines)
        for line in lines:
            line.abandon()

    @contextmanager
    def _exchange(
        self, address: Address, path: str, headers: dict[str, str]
    ) -> Iterator[tuple[Line, httpx.Response]]:
        from client.line import Line, Request
        from client.trust import tls_context

        with self._lock:
            if self._context is None:
                self._context = tls_context(self._ca_file)
            line = Line(address, self._context)
            self._lines.append(line)
        try:
            request = Request("GET", path, {**HEADERS, **headers})
            with line.stream(request, self._timeout) as response:
                yield line, response
        except ClientError as error:
            if line.abandoned:
                raise ClientCancelled from error
            raise
        finally:
            with self._lock:
                self._lines.remove(line)
            line.close()


class FolderSource:
    """A folder with the list, its signatures and the files, all under their own names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.base = ""

    def read(self, name: str, limit: int) -> bytes:
        try:
            with (self._folder / name).open("rb") as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise ManifestMissing from error
        if len(content) > limit:
            raise ServiceNonsense
        return content

    @contextmanager
    def open(self, file: File, offset: int, validator: str) -> Iterator[Body]:
        try:
            stream = (self._folder / file.name).open("rb")
        except OSError as error:
            raise FileMissing(file.name) from error
        with stream:
            status = (self._folder / file.name).stat()
            if status.st_size != file.size:
                raise FileSizeWrong(file.name, file.size, status.st_size)
            version = f"{status.st_size}-{status.st_mtime_ns}"
            start = offset if version == validator else 0
            stream.seek(start)
            yield Body(start, version, _blocks(stream, file))

    def cancel(self) -> None:
        """Nothing blocks for long here."""


def _blocks(stream: BinaryIO, file: File) -> Iterator[bytes]:
    try:
        while block := stream.read(READ):
            yield block
    except OSError as error:  # a memory stick that was pulled out
        raise FileMissing(file.name) from error


def _start(response: httpx.Response, file: File, offset: int, validator: str) -> int:
    """Where the body of this answer belongs, -1 where it fits nowhere and none should be used."""
    status, headers = response.status_code, response.headers
    if status in {404, 410}:
        raise FileMissing(file.name)
    if status == 416 and offset:
        return -1
    length = headers.get("content-length", "")
    offered = int(length) if length.isascii() and length.isdigit() else None
    if status == 206 and offset:
        found = CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if found is None or headers.get("etag", validator) != validator:
            return -1
        first, last, size = (int(number) for number in found.groups())
        if size != file.size:
            raise FileSizeWrong(file.name, file.size, size)
        if (first, last) != (offset, file.size - 1) or offered not in {None, file.size - offset}:
            return -1
        return offset
    if status != 200:
        raise _refusal(response)
    if offered not in {None, file.size}:
        raise FileSizeWrong(file.name, file.size, offered or 0)
    return 0


def _validator(response: httpx.Response) -> str:
    """The strong entity tag; a weak one cannot tell whether two ranges are of one version."""
    tag: str = response.headers.get("etag", "")
    return tag if STRONG.fullmatch(tag) else ""


def _refusal(response: httpx.Response) -> ClientError:
    from client.failures import from_answer
    from client.line import Answer

    seconds = response.headers.get("retry-after", "")
    retry_after = int(seconds) if seconds.isascii() and seconds.isdigit() else None
    return from_answer(Answer(response.status_code, "", b"", retry_after))
