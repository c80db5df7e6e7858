"""Everything that can go wrong between this program and the reporting service.

One tree; each class has a stable `code` and typed facts. The sentence a person reads comes from
the catalogue in `screens.troubleshooting`, never from here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

Fact = str | int | None


@dataclass(eq=False)
class ClientError(Exception):
    """Base of the tree; `retriable` says that the same request may be sent again unchanged."""

    code: ClassVar[str]
    retriable: ClassVar[bool] = False

    def facts(self) -> dict[str, Fact]:
        """The typed facts by field name: numbers, hosts and codes; never personal data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


# --- the way to the service -------------------------------------------------------------------


@dataclass(eq=False)
class NetworkError(ClientError):
    """No usable answer arrived; `host` is the service's host name."""

    host: str


class AddressInvalid(NetworkError):
    """The service's address is not an https:// URL."""

    code = "net.address"


class NameUnknown(NetworkError):
    """The host name does not resolve."""

    code = "net.name"
    retriable = True


class ConnectionRefused(NetworkError):
    """Nothing listens there, or a firewall says no."""

    code = "net.refused"
    retriable = True


class ConnectionLost(NetworkError):
    """The connection broke before the answer was complete."""

    code = "net.lost"
    retriable = True


class TimedOut(NetworkError):
    """The service did not answer in time."""

    code = "net.timeout"
    retriable = True


class ProxyFailed(NetworkError):
    """A proxy on the way refused or failed."""

    code = "net.proxy"


class TlsUntrusted(NetworkError):
    """The server's certificate chains to no trusted authority."""

    code = "net.tls.untrusted"


class TlsExpired(NetworkError):
    """The server's certificate is expired or not yet valid; often the clock here is wrong."""

    code = "net.tls.expired"


class TlsWrongName(NetworkError):
    """The server's certificate is for another name."""

    code = "net.tls.name"


class TlsFailed(NetworkError):
    """No common protocol version or cipher, or a broken handshake."""

    code = "net.tls.failed"


class ServiceUnset(ClientError):
    """No service address was given, on the command line or in the settings."""

    code = "net.address.unset"


@dataclass(eq=False)
class CaFileUnusable(ClientError):
    """The file given as --ca is missing or holds no certificate."""

    code = "net.tls.ca-file"
    path: str


# --- the service answers, but not as the contract says -----------------------------------------


class ServiceError(ClientError):
    """The service answered; the answer is the problem."""


class ServiceUnavailable(ServiceError):
    """HTTP 502, 503 or 504."""

    code = "service.unavailable"
    retriable = True


@dataclass(eq=False)
class ServiceBusy(ServiceError):
    """HTTP 429; `retry_after` in seconds, None where the service does not say."""

    code = "service.busy"
    retry_after: int | None


class ServiceFailed(ServiceError):
    """HTTP 500 and other 5xx."""

    code = "service.failed"
    retriable = True


class ServiceNonsense(ServiceError):
    """An answer that the contract does not allow: wrong type, malformed, too large, redirected."""

    code = "service.nonsense"


@dataclass(eq=False)
class ServiceVersion(ServiceError):
    """The service speaks another major version of the contract."""

    code = "service.version"
    version: str


@dataclass(eq=False)
class ServiceOrigin(ServiceError):
    """The service names another origin than the one this program connected to."""

    code = "service.origin"
    origin: str


@dataclass(eq=False)
class ServiceClock(ServiceError):
    """This computer's clock and the service's differ by `seconds`, too much for a challenge."""

    code = "service.clock"
    seconds: int


@dataclass(eq=False)
class ServiceProblem(ServiceError):
    """Problem details (RFC 9457) with an unknown code; `status` is the HTTP status."""

    code = "service.problem"
    status: int


# --- problem details with a code of the contract ------------------------------------------------


class ContractProblem(ServiceError):
    """Base of the problems that client/openapi.yaml defines; `code` is the wire value too."""


class RequestInvalid(ContractProblem):
    """The request does not follow the contract: a defect in one of the two programs."""

    code = "service.request.invalid"


class ChallengeExpired(ContractProblem):
    code = "service.challenge.expired"


class ChallengeUsed(ContractProblem):
    code = "service.challenge.used"


class ChallengeUnknown(ContractProblem):
    """Never issued by this service, or issued for another purpose or account."""

    code = "service.challenge.unknown"


class TokenMalformed(ContractProblem):
    code = "service.token.malformed"


class TokenSignatureWrong(ContractProblem):
    """The signature does not fit certificate, origin and nonce."""

    code = "service.token.signature"


class TokenAlgorithmRefused(ContractProblem):
    code = "service.token.algorithm"


class CardUntrusted(ContractProblem):
    """The certificate chains to no CA that the service accepts."""

    code = "service.card.untrusted"


class CardCertificateExpired(ContractProblem):
    """Expired or not yet valid by the service's clock."""

    code = "service.card.expired"


class CardRevoked(ContractProblem):
    code = "service.card.revoked"


class CardUsageRefused(ContractProblem):
    """keyUsage, EKU or policy does not allow authentication."""

    code = "service.card.usage"


class CardCategoryRefused(ContractProblem):
    code = "service.card.category"


class CardAlreadyBound(ContractProblem):
    """The card is bound to another account."""

    code = "service.card.bound"


class VerificationExpired(ContractProblem):
    """The verified state of the card ran out before the account was submitted."""

    code = "service.verification.expired"


class VerificationUnknown(ContractProblem):
    """Not issued, already used for a binding, or for another purpose or account."""

    code = "service.verification.unknown"


class AccountExists(ContractProblem):
    code = "service.account.exists"


@dataclass(eq=False)
class FormInvalid(ContractProblem):
    """Fields that the service refuses; `fields` are their names in the form, comma-joined."""

    code = "service.form.invalid"
    fields: str


class SignInRefused(ContractProblem):
    """Account or password wrong; the service does not say which."""

    code = "service.sign-in.refused"


@dataclass(eq=False)
class SignInPaused(ContractProblem):
    """Too many wrong passwords; `retry_after` in seconds."""

    code = "service.sign-in.paused"
    retry_after: int | None


class SessionExpired(ContractProblem):
    code = "service.session.expired"


class IdempotencyConflict(ContractProblem):
    """The same Idempotency-Key came with another request body."""

    code = "service.idempotency.conflict"


class ReceiptUnknown(ContractProblem):
    code = "service.receipt.unknown"


class ClientCancelled(ClientError):
    """The person cancelled a waiting request."""

    code = "net.cancelled"


# --- whether the card's certificate was revoked -------------------------------------------------


class RevocationError(ClientError):
    """The certificate was revoked, or nobody could say that it was not; told before any PIN."""


@dataclass(eq=False)
class CertificateRevoked(RevocationError):
    """For good. `since` is an ISO 8601 date in UTC, `reason` as RFC 5280 §5.3.1 names it."""

    code = "revocation.revoked"
    since: str
    reason: str | None  # where it is told


@dataclass(eq=False)
class CertificateOnHold(RevocationError):
    """Revoked with the reason certificateHold, which its issuer can lift again."""

    code = "revocation.on-hold"
    since: str


@dataclass(eq=False)
class CertificateUnknown(RevocationError):
    """The responder does not know the certificate."""

    code = "revocation.unknown"
    host: str


@dataclass(eq=False)
class ResponderUnavailable(RevocationError):
    """No answer in time, or one that says to come back later."""

    code = "revocation.unavailable"
    retriable = True
    host: str


@dataclass(eq=False)
class RevocationMalformed(RevocationError):
    """An answer that is none: unreadable, too large, redirected, or about something else."""

    code = "revocation.malformed"
    host: str


@dataclass(eq=False)
class RevocationForged(RevocationError):
    """Signed neither by the certificate's issuer nor by a responder that it appointed."""

    code = "revocation.signature"
    host: str


@dataclass(eq=False)
class RevocationStale(RevocationError):
    """Properly signed, but for another time than now by this computer's clock."""

    code = "revocation.stale"
    host: str


@dataclass(eq=False)
class RevocationUnsupported(RevocationError):
    """A kind of answer that is not judged here, such as a list of other certificates only."""

    code = "revocation.unsupported"
    host: str


class RevocationUnnamed(RevocationError):
    """The certificate names no place that could be asked in the way the service wants."""

    code = "revocation.unnamed"


class IssuerUnknown(RevocationError):
    """No trust anchor issued the certificate, so nobody's answer about it could be verified."""

    code = "revocation.issuer"


# --- components: the list of them, and the files ------------------------------------------------


class ComponentError(ClientError):
    """About what the service offers for installation; see client/components/manifest.md."""


class ComponentKeyUnset(ComponentError):
    """No key is pinned in the settings, so no component list can be trusted."""

    code = "component.key.unset"


class ComponentKeyInvalid(ComponentError):
    """A pinned key is not the base64 of 32 bytes, or there are more than two."""

    code = "component.key.invalid"


class ManifestMissing(ComponentError):
    """The service, or the folder, has no component list."""

    code = "component.manifest.missing"


class ManifestTampered(ComponentError):
    """Unsigned, or the signature in a pinned key's name does not fit the list."""

    code = "component.manifest.signature"


class ManifestForeign(ComponentError):
    """Signed by none of the pinned keys, or a list for another service or of another type."""

    code = "component.manifest.foreign"


@dataclass(eq=False)
class ManifestMalformed(ComponentError):
    """Properly signed, but not of the documented form; `field` is the member that is wrong."""

    code = "component.manifest.malformed"
    field: str


@dataclass(eq=False)
class ManifestRollback(ComponentError):
    """An older list than the one seen before: replayed."""

    code = "component.manifest.rollback"
    serial: int
    seen: int


@dataclass(eq=False)
class ManifestChanged(ComponentError):
    """The serial of a list seen before, with other content."""

    code = "component.manifest.changed"
    serial: int


@dataclass(eq=False)
class ManifestExpired(ComponentError):
    """`expires` is an ISO 8601 date in UTC."""

    code = "component.manifest.expired"
    expires: str


@dataclass(eq=False)
class ManifestFuture(ComponentError):
    """Issued after this computer's present time; `issued` is an ISO 8601 date in UTC."""

    code = "component.manifest.future"
    issued: str


@dataclass(eq=False)
class SeenUnusable(ComponentError):
    """The record of the lists seen before cannot be read or written."""

    code = "component.seen"
    path: str


@dataclass(eq=False)
class FileMissing(ComponentError):
    """A component on the list whose file is not there."""

    code = "component.file.missing"
    file: str


@dataclass(eq=False)
class FileSizeWrong(ComponentError):
    """The server offers or sends another number of bytes than the list says."""

    code = "component.file.size"
    file: str
    size: int
    offered: int


@dataclass(eq=False)
class FileContentWrong(ComponentError):
    """The right size, but not the SHA-256 of the list; the bytes are thrown away."""

    code = "component.file.hash"
    file: str


@dataclass(eq=False)
class DiskFull(ComponentError):
    """Too little space for the file; both in bytes, `free` None where it ran out on the way."""

    code = "component.disk.full"
    needed: int
    free: int | None


@dataclass(eq=False)
class DiskUnwritable(ComponentError):
    """The folder for downloads, or a file in it, cannot be written."""

    code = "component.disk.write"
    path: str


# --- the sandbox service -----------------------------------------------------------------------


@dataclass(eq=False)
class SandboxPortTaken(ClientError):
    """Another program listens on the sandbox's port, or it may not be used."""

    code = "sandbox.port"
    port: int


@dataclass(eq=False)
class SandboxDataUnusable(ClientError):
    """The sandbox's directory cannot be written, or its database is not one of the sandbox."""

    code = "sandbox.data"
    path: str
