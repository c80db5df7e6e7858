"""The service port: what the wizard sees of the reporting service.

Plain frozen dataclasses, the shapes of client/openapi.yaml; all text in them is already cleaned
for a terminal. Everything blocks and is called from a worker thread. Implementation:
`client.https`; the sandbox in `client.sandbox` is a server that it talks to over real TLS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from client.purpose import Purpose


@dataclass(frozen=True)
class Label:
    """One text in both languages; the wire keys are the BCP 47 tags zh-Hant and en."""

    zh: str
    en: str


class FieldKind(StrEnum):
    """How the wizard asks for a field of the account form."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    DATE = "date"  # ISO 8601, YYYY-MM-DD
    CHOICE = "choice"
    SECRET = "secret"  # not echoed  # noqa: S105 - a kind, not a password
    CONSENT = "consent"  # a box that must be ticked; the value is "true"


@dataclass(frozen=True)
class Choice:
    value: str
    label: Label


@dataclass(frozen=True)
class FormField:
    """One field of the account form; `pattern` is an ECMA-262 expression for the whole value."""

    name: str
    label: Label
    kind: FieldKind
    required: bool = True
    pattern: str | None = None
    hint: Label | None = None
    max_length: int = 200
    choices: tuple[Choice, ...] = ()
    autocomplete: str = ""  # HTML's autofill field name: what of the card may stand in it already


@dataclass(frozen=True)
class CategoryOffer:
    """A card category that the service accepts; `id` is HPC, HOP, …"""

    id: str
    label: Label


class Revocation(StrEnum):
    """How the service wants a card's certificate looked up before the PIN."""

    NONE = "none"  # not at all: no request about it leaves this computer
    OCSP = "ocsp"  # RFC 6960, at the responder that the certificate names
    CRL = "crl"  # RFC 5280 §5, the list that the certificate names


@dataclass(frozen=True)
class ServiceDescription:
    name: Label
    version: str  # of the contract, semantic versioning
    origin: str  # https://host[:port], no trailing slash
    time: datetime  # the service's clock, UTC
    categories: tuple[CategoryOffer, ...]
    algorithms: tuple[str, ...]  # JWA names, RS256 first
    account_form: tuple[FormField, ...]
    revocation: Revocation = Revocation.NONE

    @property
    def wants_look_up(self) -> bool:
        """Whether a card's certificate is looked up before its PIN."""
        return self.revocation is not Revocation.NONE


@dataclass(frozen=True)
class Challenge:
    id: str
    nonce: str  # base64 text, at least 44 characters; hashed as text
    purpose: Purpose
    account: str | None
    expires: datetime  # UTC


@dataclass(frozen=True)
class Verification:
    """The service's word that the card is in the holder's hand."""

    id: str
    holder: str
    category: str
    expires: datetime  # UTC


@dataclass(frozen=True)
class Session:
    """A signed-in account; `token` is a bearer secret and stays out of every repr."""

    account: str
    token: str = field(repr=False)
    expires: datetime
    bound_card: str | None  # the current binding's short card number, None when there is none


@dataclass(frozen=True)
class Receipt:
    """The outcome of a binding; safe to print and to read over the phone."""

    id: str
    purpose: Purpose
    account: str
    holder: str
    category: str
    card: str  # short card number: the last characters of the certificate's fingerprint
    bound: datetime  # UTC


def idempotency_key() -> str:
    """A fresh Idempotency-Key: 128 random bits in hex, one for each binding a person starts."""
    import secrets

    return secrets.token_hex(16)


class Service(Protocol):
    """One reporting service. Every method raises ClientError."""

    @property
    def origin(self) -> str:
        """https://host[:port] of the address this program was given; what the token signs."""
        ...

    def describe(self) -> ServiceDescription: ...
    def challenge(self, purpose: Purpose, account: str | None = None) -> Challenge:
        """A fresh single-use challenge; `account` for REBIND only, where it is required."""
        ...

    def verify(
        self, challenge: Challenge, certificate: bytes, algorithm: str, signature: bytes, key: str
    ) -> Verification:
        """Send the Web eID token; `certificate` is DER; `key` makes a repeat harmless."""
        ...

    def register(
        self, verification: Verification, fields: Mapping[str, str | bytearray], key: str
    ) -> Receipt:
        """Create the account with the verified card.

        Values of secret fields are bytearrays in UTF-8 and stay the caller's to wipe, so that the
        same submission can be sent again under the same key.
        """
        ...

    def sign_in(self, account: str, password: bytearray) -> Session:
        """`password` in UTF-8; it stays the caller's to wipe. Sent once, never repeated."""
        ...

    def rebind(self, session: Session, verification: Verification, key: str) -> Receipt:
        """綁定新憑證 IC 卡: the verified card replaces the account's present one."""
        ...

    def sign_out(self, session: Session) -> None: ...
    def receipt(self, id: str) -> Receipt: ...
    def cancel(self) -> None:
        """Make a request under way raise ClientCancelled; safe from any thread."""
        ...

    def close(self) -> None: ...


def signed_message(origin: str, nonce: str) -> bytes:
    """The bytes that a Web eID token's signature covers: SHA-256(origin) ‖ SHA-256(nonce).

    64 bytes; RS256 and ES256 hash them once more. Source: Web eID authentication token 1.0.
    """
    from hashlib import sha256

    return sha256(origin.encode()).digest() + sha256(nonce.encode()).digest()
