"""Everything that can go wrong between this program and a card.

One tree; each class has a stable `code` and typed facts. The sentence a person reads comes from
the catalogue in `screens.troubleshooting`, never from here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

Fact = str | int | None


@dataclass(eq=False)
class CardError(Exception):
    """Base of the tree; its subclasses carry a `code` and the facts that their remedy names."""

    code: ClassVar[str]
    kind = ""  # of the card (recognition.Kind), where it was known by then

    def facts(self) -> dict[str, Fact]:
        """The typed facts by field name: numbers and names only, never card data or a PIN."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


# --- the PC/SC service and its library ---------------------------------------------------------


class PcscError(CardError):
    """The PC/SC service, not a reader or a card, is the layer that failed."""


class PcscLibraryMissing(PcscError):
    """pyscard or libpcsclite cannot be loaded."""

    code = "pcsc.library.missing"


class DriverMissing(PcscError):
    """No driver for USB card readers (CCID) is installed."""

    code = "pcsc.driver.missing"


class PcscServiceMissing(PcscError):
    """SCARD_E_NO_SERVICE (0x8010001D): nobody answers at the PC/SC socket."""

    code = "pcsc.service.missing"


class PcscServiceStopped(PcscError):
    """SCARD_E_SERVICE_STOPPED (0x8010001E): stopped, or it speaks another protocol version."""

    code = "pcsc.service.stopped"


class PcscServiceDenied(PcscError):
    """SCARD_W_SECURITY_VIOLATION (0x8010006A): polkit refuses this login session."""

    code = "pcsc.service.denied"


@dataclass(eq=False)
class PcscProtocolMismatch(PcscError):
    """Library and daemon speak different versions of pcsc-lite's protocol, told as major:minor."""

    code = "pcsc.service.protocol"
    library: str
    daemon: str


class PcscSocketOpen(PcscError):
    """The forwarded PC/SC socket lies where other users of this machine can reach it."""

    code = "pcsc.socket.open"


@dataclass(eq=False)
class PcscSocketForeign(PcscError):
    """The PC/SC socket, or a directory on the way to it, is another user's; never connected to."""

    code = "pcsc.socket.foreign"
    socket: str


@dataclass(eq=False)
class PcscSocketMissing(PcscServiceMissing):
    """Nothing lies at the path in PCSCLITE_CSOCK_NAME: no forward is open."""

    code = "pcsc.socket.missing"
    socket: str


@dataclass(eq=False)
class PcscSocketStale(PcscServiceMissing):
    """The file of a socket whose forward, or daemon, has ended."""

    code = "pcsc.socket.stale"
    socket: str


@dataclass(eq=False)
class PcscSocketSilent(PcscServiceStopped):
    """The forward is open, and at its far end nobody listens."""

    code = "pcsc.socket.silent"
    socket: str


@dataclass(eq=False)
class PcscFailed(PcscError):
    """Any other PC/SC return code; `status` is the unsigned 32-bit value."""

    code = "pcsc.failed"
    status: int


# --- the components on this machine ------------------------------------------------------------


class ComponentFault(CardError):
    """A part that the card needs is there in no usable form."""


class PcscNotInstalled(ComponentFault):
    """No PC/SC service (pcscd) is installed."""

    code = "component.service.missing"


@dataclass(eq=False)
class DriverUnknown(ComponentFault):
    """A reader on USB that no installed driver knows; `usb` is vendor:product in hexadecimal."""

    code = "component.driver.unknown"
    usb: str


@dataclass(eq=False)
class ComponentOld(ComponentFault):
    """Older than what this program, or the service's list, asks for."""

    code = "component.old"
    path: str
    version: str
    minimum: str


@dataclass(eq=False)
class ComponentBroken(ComponentFault):
    """It is there and cannot be loaded: damaged, no library at all, or it ends with a crash."""

    code = "component.broken"
    path: str


@dataclass(eq=False)
class ComponentWordSize(ComponentFault):
    """Made for another processor or word size than this program's; both in bits, 0 unknown."""

    code = "component.word-size"
    path: str
    bits: int
    wanted: int


@dataclass(eq=False)
class ComponentDependency(ComponentFault):
    """It needs another `library` that is not there."""

    code = "component.dependency"
    path: str
    library: str


# --- readers ----------------------------------------------------------------------------------


class ReaderError(CardError):
    """A reader, not the card in it, is the layer that failed."""


class NoReader(ReaderError):
    """PC/SC runs and lists no reader."""

    code = "card.reader.none"


@dataclass(eq=False)
class ReaderUnknown(ReaderError):
    """The reader asked for by name is not listed."""

    code = "card.reader.unknown"
    reader: str


@dataclass(eq=False)
class ReaderGone(ReaderError):
    """The reader was unplugged while it was in use."""

    code = "card.reader.gone"
    reader: str


@dataclass(eq=False)
class ReaderHeld(ReaderError):
    """SCARD_E_SHARING_VIOLATION (0x8010000B): another program holds the card."""

    code = "card.reader.held"
    reader: str


# --- the card itself --------------------------------------------------------------------------


@dataclass(eq=False)
class CardAbsent(CardError):
    """No card lies in the reader."""

    code = "card.absent"
    reader: str


@dataclass(eq=False)
class CardRemoved(CardError):
    """The card was taken out while it was in use."""

    code = "card.removed"
    reader: str


@dataclass(eq=False)
class CardReset(CardError):
    """SCARD_W_RESET_CARD (0x80100068): another program reset the card in the middle."""

    code = "card.reset"
    reader: str


@dataclass(eq=False)
class CardMute(CardError):
    """The card does not answer: upside down, dirty or broken."""

    code = "card.mute"
    reader: str


# --- which card it is -------------------------------------------------------------------------


class WrongCard(CardError):
    """A working card, but not one that this service can use. Raised before any PIN."""


class CardIsNhi(WrongCard):
    """健保卡: told by its ATR alone; its data is never read."""

    code = "card.kind.nhi"


class CardIsMoica(WrongCard):
    """自然人憑證."""

    code = "card.kind.moica"


class CardUnknown(WrongCard):
    """No application on it that this program knows."""

    code = "card.kind.unknown"


class CardModuleMissing(WrongCard):
    """A 醫事憑證 IC 卡 by its ATR, whose applet only the vendor's PKCS#11 module can reach."""

    code = "card.module.missing"


@dataclass(eq=False)
class CardModuleKept(CardModuleMissing):
    """That module is there, but a file of p11-kit's keeps it from this program (pkcs11.conf(5))."""

    code = "card.module.kept"
    path: str
    file: str


@dataclass(eq=False)
class CardKindRefused(WrongCard):
    """Recognised, but of a category that the service does not accept."""

    code = "card.kind.refused"
    category: str


# --- the PKCS#11 module -----------------------------------------------------------------------


@dataclass(eq=False)
class ModuleError(CardError):
    """The PKCS#11 module, not the card, is what failed; `module` is its file name."""

    module: str


class ModuleNotFound(ModuleError):
    """The settings name a module, and no file is there."""

    code = "card.module.not-found"


@dataclass(eq=False)
class ModuleWordSize(ModuleError):
    """Made for another processor or word size than this program's; both in bits, 0 unknown."""

    code = "card.module.word-size"
    bits: int
    wanted: int


@dataclass(eq=False)
class ModuleDependency(ModuleError):
    """A library that the module needs is missing; `library` is None where nobody names it."""

    code = "card.module.dependency"
    library: str | None


class ModuleInvalid(ModuleError):
    """No shared library, or one without C_GetFunctionList."""

    code = "card.module.invalid"


@dataclass(eq=False)
class ModuleSeesNoCard(ModuleError):
    """The module works and lists no token that it knows in this reader."""

    code = "card.module.no-card"
    reader: str


@dataclass(eq=False)
class ModuleCrashed(ModuleError):
    """Its process ended by itself; `status` as wait(2) has it, a signal negative."""

    code = "card.module.crashed"
    status: int


@dataclass(eq=False)
class ModuleTimeout(ModuleError):
    """It did not answer in time, and its process was ended."""

    code = "card.module.timeout"
    seconds: int


@dataclass(eq=False)
class ModuleBroken(ModuleError):
    """It answered with a return value that nothing here foresees; `rv` is its CKR_ name."""

    code = "card.module.broken"
    rv: str


# --- what the card says -----------------------------------------------------------------------


@dataclass(eq=False)
class CardDataMalformed(CardError):
    """A file or data object that does not parse; `file` names it (EF.ODF, CDF, …)."""

    code = "card.data.malformed"
    file: str


@dataclass(eq=False)
class CardDataMissing(CardError):
    """The card has no signing key, certificate or PIN object; `file` names what is missing."""

    code = "card.data.missing"
    file: str


@dataclass(eq=False)
class CardRefused(CardError):
    """A status word that the command's definition does not foresee (ISO 7816-4 §5.6)."""

    code = "card.refused"
    ins: int
    sw: int


class CardAnswerMalformed(CardError):
    """An answer shorter than the two bytes of a status word, or longer than the protocol allows."""

    code = "card.answer.malformed"


class KeyUnsupported(CardError):
    """The signing key is of a type or size that the service's algorithms do not include."""

    code = "card.key.unsupported"


class CertificateError(CardError):
    """The certificate on the card cannot be used. Raised before any PIN."""


class CertificateMalformed(CertificateError):
    """Not strict DER, or a field that cannot be parsed."""

    code = "card.certificate.malformed"


@dataclass(eq=False)
class CertificateExpired(CertificateError):
    """`not_after` is an ISO 8601 date in UTC."""

    code = "card.certificate.expired"
    not_after: str


@dataclass(eq=False)
class CertificateNotYetValid(CertificateError):
    """`not_before` is an ISO 8601 date in UTC."""

    code = "card.certificate.future"
    not_before: str


@dataclass(eq=False)
class CertificateUntrusted(CertificateError):
    """Not issued by HCA, as it says itself, or by none of the configured anchors."""

    code = "card.certificate.untrusted"
    issuer: str


class CertificateUsage(CertificateError):
    """keyUsage is present and lacks digitalSignature."""

    code = "card.certificate.usage"


# --- PINs -------------------------------------------------------------------------------------


class PinError(CardError):
    """About the PIN; none of these carries the PIN, a part of it or its length."""


@dataclass(eq=False)
class PinWrong(PinError):
    """63Cx after VERIFY; `tries_left` is None where the card does not say."""

    code = "card.pin.wrong"
    tries_left: int | None


class PinBlocked(PinError):
    """63C0, 6983 or 6984: no try is left."""

    code = "card.pin.blocked"


@dataclass(eq=False)
class PinLength(PinError):
    """Refused before the card saw it: outside the card's own length rules (in characters)."""

    code = "card.pin.length"
    minimum: int
    maximum: int


class PinCharacters(PinError):
    """Refused before the card saw it: a character that this card's PIN cannot have."""

    code = "card.pin.characters"


@dataclass(eq=False)
class PinTriesChanged(PinError):
    """Fewer tries are left than the person was shown; nothing was sent."""

    code = "card.pin.tries-changed"
    shown: int | None
    tries_left: int | None


class PinExpired(PinError):
    """CKR_PIN_EXPIRED: it must be changed, elsewhere, before it works again."""

    code = "card.pin.expired"


class PinUnset(PinError):
    """CKR_USER_PIN_NOT_INITIALIZED: this card has no PIN yet."""

    code = "card.pin.unset"


class LastTryUnconfirmed(PinError):
    """One try is left and nobody confirmed that it may be spent; nothing was sent."""

    code = "card.pin.last-try"


class PinSpent(PinError):
    """The same PIN object was about to be sent a second time; nothing was sent."""

    code = "card.pin.spent"


@dataclass(eq=False)
class PinRefused(PinError):
    """VERIFY ended in a status word that says neither right nor wrong."""

    code = "card.pin.refused"
    sw: int


# --- the reader's PIN pad ----------------------------------------------------------------------


class PadError(CardError):
    """About an entry on the reader's keys (PC/SC part 10); it cost no try unless said otherwise."""


@dataclass(eq=False)
class PadTimedOut(PadError):
    """6400: nobody finished the entry in time; `seconds` as the reader was told."""

    code = "card.pad.timeout"
    seconds: int


class PadCancelled(PadError):
    """6401: the person pressed the reader's cancel key."""

    code = "card.pad.cancelled"


class PadEnded(PadError):
    """CKR_FUNCTION_CANCELED: cancelled or too late, which a PKCS#11 module cannot tell apart."""

    code = "card.pad.ended"


@dataclass(eq=False)
class PadLength(PadError):
    """6403: shorter or longer than the reader was told that this card's PIN is (in digits)."""

    code = "card.pad.length"
    minimum: int
    maximum: int


@dataclass(eq=False)
class PadRefused(PadError):
    """6402 or 6B80: the reader does not do what it was asked for; `sw` 0: its driver said so."""

    code = "card.pad.refused"
    sw: int


@dataclass(eq=False)
class PadSilent(PadError):
    """The reader never came back from the entry: whether a try was spent is not known."""

    code = "card.pad.silent"
    reader: str


@dataclass(eq=False)
class PadLies(PadError):
    """The settings allow the reader's keys only, and these are known not to keep a PIN safe.

    `usb`: vid:pid.
    """

    code = "card.pad.lies"
    reader: str
    usb: str


@dataclass(eq=False)
class PadUnfit(PadError):
    """The settings allow the reader's keys only, and this card's PIN cannot be entered on them."""

    code = "card.pad.unfit"
    reader: str


@dataclass(eq=False)
class SignRefused(CardError):
    """The PIN was right; MSE SET or PSO COMPUTE DIGITAL SIGNATURE was refused."""

    code = "card.sign.refused"
    ins: int
    sw: int


class SignatureMismatch(CardError):
    """The signature does not verify under the card's own certificate."""

    code = "card.sign.mismatch"


class CardCancelled(CardError):
    """The person cancelled a waiting card operation."""

    code = "card.cancelled"


# --- the virtual card -------------------------------------------------------------------------


@dataclass(eq=False)
class ProfileInvalid(CardError):
    """A virtual card's TOML profile that cannot be used; `field` is the dotted key."""

    code = "card.profile.invalid"
    field: str


@dataclass(eq=False)
class VpcdUnreachable(CardError):
    """Nothing listens at the vpcd address."""

    code = "card.vpcd.unreachable"
    host: str
    port: int
