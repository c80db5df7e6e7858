"""The objects of a PKCS#15 application as dataclasses, parsed from its files (PKCS#15 v1.1 §6).

The formats are ASN.1 with implicit tags; unknown objects and extensions are passed over, what is
known must be right. Everything raises CardDataMalformed with the file's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from card import tlv
from card.errors import CardDataMalformed
from card.tlv import Fields

MF = b"\x3f\x00"
BOOLEAN = 0x01
CONTEXT_0, CONTEXT_1, CONTEXT_2 = 0xA0, 0xA1, 0xA2  # [n], constructed


@dataclass(frozen=True)
class Path:
    """Where a file lies: file identifiers in a row, and which part of it is meant (§6.1.5)."""

    value: bytes
    index: int = 0  # bytes
    length: int | None = None  # bytes; None: to its end

    @property
    def absolute(self) -> bool:
        return self.value.startswith(MF)

    @property
    def folder(self) -> bytes:
        """The path of the DF that the file lies in; empty for a bare file identifier."""
        return self.value[:-2]


@dataclass(frozen=True)
class Location:
    """Objects of one kind: a path to a file of them, or the objects themselves (§6.2)."""

    path: Path | None
    objects: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Directory:
    """EF.ODF, as far as a signature needs it (§6.2)."""

    private_keys: tuple[Location, ...]
    certificates: tuple[Location, ...]
    authentication: tuple[Location, ...]
    authorities: tuple[Location, ...]  # trusted and useful certificates, where they are listed


@dataclass(frozen=True)
class Algorithm:
    """One of the card's supportedAlgorithms; `mechanism` is a PKCS#11 CKM_ number (§6.10)."""

    reference: int
    mechanism: int
    signs: bool
    card_reference: int | None  # what MSE SET names it by


@dataclass(frozen=True)
class TokenInfo:
    """EF.TokenInfo (§6.10); `label` is the card's own bytes, not yet cleaned for a terminal."""

    serial: bytes
    label: str
    algorithms: tuple[Algorithm, ...]


class PinType(IntEnum):
    """How a PIN's characters become bytes (§6.9.2)."""

    BCD = 0
    ASCII_NUMERIC = 1
    UTF8 = 2
    HALF_NIBBLE_BCD = 3
    ISO9564_1 = 4


class PinFlag(IntEnum):
    """Bits of PinFlags (§6.9.2)."""

    CASE_SENSITIVE = 0
    LOCAL = 1
    INITIALIZED = 4
    NEEDS_PADDING = 5
    UNBLOCKING = 6
    SECURITY_OFFICER = 7
    INTEGRITY_PROTECTED = 9
    CONFIDENTIALITY_PROTECTED = 10


@dataclass(frozen=True)
class PinObject:
    """One PIN of the AODF (§6.9.2); lengths in characters, `stored` in bytes."""

    auth_id: bytes
    flags: frozenset[int]
    type: int  # a PinType, or one that was defined later
    minimum: int
    stored: int
    maximum: int | None
    reference: int  # P2 of VERIFY
    pad: int | None
    path: Path | None


class KeyUsage(IntEnum):
    """Bits of KeyUsageFlags (§6.3.2) that matter to a signature."""

    SIGN = 2
    NON_REPUDIATION = 9


@dataclass(frozen=True)
class PrivateKey:
    """One key of the PrKDF (§6.4); `elliptic` is an EC key, else RSA."""

    id: bytes
    usage: frozenset[int]
    elliptic: bool
    auth_id: bytes | None
    reference: int | None
    path: Path | None
    algorithms: frozenset[int]  # references into TokenInfo; empty: any


@dataclass(frozen=True)
class CertificateObject:
    """One X.509 certificate of a CDF (§6.7): where it lies, or its DER."""

    id: bytes
    authority: bool
    path: Path | None
    der: bytes = field(default=b"", repr=False)


def directory(data: bytes) -> Directory:
    """EF.ODF: which file holds objects of which kind (§6.2)."""
    kinds: dict[int, list[Location]] = {tag: [] for tag in (0xA0, 0xA4, 0xA5, 0xA6, 0xA8)}
    for entry in tlv.parse(data, "EF.ODF"):
        if entry.tag in kinds:
            choice = Fields(entry.value, "EF.ODF").take(tlv.SEQUENCE, CONTEXT_0)
            kinds[entry.tag].append(
                Location(_path(choice.value, "EF.ODF"))
                if choice.tag == tlv.SEQUENCE
                else Location(None, choice.value)
            )
    return Directory(
        private_keys=tuple(kinds[0xA0]),
        certificates=tuple(kinds[0xA4]),
        authentication=tuple(kinds[0xA8]),
        authorities=tuple(kinds[0xA5] + kinds[0xA6]),
    )


def token_info(data: bytes) -> TokenInfo:
    """EF.TokenInfo, in ISO/IEC 7816-15 EF.CIAInfo (§6.10)."""
    file = "EF.TokenInfo"
    fields = Fields(Fields(data, file).take(tlv.SEQUENCE).value, file)
    fields.take(tlv.INTEGER)
    serial = fields.optional(tlv.OCTET_STRING)
    fields.optional(tlv.UTF8_STRING)  # manufacturerID
    label = fields.optional(0x80)
    fields.take(tlv.BIT_STRING)
    fields.optional(tlv.SEQUENCE)  # seInfo
    fields.optional(CONTEXT_1)  # recordInfo
    algorithms = fields.optional(CONTEXT_2)
    return TokenInfo(
        serial=serial.value if serial else b"",
        label=label.value.decode(errors="replace") if label else "",
        algorithms=tuple(
            _algorithm(Fields(entry.value, file), file)
            for entry in (tlv.parse(algorithms.value, file) if algorithms else ())
        ),
    )


def _algorithm(fields: Fields, file: str) -> Algorithm:
    reference = tlv.integer(fields.take(tlv.INTEGER).value, file)
    mechanism = tlv.integer(fields.take(tlv.INTEGER).value, file)
    operations = fields.optional(tlv.BIT_STRING)
    if operations is None:
        fields.skip()  # parameters: NULL, or what the mechanism defines
        operations = fields.take(tlv.BIT_STRING)
    fields.optional(tlv.OID)
    card_reference = fields.optional(tlv.INTEGER)
    return Algorithm(
        reference=reference,
        mechanism=mechanism,
        signs=1 in tlv.named_bits(operations.value, file),
        card_reference=_reference(card_reference.value, file) if card_reference else None,
    )


def pins(data: bytes) -> tuple[PinObject, ...]:
    """The PINs of an AODF; biometric and key objects are passed over (§6.9)."""
    file = "AODF"
    return tuple(
        _pin(entry.value, file) for entry in tlv.parse(data, file) if entry.tag == tlv.SEQUENCE
    )


def _pin(value: bytes, file: str) -> PinObject:
    parts = _object(value, file)
    fields = parts.type
    flags = tlv.named_bits(fields.take(tlv.BIT_STRING).value, file)
    kind = tlv.integer(fields.take(tlv.ENUMERATED).value, file)
    minimum = tlv.integer(fields.take(tlv.INTEGER).value, file)
    stored = tlv.integer(fields.take(tlv.INTEGER).value, file)
    maximum = fields.optional(tlv.INTEGER)
    reference = fields.optional(0x80)
    pad = fields.optional(tlv.OCTET_STRING)
    fields.optional(0x18)  # lastPinChange, GeneralizedTime
    path = fields.optional(tlv.SEQUENCE)
    if minimum < 0 or stored < 0 or (pad and len(pad.value) != 1):
        raise CardDataMalformed(file)
    return PinObject(
        auth_id=parts.kind.take(tlv.OCTET_STRING).value,
        flags=flags,
        type=kind,
        minimum=minimum,
        stored=stored,
        maximum=tlv.integer(maximum.value, file) if maximum else None,
        reference=_reference(reference.value, file) if reference else 0,
        pad=pad.value[0] if pad else None,
        path=_path(path.value, file) if path else None,
    )


def private_keys(data: bytes) -> tuple[PrivateKey, ...]:
    """The RSA and EC keys of a PrKDF (§6.4)."""
    file = "PrKDF"
    return tuple(
        _private_key(entry.value, elliptic=entry.tag == CONTEXT_0)
        for entry in tlv.parse(data, file)
        if entry.tag in (tlv.SEQUENCE, CONTEXT_0)
    )


def _private_key(value: bytes, elliptic: bool) -> PrivateKey:
    file = "PrKDF"
    parts = _object(value, file)
    classes = parts.kind
    identifier = classes.take(tlv.OCTET_STRING).value
    usage = tlv.named_bits(classes.take(tlv.BIT_STRING).value, file)
    classes.optional(BOOLEAN)  # native
    classes.optional(tlv.BIT_STRING)  # accessFlags
    reference = classes.optional(tlv.INTEGER)
    classes.optional(0x18)  # startDate
    classes.optional(0x80)  # endDate
    algorithms = classes.optional(CONTEXT_1)  # ISO/IEC 7816-15 algReference
    path = parts.type.optional(tlv.SEQUENCE)
    return PrivateKey(
        id=identifier,
        usage=usage,
        elliptic=elliptic,
        auth_id=parts.auth_id,
        reference=_reference(reference.value, file) if reference else None,
        path=_path(path.value, file) if path else None,
        algorithms=frozenset(
            tlv.integer(entry.value, file)
            for entry in (tlv.parse(algorithms.value, file) if algorithms else ())
        ),
    )


def certificates(data: bytes) -> tuple[CertificateObject, ...]:
    """The X.509 certificates of a CDF (§6.7)."""
    file = "CDF"
    return tuple(
        _certificate(entry.value, file)
        for entry in tlv.parse(data, file)
        if entry.tag == tlv.SEQUENCE
    )


def _certificate(value: bytes, file: str) -> CertificateObject:
    parts = _object(value, file)
    identifier = parts.kind.take(tlv.OCTET_STRING).value
    authority = parts.kind.optional(BOOLEAN)
    content = parts.type.take(tlv.SEQUENCE, CONTEXT_0)
    is_path = content.tag == tlv.SEQUENCE
    return CertificateObject(
        id=identifier,
        authority=authority is not None and any(authority.value),
        path=_path(content.value, file) if is_path else None,
        der=b"" if is_path else _direct(content.value, file),
    )


@dataclass(frozen=True)
class _Object:
    """The parts of a PKCS15Object (§6.1.1); the label is for people and stays unread."""

    auth_id: bytes | None
    kind: Fields  # class attributes
    type: Fields  # type attributes


def _object(value: bytes, file: str) -> _Object:
    fields = Fields(value, file)
    common = Fields(fields.take(tlv.SEQUENCE).value, file)
    common.optional(tlv.UTF8_STRING)
    common.optional(tlv.BIT_STRING)
    auth_id = common.optional(tlv.OCTET_STRING)
    kind = Fields(fields.take(tlv.SEQUENCE).value, file)
    fields.optional(CONTEXT_0)  # subclass attributes
    outer = Fields(fields.take(CONTEXT_1).value, file)
    return _Object(
        auth_id=auth_id.value if auth_id else None,
        kind=kind,
        type=Fields(outer.take(tlv.SEQUENCE).value, file),
    )


def _path(value: bytes, file: str) -> Path:
    fields = Fields(value, file)
    path = fields.take(tlv.OCTET_STRING).value
    index = fields.optional(tlv.INTEGER)
    length = fields.optional(0x80)
    found = Path(
        path,
        index=tlv.integer(index.value, file) if index else 0,
        length=tlv.integer(length.value, file) if length else None,
    )
    if found.index < 0 or (found.length is not None and found.length < 0):
        raise CardDataMalformed(file)
    return found


def _reference(value: bytes, file: str) -> int:
    """A Reference 0..255; some cards encode 0x81 as the one byte 81, which reads as negative."""
    number = tlv.integer(value, file)
    if not -128 <= number <= 255:
        raise CardDataMalformed(file)
    return number & 0xFF


def _direct(value: bytes, file: str) -> bytes:
    """A certificate held in the CDF itself: [0] tagged explicitly, or implicitly (§6.1.4)."""
    inner = tlv.parse(value, file)
    if len(inner) == 1 and inner[0].tag == tlv.SEQUENCE:
        return inner[0].encoded
    return bytes((tlv.SEQUENCE, 0x82)) + len(value).to_bytes(2, "big") + value
