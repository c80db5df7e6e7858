"""The virtual card's files: a PKCS#15 v1.1 application, DER by DER."""

from __future__ import annotations

from dataclasses import dataclass

from card.virtual import der
from card.virtual.authority import Issued
from card.virtual.profile import KeyType, Profile

PKCS15_AID = bytes.fromhex("A000000063504B43532D3135")  # PKCS#15 §6.4
KEY_ID = b"\x01"  # HCA cards number the signing key 1
CA_ID = b"\x10"
PIN_ID = b"\x01"
PIN_REFERENCE = 0x81  # VERIFY P2: specific reference data 1
KEY_REFERENCE = 0x01

_ALGORITHMS = {
    # PKCS#11 mechanism, object identifier, and the reference that MSE SET takes in tag 80
    KeyType.RSA: (0x0001, "1.2.840.113549.1.1.1", 0x02),  # CKM_RSA_PKCS: PSO:CDS pads DigestInfo
    KeyType.EC: (0x1041, "1.2.840.10045.4.1", 0x04),  # CKM_ECDSA: PSO:CDS signs a digest
}
_APPLICATION = b"\x3f\x00\x50\x15"  # the path of the application's DF
_PADDING = 64  # directory files are longer than their content, as on cards that are written to


@dataclass(frozen=True, eq=False)
class ElementaryFile:
    """A transparent EF; `short` is its short EF identifier."""

    identifier: int
    content: bytes
    short: int | None = None


@dataclass(frozen=True, eq=False)
class DedicatedFile:
    """A directory; `name` is its DF name, the AID."""

    identifier: int
    files: tuple[ElementaryFile | DedicatedFile, ...]
    name: bytes | None = None


def empty() -> DedicatedFile:
    """A card's MF without any application."""
    return DedicatedFile(0x3F00, ())


def pkcs15(profile: Profile, issued: Issued, ca_certificate: bytes) -> DedicatedFile:
    """The MF with EF.DIR and the PKCS#15 application (PKCS#15 §5)."""
    application = DedicatedFile(
        0x5015,
        (
            _directory(0x5031, 0x11, _odf()),
            _directory(0x5032, 0x12, _token_info(profile)),
            _directory(0x4401, 0x01, _aodf(profile)),
            _directory(0x4402, 0x02, _prkdf(profile)),
            _directory(0x4403, 0x03, _cdf(len(issued.certificate), len(ca_certificate))),
            ElementaryFile(0x4331, issued.certificate),
            ElementaryFile(0x4332, ca_certificate),
        ),
        name=PKCS15_AID,
    )
    template = der.tlv(
        0x61,
        der.tlv(0x4F, PKCS15_AID),
        der.utf8(profile.label, tag=0x50),
        der.tlv(0x51, _APPLICATION),
    )  # ISO 7816-4 §12.2.3
    return DedicatedFile(0x3F00, (_directory(0x2F00, 0x1E, template), application))


def algorithm_reference(key: KeyType) -> bytes:
    """What MSE SET may name in its data object 80."""
    return bytes((_ALGORITHMS[key][2],))


def control_parameters(file: ElementaryFile | DedicatedFile, tag: int) -> bytes:
    """File control parameters in a template with `tag` 6F or 62 (ISO 7816-4 §7.4.3)."""
    identifier = der.tlv(0x83, file.identifier.to_bytes(2, "big"))
    activated = der.tlv(0x8A, b"\x05")
    if isinstance(file, DedicatedFile):
        name = b"" if file.name is None else der.tlv(0x84, file.name)
        return der.tlv(tag, der.tlv(0x82, b"\x38"), identifier, name, activated)
    size = der.tlv(0x80, len(file.content).to_bytes(2, "big"))
    short = b"" if file.short is None else der.tlv(0x88, bytes((file.short << 3,)))
    return der.tlv(tag, size, der.tlv(0x82, b"\x01"), identifier, short, activated)


def _directory(identifier: int, short: int, content: bytes) -> ElementaryFile:
    return ElementaryFile(identifier, content + bytes(-len(content) % _PADDING), short)


def _path(identifier: int, size: int | None = None) -> bytes:
    """Path to a file of the application; with `size`, that many bytes from its start."""
    path = der.octets(_APPLICATION + identifier.to_bytes(2, "big"))
    if size is None:
        return der.sequence(path)
    return der.sequence(path, der.integer(0), der.integer(size, tag=0x80))


def _odf() -> bytes:
    """EF.ODF (PKCS#15 §6.2): private keys [0], certificates [4], authentication objects [8]."""
    return b"".join(
        der.context(number, _path(identifier))
        for number, identifier in ((0, 0x4402), (4, 0x4403), (8, 0x4401))
    )


def _token_info(profile: Profile) -> bytes:
    """EF.TokenInfo (PKCS#15 §6.10)."""
    mechanism, identifier, reference = _ALGORITHMS[profile.key.type]
    algorithm = der.sequence(
        der.integer(1),
        der.integer(mechanism),
        der.NULL,
        der.named_bits(1),  # compute-signature
        der.oid(identifier),
        der.integer(reference),
    )
    return der.sequence(
        der.integer(0),  # v1
        der.octets(profile.serial.encode()),
        der.utf8("hca-bind TEST"),
        der.utf8(profile.label, tag=0x80),
        der.named_bits(0, 1, 2),  # readonly, loginRequired, prnGeneration
        der.context(2, algorithm),
    )


def _aodf(profile: Profile) -> bytes:
    """EF.AODF with the one PIN (PKCS#15 §6.9)."""
    pin = profile.pin
    flags = [0, 1, 2, 3, 4]  # case-sensitive, local, change- and unblock-disabled, initialized
    if pin.padded:
        flags.append(5)  # needs-padding
    return der.sequence(
        der.sequence(der.utf8("PIN"), der.named_bits(0)),  # private
        der.sequence(der.octets(PIN_ID)),
        der.context(
            1,
            der.sequence(
                der.named_bits(*flags),
                der.enumerated(1 if pin.digits_only else 2),  # ascii-numeric, utf8
                der.integer(pin.minimum),
                der.integer(pin.maximum),  # storedLength
                der.integer(pin.maximum),
                der.integer(PIN_REFERENCE, tag=0x80),
                der.octets(b"\xff") if pin.padded else b"",
            ),
        ),
    )


def _prkdf(profile: Profile) -> bytes:
    """EF.PrKDF with the signing key (PKCS#15 §6.3).

    Without algReference, which would forbid a PKCS#11 module to hash before it lets the key sign.
    """
    common = der.sequence(der.utf8("Signing key"), der.named_bits(0), der.octets(PIN_ID))
    key = der.sequence(
        der.octets(KEY_ID),
        der.named_bits(2),  # sign
        der.named_bits(0, 2, 3, 4),  # sensitive, alwaysSensitive, neverExtractable, local
        der.integer(KEY_REFERENCE),
    )
    value = der.sequence(der.octets(_APPLICATION))  # the key lies in the DF, in no file of its own
    if profile.key.type is KeyType.EC:
        return der.context(0, common, key, der.context(1, der.sequence(value)))
    size = der.integer(profile.key.size)
    return der.sequence(common, key, der.context(1, der.sequence(value, size)))


def _cdf(size: int, ca_size: int) -> bytes:
    """EF.CDF with the signing certificate and its CA's (PKCS#15 §6.6)."""
    return der.sequence(
        der.sequence(der.utf8("Signing certificate")),
        der.sequence(der.octets(KEY_ID)),
        der.context(1, der.sequence(_path(0x4331, size))),
    ) + der.sequence(
        der.sequence(der.utf8("TEST CA certificate")),
        der.sequence(der.octets(CA_ID), der.TRUE),
        der.context(1, der.sequence(_path(0x4332, ca_size))),
    )
