"""A token through a module: found by its reader's name, read before any PIN."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from card import port
from card.certificate import strictly
from card.errors import (
    CardDataMissing,
    CardError,
    CardRemoved,
    CertificateMalformed,
    ModuleBroken,
    ModuleInvalid,
    ModuleNotFound,
    ModuleSeesNoCard,
    ModuleWordSize,
)
from card.library_file import BITS, architectures, this_architecture
from card.pkcs11 import failures, opensc, wire
from card.pkcs11.process import Helper

if TYPE_CHECKING:
    from cryptography import x509

DESCRIPTION_BYTES = 64  # CK_SLOT_INFO.slotDescription
LOOKS, LOOK_SECONDS = 5, 0.2  # pcscd sees a removal up to 0.4 s after it


@dataclass(frozen=True)
class Token:
    """An open token; `key` is the CKA_ID of its signing certificate and of that one's key."""

    helper: Helper
    reader: str
    slot: int
    info: wire.Token
    mechanisms: frozenset[int]
    key: bytes
    certificate: bytes  # DER
    between: tuple[bytes, ...]  # DER of all others beside it; CAs' may be among them

    def is_same_as(self, other: Token) -> bool:
        """Whether both are the same card."""
        return (self.info.serial, self.certificate) == (other.info.serial, other.certificate)

    def look(self) -> wire.Token:
        """The token's flags now; spends nothing. Raises CardRemoved where it is another card."""
        reply = self.helper.ask(wire.Look(self.slot, self.certificate))
        if not isinstance(reply, wire.Token):
            raise self.explained(failures.of(reply, self.helper.module, self.reader))
        if not self._is_this(reply):
            raise CardRemoved(self.reader)
        return reply

    def explained(self, error: CardError) -> CardError:
        """CardRemoved in place of a ModuleBroken that it caused, else `error` as it is.

        Modules report a card that is pulled out of the middle of a command as a general error.
        Asked again they know better, once PC/SC has noticed; until then some answer from memory.
        """
        if not isinstance(error, ModuleBroken):
            return error
        for _ in range(LOOKS):
            reply = self.helper.ask(wire.Look(self.slot, self.certificate))
            if isinstance(reply, wire.Token):
                gone = not self._is_this(reply)
            else:
                gone = isinstance(failures.of(reply, self.helper.module, self.reader), CardRemoved)
            if gone:
                return CardRemoved(self.reader)
            time.sleep(LOOK_SECONDS)
        return error

    def _is_this(self, seen: wire.Token) -> bool:
        return seen.same and seen.serial == self.info.serial


def connect(path: Path, reader: str, slots: Collection[port.Slot], seconds: int) -> Token:
    """Load the module in a helper and read the token in `reader`; `slots` are all readers.

    Raises ModuleError, CardRemoved, CardDataMissing, CertificateMalformed; nothing runs then.
    """
    check_file(path)
    with opensc.environment(path) as environment:
        helper = Helper(path, seconds, environment)
        try:
            return _read(helper, path, reader, slots)
        except BaseException:
            helper.close()
            raise


def check_file(path: Path) -> None:
    """Why the file cannot be loaded here, as far as its header tells.

    Raises ModuleNotFound, ModuleInvalid, ModuleWordSize.
    """
    try:
        made_for = architectures(path)
    except OSError:
        raise ModuleNotFound(path.name) from None
    if not made_for:
        raise ModuleInvalid(path.name)
    own = this_architecture()
    if own not in made_for:
        raise ModuleWordSize(path.name, BITS.get(min(made_for), 0), BITS.get(own, 0))


def _read(helper: Helper, path: Path, reader: str, slots: Collection[port.Slot]) -> Token:
    loaded = helper.ask(wire.Load(str(path)))
    if not isinstance(loaded, wire.Loaded):
        raise failures.of(loaded, helper.module, reader)
    reasons: list[CardError] = []
    for number in slots_of(reader, slots, loaded.slots):
        opened = helper.ask(wire.Open(number))
        if not isinstance(opened, wire.Opened):
            reasons.append(failures.of(opened, helper.module, reader))
            continue
        try:
            certificate = signing_certificate(opened.certificates)
        except (CardDataMissing, CertificateMalformed) as error:
            reasons.append(error)
            continue
        return Token(
            helper,
            reader,
            number,
            opened.token,
            frozenset(opened.mechanisms),
            certificate.id,
            certificate.der,
            tuple(each.der for each in opened.certificates if each is not certificate),
        )
    raise most_telling(reasons) or ModuleSeesNoCard(helper.module, reader)


def most_telling(reasons: Sequence[CardError]) -> CardError | None:
    """The first reason that is more than "sees no card", which other slots and modules say too."""
    return min(reasons, key=lambda each: isinstance(each, ModuleSeesNoCard), default=None)


def slots_of(reader: str, slots: Collection[port.Slot], listed: Collection[wire.Slot]) -> list[int]:
    """The module's slots for the reader: those that bear its name.

    A module that names its slots in its own way can only mean the one card there is; with two
    cards in two readers nothing is guessed.
    """
    short = reader.encode()[:DESCRIPTION_BYTES].decode(errors="ignore").rstrip()
    named = [slot.id for slot in listed if slot.description.rstrip() == short]
    if named or any(slot.filled and slot.reader != reader for slot in slots):
        return named
    elsewhere = {slot.reader for slot in slots}
    return [slot.id for slot in listed if slot.description.rstrip() not in elsewhere]


def signing_certificate(certificates: Collection[wire.Certificate]) -> wire.Certificate:
    """The holder's certificate that may sign, else any that is no CA's.

    Raises CardDataMissing, CertificateMalformed.
    """
    from cryptography import x509

    fallback: wire.Certificate | None = None
    malformed = False
    for certificate in sorted(certificates, key=lambda each: each.id):
        try:
            with strictly():
                extensions = x509.load_der_x509_certificate(certificate.der).extensions
        except CertificateMalformed:
            malformed = True
            continue
        if not certificate.id or _is_authority(extensions):
            continue
        if _signs(extensions):
            return certificate
        fallback = fallback or certificate
    if fallback is not None:
        return fallback
    raise CertificateMalformed if malformed else CardDataMissing("certificate")


def _is_authority(extensions: x509.Extensions) -> bool:
    from cryptography import x509

    try:
        return extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _signs(extensions: x509.Extensions) -> bool:
    """As `card.certificate.check` has it: without keyUsage every use is allowed."""
    from cryptography import x509

    try:
        return extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        return True
