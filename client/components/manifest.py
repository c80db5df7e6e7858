"""The signed component manifest; its format and its refusals are in manifest.md beside this file.

Nothing of a manifest is looked at before its signature is known to be good.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Meta

from client.errors import (
    ComponentKeyInvalid,
    ComponentKeyUnset,
    ManifestExpired,
    ManifestForeign,
    ManifestFuture,
    ManifestMalformed,
    ManifestTampered,
)
from client.port import Label
from client.text import clean

Shape = TypeVar("Shape")

TYPE = "hca-bind-components"
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
PATH = "/v1/components/"  # where a service has both
MANIFEST_LIMIT, SIGNATURE_LIMIT = 1024 * 1024, 4096  # bytes
CLOCK_TOLERANCE = timedelta(days=1)  # a list from a later day than today: the clock is wrong
KEY_BYTES, KEY_LIMIT = 32, 2

SIZE_LIMIT = 4 * 1024**3  # bytes; larger than any installer
FIELD = re.compile(r"`\$\.?([^`]*)`")  # where msgspec says that something is wrong


class How(StrEnum):
    """How a component is installed."""

    APT = "apt"  # packages of the distribution; nothing to download
    DEB = "deb"
    MODULE = "module"  # a bare PKCS#11 module
    MSI = "msi"
    EXE = "exe"
    PKG = "pkg"


SYSTEMS = {
    How.APT: {"linux"},
    How.DEB: {"linux"},
    How.MODULE: {"linux", "macos"},
    How.MSI: {"windows"},
    How.EXE: {"windows"},
    How.PKG: {"macos"},
}


@dataclass(frozen=True)
class Platform:
    """`machine` as Linux names it; `distributions` are the system's id and those it is like."""

    system: str
    machine: str
    distributions: frozenset[str] = frozenset()

    def takes(self, wanted: Platform) -> bool:
        """True when something made for `wanted` runs here."""
        return (
            wanted.system == self.system
            and wanted.machine in {"any", self.machine}
            and (not wanted.distributions or bool(wanted.distributions & self.distributions))
        )


@dataclass(frozen=True)
class File:
    """`address` is absolute at a service; in a folder the file is looked up by `name`."""

    name: str
    address: str
    size: int  # bytes
    sha256: str  # 64 lower-case hexadecimal digits


@dataclass(frozen=True)
class Component:
    """One component on the list, its texts cleaned for a terminal."""

    id: str
    part: str  # library, service, driver or module
    name: Label
    version: str
    minimum: str  # empty where any version will do
    licence: str
    platform: Platform
    how: How
    packages: tuple[str, ...] = ()
    cards: frozenset[str] = frozenset()
    usb: frozenset[str] = frozenset()
    file: File | None = None


@dataclass(frozen=True)
class Manifest:
    """A list that was signed by a pinned key; `digest` is the SHA-256 of its bytes."""

    service: str
    serial: int
    issued: datetime
    expires: datetime
    components: tuple[Component, ...]
    digest: str

    def for_platform(self, platform: Platform) -> tuple[Component, ...]:
        return tuple(each for each in self.components if platform.takes(each.platform))


# --- keys and signatures -------------------------------------------------------------------------


def key_name(key: bytes) -> str:
    """The name that a signature's line gives the key."""
    return hashlib.sha256(key).hexdigest()[:16]


def pinned(keys: Sequence[str]) -> dict[str, bytes]:
    """The keys of the settings by name. Raises ComponentKeyUnset, ComponentKeyInvalid."""
    if not keys:
        raise ComponentKeyUnset
    try:
        raw = [base64.b64decode(key, validate=True) for key in keys]
    except (ValueError, binascii.Error) as error:
        raise ComponentKeyInvalid from error
    if len(raw) > KEY_LIMIT or any(len(key) != KEY_BYTES for key in raw):
        raise ComponentKeyInvalid
    return {key_name(key): key for key in raw}


def check_signature(manifest: bytes, signatures: bytes, keys: Mapping[str, bytes]) -> None:
    """One valid signature by a pinned key. Raises ManifestTampered, ManifestForeign."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    lines = [line.split() for line in signatures.decode("ascii", "replace").splitlines()]
    named = [(line[0], line[1]) for line in lines if len(line) == 2]
    if not named:
        raise ManifestTampered
    ours = [(keys[name], text) for name, text in named if name in keys]
    if not ours:
        raise ManifestForeign
    for key, text in ours:
        try:
            signature = base64.b64decode(text, validate=True)
            Ed25519PublicKey.from_public_bytes(key).verify(signature, manifest)
        except (InvalidSignature, ValueError):
            continue
        return
    raise ManifestTampered


# --- the content ---------------------------------------------------------------------------------

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}\Z")]
Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
Version = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9}){0,5}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Package = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9+.-]{0,99}\Z")]  # Debian Policy §5.6.7
Usb = Annotated[str, Meta(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}\Z")]
Time = Annotated[datetime, Meta(tz=True)]
Address = Annotated[str, Meta(pattern=r"^[!-~]{1,500}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=400)]


class _Head(msgspec.Struct):
    """What tells whose list it is; the rest is read only when it is ours."""

    type: str = ""
    service: str = ""


class _Names(msgspec.Struct):
    zh: Text = msgspec.field(name="zh-Hant")
    en: Text


class _Platform(msgspec.Struct):
    system: Literal["linux", "windows", "macos"]
    machine: Literal["x86_64", "i686", "aarch64", "any"]
    distributions: tuple[Id, ...] = ()


class _Install(msgspec.Struct):
    how: How
    packages: tuple[Package, ...] = ()


class _File(msgspec.Struct):
    name: Name
    address: Address
    size: Annotated[int, Meta(gt=0, le=SIZE_LIMIT)]
    sha256: Sha256


class _Component(msgspec.Struct):
    id: Id
    part: Literal["library", "service", "driver", "module"]
    name: _Names
    version: Version
    licence: Text
    platform: _Platform
    install: _Install
    minimum: Version | None = None
    cards: tuple[Name, ...] = ()
    usb: tuple[Usb, ...] = ()
    file: _File | None = None


class _Manifest(msgspec.Struct):
    format: Literal[1]
    service: Text
    serial: Annotated[int, Meta(gt=0, lt=2**53)]
    issued: Time
    expires: Time
    components: tuple[_Component, ...]


def open_manifest(
    content: bytes,
    signatures: bytes,
    keys: Mapping[str, bytes],
    *,
    service: str | None,
    base: str,
) -> Manifest:
    """The list, its signature and form checked; its age is for `check_age`, its serial for `Seen`.

    `service` is the origin it must be for, None where none is configured (an offline folder);
    `base` the address that the files' addresses are relative to, empty for a folder. Raises
    ManifestTampered, ManifestForeign, ManifestMalformed.
    """
    check_signature(content, signatures, keys)
    head = _decode(content, _Head)
    if head.type != TYPE or (service is not None and head.service != service):
        raise ManifestForeign
    data = _decode(content, _Manifest)
    if data.expires <= data.issued:
        raise ManifestMalformed("expires")
    components = tuple(
        _component(each, f"components.{index}", base) for index, each in enumerate(data.components)
    )
    if len({(each.id, each.platform) for each in components}) != len(components):
        raise ManifestMalformed("components")
    return Manifest(
        service=clean(data.service),
        serial=data.serial,
        issued=data.issued.astimezone(UTC),
        expires=data.expires.astimezone(UTC),
        components=components,
        digest=hashlib.sha256(content).hexdigest(),
    )


def check_age(manifest: Manifest, now: datetime) -> None:
    """Raises ManifestExpired, ManifestFuture."""
    if manifest.expires <= now:
        raise ManifestExpired(manifest.expires.date().isoformat())
    if manifest.issued > now + CLOCK_TOLERANCE:
        raise ManifestFuture(manifest.issued.date().isoformat())


def _decode(content: bytes, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.ValidationError as error:
        field = FIELD.search(str(error))
        path = field[1].replace("[", ".").replace("]", "") if field else ""
        raise ManifestMalformed(clean(path, 60)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise ManifestMalformed("JSON") from error


def _component(data: _Component, where: str, base: str) -> Component:
    """What the single members cannot say: that they fit each other."""
    how, platform = data.install.how, data.platform
    if platform.system not in SYSTEMS[how]:
        raise ManifestMalformed(f"{where}.install.how")
    if bool(data.install.packages) != (how is How.APT) or (data.file is None) != (how is How.APT):
        raise ManifestMalformed(f"{where}.install.packages")
    return Component(
        id=data.id,
        part=data.part,
        name=Label(clean(data.name.zh, 60), clean(data.name.en, 60)),
        version=data.version,
        minimum=data.minimum or "",
        licence=clean(data.licence, 80),
        platform=Platform(platform.system, platform.machine, frozenset(platform.distributions)),
        how=how,
        packages=data.install.packages,
        cards=frozenset(data.cards),
        usb=frozenset(data.usb),
        file=None if data.file is None else _file(data.file, f"{where}.file.address", base),
    )


def _file(data: _File, where: str, base: str) -> File:
    address = data.address
    try:
        address = urljoin(base, address)
        parts = urlsplit(address)
        whole = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        whole = False
    if base and not whole:
        raise ManifestMalformed(where)
    return File(data.name, address, data.size, data.sha256)
