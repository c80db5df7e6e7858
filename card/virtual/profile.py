"""What a virtual card is like: a TOML file becomes a frozen Profile."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TypeVar

from card.apdu import Ins
from card.errors import ProfileInvalid
from card.port import CardCategory

_Value = TypeVar("_Value")
_Name = TypeVar("_Name", bound=StrEnum)


class Kind(StrEnum):
    """What lies in the reader."""

    PKCS15 = "pkcs15"
    PIV = "piv"
    FOREIGN = "foreign"  # a working card without any application that we know
    MUTE = "mute"  # gives no ATR: upside down, dirty or broken


class KeyType(StrEnum):
    RSA = "RSA"
    EC = "EC"  # P-256


class Status(StrEnum):
    """What the test CA has to say of the certificate, where somebody asks."""

    GOOD = "good"
    REVOKED = "revoked"
    ON_HOLD = "on-hold"


class Trouble(StrEnum):
    """What can happen to a command in place of its answer."""

    MUTE = "mute"  # the card stops answering until it is powered again
    REMOVE = "remove"  # the card leaves the reader
    EMPTY = "empty"  # no byte at all, not even a status word
    GARBAGE = "garbage"  # 9000 after bytes that mean nothing


@dataclass(frozen=True)
class Place:
    """Where a fault happens: at every command for which all that is set here is so.

    `number` counts commands since power on, from 1. `data` False is a VERIFY that only asks for
    the tries left, True one with a PIN.
    """

    ins: int | None = None
    data: bool | None = None
    number: int | None = None

    def covers(self, command: bytes, number: int) -> bool:
        """True when this is the place of the `number`th command APDU."""
        return (
            self.ins in (None, *command[1:2])
            and self.data in (None, len(command) > 5)
            and self.number in (None, number)
        )


PLACES = {
    "SELECT": Place(Ins.SELECT),
    "READ BINARY": Place(Ins.READ_BINARY),
    "GET RESPONSE": Place(Ins.GET_RESPONSE),
    "TRIES": Place(Ins.VERIFY, data=False),
    "VERIFY": Place(Ins.VERIFY, data=True),
    "MSE": Place(Ins.MANAGE_SECURITY_ENVIRONMENT),
    "PSO": Place(Ins.PERFORM_SECURITY_OPERATION),
    "GENERAL AUTHENTICATE": Place(Ins.GENERAL_AUTHENTICATE),
}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    `answer` is a whole response APDU or a Trouble. `count` None means every time. `processed`: the
    card obeys first and only the answer is lost.
    """

    at: Place
    answer: bytes | Trouble
    count: int | None = None
    processed: bool = False


@dataclass(frozen=True)
class PinProfile:
    """The PIN of a test card; lengths in characters."""

    value: bytes = b"Test-123"
    tries: int = 3
    tries_left: int = 3
    minimum: int = 6
    maximum: int = 8
    digits_only: bool = False
    padded: bool = False  # VERIFY carries `maximum` bytes, filled up with FF
    shared: bool = False  # PIV: the Global PIN of the whole card, not the application's own

    def __repr__(self) -> str:
        return f"PinProfile(tries={self.tries}, tries_left={self.tries_left})"


PIV_PIN = PinProfile(value=b"123456", digits_only=True, padded=True)  # SP 800-73-5 part 2 §2.4.3


@dataclass(frozen=True)
class KeyProfile:
    type: KeyType = KeyType.RSA
    size: int = 2048  # bits


@dataclass(frozen=True)
class CertificateProfile:
    """The signing certificate; an `int` date is days from today, midnight UTC."""

    holder: str = "測試員甲"
    category: CardCategory | None = CardCategory.HPC  # None: no subjectDirectoryAttributes
    not_before: date | int = -365
    not_after: date | int = 4 * 365
    digital_signature: bool = True  # False: keyUsage has keyEncipherment instead
    client_auth: bool = False  # an extendedKeyUsage with clientAuth
    malformed: bool = False  # BER that is not DER
    compressed: bool = False  # PIV: kept as gzip
    status: Status = Status.GOOD  # for whom the CA's register is asked

    def validity(self) -> tuple[datetime, datetime]:
        """notBefore and notAfter, in UTC."""
        return _moment(self.not_before), _moment(self.not_after)


@dataclass(frozen=True)
class Profile:
    """One virtual card. `response_limit`: longer answers come in parts, by GET RESPONSE."""

    kind: Kind = Kind.PKCS15
    label: str = "TEST HPC 測試卡"
    serial: str = "TEST0000000001"
    atr: bytes | None = None  # None: the virtual card's own
    extended_length: bool = True
    response_limit: int = 65536  # bytes
    pin: PinProfile = field(default_factory=PinProfile)
    key: KeyProfile = field(default_factory=KeyProfile)
    certificate: CertificateProfile = field(default_factory=CertificateProfile)
    faults: tuple[Fault, ...] = ()

    @staticmethod
    def names() -> tuple[str, ...]:
        """The profiles that come with the program."""
        files = resources.files("card.virtual").joinpath("profiles").iterdir()
        return tuple(sorted(Path(file.name).stem for file in files if file.name.endswith(".toml")))

    @staticmethod
    def named(name: str) -> Profile:
        """One of `names()`. Raises ProfileInvalid("name")."""
        if name not in Profile.names():
            raise ProfileInvalid("name")
        file = resources.files("card.virtual").joinpath("profiles", f"{name}.toml")
        return Profile.parse(file.read_text(encoding="utf-8"))

    @staticmethod
    def load(path: Path) -> Profile:
        """A profile from a file. Raises ProfileInvalid("file"), or with the key that is wrong."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileInvalid("file") from error
        return Profile.parse(text)

    @staticmethod
    def parse(toml: str) -> Profile:
        """A profile from TOML text; what is left out has its default. Raises ProfileInvalid."""
        try:
            table = _Table(tomllib.loads(toml))
        except tomllib.TOMLDecodeError as error:
            raise ProfileInvalid("file") from error
        kind = table.take("kind", _one_of(Kind), Kind.PKCS15)
        profile = Profile(
            kind=kind,
            label=table.take("label", _text, Profile.label),
            serial=table.take("serial", _text, Profile.serial),
            atr=table.take("atr", _atr, None),
            extended_length=table.take("extended_length", _flag, True),
            response_limit=table.take("response_limit", _between(1, 65536), 65536),
            pin=_pin(table.child("pin"), PIV_PIN if kind is Kind.PIV else PinProfile()),
            key=_key(table.child("key")),
            certificate=_certificate(table.child("certificate")),
            faults=tuple(_fault(child) for child in table.children("fault")),
        )
        table.close()
        return profile


def _moment(day: date | int) -> datetime:
    if isinstance(day, int):
        day = datetime.now(UTC).date() + timedelta(days=day)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class _Table:
    """A TOML table that is emptied key by key, so that an unknown key cannot hide in it."""

    def __init__(self, values: dict[str, object], path: str = "") -> None:
        self._values = values
        self._path = path

    def take(self, key: str, convert: Callable[[object], _Value], default: _Value) -> _Value:
        """The value of `key`, taken out and converted. Raises ProfileInvalid."""
        return self.need(key, convert) if key in self._values else default

    def need(self, key: str, convert: Callable[[object], _Value]) -> _Value:
        """As `take`, and ProfileInvalid where the key is missing."""
        try:
            return convert(self._values.pop(key, None))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise self.refuse(key) from error

    def child(self, key: str) -> _Table:
        value = self._values.pop(key, {})
        if not isinstance(value, dict):
            raise ProfileInvalid(self._path + key)
        return _Table(value, f"{self._path}{key}.")

    def children(self, key: str) -> list[_Table]:
        values = self._values.pop(key, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise ProfileInvalid(self._path + key)
        return [_Table(value, f"{self._path}{key}.") for value in values]

    def refuse(self, key: str) -> ProfileInvalid:
        return ProfileInvalid(self._path + key)

    def close(self) -> None:
        """Raises ProfileInvalid for a key that nobody took."""
        for key in self._values:
            raise self.refuse(key)


def _pin(table: _Table, default: PinProfile) -> PinProfile:
    tries = table.take("tries", _between(1, 15), default.tries)  # 63Cx counts to 15
    maximum = table.take("maximum", _between(1, 64), default.maximum)
    pin = PinProfile(
        value=table.take("value", lambda value: _text(value).encode(), default.value),
        tries=tries,
        tries_left=table.take("tries_left", _between(0, tries), tries),
        minimum=table.take("minimum", _between(1, maximum), min(default.minimum, maximum)),
        maximum=maximum,
        digits_only=table.take("digits_only", _flag, default.digits_only),
        padded=table.take("padded", _flag, default.padded),
        shared=table.take("shared", _flag, default.shared),
    )
    if not pin.minimum <= len(pin.value) <= pin.maximum:
        raise table.refuse("value")
    if pin.digits_only and not pin.value.isdigit():
        raise table.refuse("value")
    table.close()
    return pin


def _key(table: _Table) -> KeyProfile:
    default = KeyProfile()
    kind = table.take("type", _one_of(KeyType), default.type)
    key = KeyProfile(
        type=kind,
        size=table.take("size", _between(1024, 4096), default.size if kind is KeyType.RSA else 256),
    )
    table.close()
    return key


def _certificate(table: _Table) -> CertificateProfile:
    default = CertificateProfile()
    certificate = CertificateProfile(
        holder=table.take("holder", _text, default.holder),
        category=table.take("category", _category, default.category),
        not_before=table.take("not_before", _day, default.not_before),
        not_after=table.take("not_after", _day, default.not_after),
        digital_signature=table.take("digital_signature", _flag, default.digital_signature),
        client_auth=table.take("client_auth", _flag, default.client_auth),
        malformed=table.take("malformed", _flag, default.malformed),
        compressed=table.take("compressed", _flag, default.compressed),
        status=table.take("status", _one_of(Status), default.status),
    )
    not_before, not_after = certificate.validity()
    if not_after < not_before:
        raise table.refuse("not_after")
    table.close()
    return certificate


def _fault(table: _Table) -> Fault:
    fault = Fault(
        at=table.need("at", _place),
        answer=table.need("answer", _answer),
        count=table.take("count", _between(1, 65536), None),
        processed=table.take("processed", _flag, False),
    )
    table.close()
    return fault


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _between(least: int, most: int) -> Callable[[object], int]:
    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError
        return value

    return convert


def _one_of(kind: type[_Name]) -> Callable[[object], _Name]:
    return lambda value: kind(_text(value))


def _atr(value: object) -> bytes:
    atr = bytes.fromhex(_text(value))
    if not 2 <= len(atr) <= 33:  # ISO 7816-3 §8.2.1
        raise ValueError
    return atr


def _category(value: object) -> CardCategory | None:
    return None if value == "none" else _one_of(CardCategory)(value)


def _day(value: object) -> date | int:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return _between(-100 * 365, 100 * 365)(value)


def _place(value: object) -> Place:
    """A name of PLACES, the number of an instruction, or `#7` for the seventh command."""
    if isinstance(value, str) and value.startswith("#"):
        return Place(number=_between(1, 65536)(int(value[1:])))
    if isinstance(value, str):
        return PLACES[value]
    return Place(_between(0, 0xFF)(value))


def _answer(value: object) -> bytes | Trouble:
    text = _text(value)
    return Trouble(text) if text in set(Trouble) else bytes.fromhex(text)
