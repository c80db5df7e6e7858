"""The PKCS#15 application of a card: selecting it, and reading what a signature needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from card import tlv
from card.apdu import SW, Command, Ins
from card.channel import Channel
from card.errors import CardDataMalformed, CardDataMissing, CardRefused, CardUnknown
from card.pkcs15 import objects
from card.pkcs15.files import Files, select
from card.pkcs15.objects import (
    CertificateObject,
    KeyUsage,
    Location,
    Path,
    PinFlag,
    PinObject,
    PrivateKey,
    TokenInfo,
)
from card.recognition import Kind, applications
from card.seen import Seen

AIDS = applications(Kind.PKCS15)
EF_DIR = Path(objects.MF + b"\x2f\x00")
ODF = Path(b"\x50\x31")
TOKEN_INFO = Path(b"\x50\x32")
MOST_AUTHORITIES = 4  # certificates that are read of a card that lists many

_Object = TypeVar("_Object")


@dataclass(frozen=True)
class Contents:
    """What one signing key needs, read from its card once; all of it public."""

    atr: bytes
    application: Command  # the SELECT that found it, to be sent again before every use
    token: TokenInfo
    key: PrivateKey
    pin: PinObject
    certificate: bytes = field(repr=False)  # DER
    extended: bool  # length; as it turned out, for a reader may not have it
    place: Path | None = None  # the certificate's file; None where the CDF holds it itself
    between: tuple[bytes, ...] = field(default=(), repr=False)  # CAs' certificates beside it, DER


def find(channel: Channel) -> Command:
    """The SELECT command of the card's PKCS#15 application, which is selected then.

    By the standard's AID, else by what EF.DIR lists (ISO 7816-4 §8.2.1.1). Raises CardUnknown
    where there is none, and what Channel.send raises.
    """
    command = _select_aid(AIDS[0])
    if channel.send(command).sw == SW.OK:
        return command
    try:
        listed = Files(channel, short_ids=False).read(EF_DIR, "EF.DIR", _applications)
    except (CardDataMissing, CardDataMalformed, CardRefused):
        raise CardUnknown from None
    for command in listed:
        if channel.send(command).sw == SW.OK:
            return command
    raise CardUnknown


def reselect(channel: Channel, application: Command) -> None:
    """Select the application again. Raises CardRefused, and what Channel.send raises."""
    response = channel.send(application)
    if response.sw != SW.OK:
        raise CardRefused(Ins.SELECT, response.sw)


def read(
    files: Files,
    application: Command,
    atr: bytes = b"",
    seen: Seen | None = None,
    stands_alone: Callable[[bytes], bool] = lambda _: True,
) -> Contents:
    """Read the selected application and choose its signing key; `seen` is asked first.

    A certificate in DER that does not `stands_alone` wants the CAs' certificates beside it, too.
    Raises CardDataMalformed, CardDataMissing naming what a signature lacks, CardRefused, and what
    Channel.send raises.
    """
    recalled = _recalled(files, application, atr, seen.contents) if seen else None
    if recalled is not None:
        return recalled
    token = files.read(TOKEN_INFO, "EF.TokenInfo", objects.token_info)
    directory = files.read(ODF, "EF.ODF", objects.directory)

    pins = _collect(files, directory.authentication, "AODF", objects.pins)
    keys = _collect(files, directory.private_keys, "PrKDF", objects.private_keys)
    certificates = _collect(files, directory.certificates, "CDF", objects.certificates)
    key, certificate = _signing_pair(keys, certificates)
    pin = _pin_of(key, pins)
    der = _der(files, certificate)
    between = () if stands_alone(der) else _authorities(files, directory, certificates)
    return Contents(
        atr=atr,
        application=application,
        token=token,
        key=key,
        pin=pin,
        certificate=der,
        extended=files.extended,
        place=certificate.path,
        between=between,
    )


def _collect(
    files: Files,
    locations: tuple[Location, ...],
    file: str,
    parse: Callable[[bytes], tuple[_Object, ...]],
) -> tuple[_Object, ...]:
    """The objects of one kind. Raises CardDataMissing(file) where there is none."""
    found = tuple(
        item
        for place in locations
        for item in (
            parse(place.objects) if place.path is None else files.read(place.path, file, parse)
        )
    )
    if not found:
        raise CardDataMissing(file)
    return found


def _authorities(
    files: Files, directory: objects.Directory, certificates: tuple[CertificateObject, ...]
) -> tuple[bytes, ...]:
    """The certificates of CAs on the card, in DER; one that cannot be read is passed over."""
    unusable = (CardDataMalformed, CardDataMissing, CardRefused)
    listed = [each for each in certificates if each.authority]
    for place in directory.authorities:
        with suppress(*unusable):
            listed += _collect(files, (place,), "CDF", objects.certificates)
    found: list[bytes] = []
    for each in listed[:MOST_AUTHORITIES]:
        with suppress(*unusable):
            found.append(_der(files, each))
    return tuple(found)


def _der(files: Files, certificate: CertificateObject) -> bytes:
    if certificate.path is None:
        return certificate.der
    return files.read(certificate.path, "certificate", _whole_certificate, single=True)


def _recalled(
    files: Files, application: Command, atr: bytes, known: Iterable[object]
) -> Contents | None:
    """That of the card whose application is selected, where it is among the `known`.

    A card is known again by the end of its certificate, read again each time: its issuer's
    signature, as no other card has it. The card's own serial number would not do: two cards may
    carry one, and then a stranger's name would stand above the PIN.
    """
    alike = [
        each
        for each in known
        if isinstance(each, Contents) and (each.atr, each.application) == (atr, application)
    ]
    if not alike or alike[-1].place is None:
        return None
    try:
        certificate = files.certificate_again(alike[-1].place, alike[-1].certificate)
    except (CardDataMalformed, CardDataMissing, CardRefused):
        return None
    return next((each for each in alike if each.certificate == certificate), None)


def _select_aid(aid: bytes) -> Command:
    return Command(Ins.SELECT, 0x04, 0x00, aid, le=256)


def _applications(data: bytes) -> tuple[Command, ...]:
    """SELECT commands for EF.DIR's PKCS#15 entries: by AID, else by path (PKCS#15 §5.4.1)."""
    found = []
    for template in tlv.parse(data, "EF.DIR"):
        if template.tag != 0x61:
            continue
        fields = {entry.tag: entry.value for entry in tlv.parse(template.value, "EF.DIR")}
        aid, path = fields.get(0x4F, b""), fields.get(0x51, b"")
        if aid.startswith(AIDS):
            found.append(_select_aid(aid))
            if len(path) >= 2:
                found.append(select(Path(path)))
    return tuple(found)


def _signing_pair(
    keys: tuple[PrivateKey, ...], certificates: tuple[CertificateObject, ...]
) -> tuple[PrivateKey, CertificateObject]:
    """The key for authentication and its certificate: the two have the same iD (§6.1.2).

    A key for `sign` comes before one that only makes legally binding signatures
    (nonRepudiation): a login is not a contract.
    """
    holders = {
        certificate.id: certificate
        for certificate in reversed(certificates)
        if not certificate.authority
    }
    for wanted in (KeyUsage.SIGN, KeyUsage.NON_REPUDIATION):
        for key in keys:
            if wanted in key.usage and key.id in holders:
                if key.reference is None:
                    raise CardDataMissing("PrKDF")
                return key, holders[key.id]
    signing = any({KeyUsage.SIGN, KeyUsage.NON_REPUDIATION} & key.usage for key in keys)
    raise CardDataMissing("CDF" if signing else "PrKDF")


def _pin_of(key: PrivateKey, pins: tuple[PinObject, ...]) -> PinObject:
    """The PIN that the key names by authId. Raises CardDataMissing where it cannot be used here.

    Never another PIN, never one for unblocking or of the security officer, and none whose form
    (secure messaging, BCD) is not implemented: a guess would cost the holder a try.
    """
    unusable = {
        PinFlag.UNBLOCKING,
        PinFlag.SECURITY_OFFICER,
        PinFlag.INTEGRITY_PROTECTED,
        PinFlag.CONFIDENTIALITY_PROTECTED,
    }
    for pin in pins:
        if pin.auth_id != key.auth_id:
            continue
        padded = PinFlag.NEEDS_PADDING in pin.flags
        text = pin.type in (objects.PinType.ASCII_NUMERIC, objects.PinType.UTF8)
        if (
            text
            and not unusable & pin.flags
            and not (padded and (pin.pad is None or not pin.stored))
        ):
            return pin
    raise CardDataMissing("AODF")


def _whole_certificate(data: bytes) -> bytes:
    """The one DER certificate that the file holds, without what pads it."""
    found = tlv.first(data, "certificate")
    if found.tag != tlv.SEQUENCE:
        raise CardDataMalformed("certificate")
    return found.encoded
