"""What a service checks of a Web eID token, in the order of the public validators.

Length, format, key usage, extended key usage, policies, validity, chain, revocation, and the
signature last. Source: web-eid-authtoken-validation-java, AuthTokenValidatorImpl.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from client.errors import (
    CardCertificateExpired,
    CardRevoked,
    CardUntrusted,
    CardUsageRefused,
    TokenAlgorithmRefused,
    TokenMalformed,
    TokenSignatureWrong,
)
from client.token import Token, parse

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import HashAlgorithm
    from cryptography.x509.verification import Policy

    Kind = TypeVar("Kind", bound=x509.ExtensionType)

ALGORITHMS = tuple(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512))
SMALLEST_RSA = 2048  # bits


@dataclass(frozen=True)
class Expectation:
    """What this service accepts; `revoked` answers for one certificate (OCSP, a list, or none)."""

    origin: str
    roots: tuple[x509.Certificate, ...]
    algorithms: tuple[str, ...] = ALGORITHMS
    denied_policies: frozenset[str] = frozenset()
    revoked: Callable[[x509.Certificate], bool] | None = None


def validate(data: bytes, nonce: str, expected: Expectation, now: datetime) -> x509.Certificate:
    """The certificate of a token that proves possession of its key for `nonce`.

    Raises TokenMalformed, CardUsageRefused, CardCertificateExpired, CardUntrusted, CardRevoked,
    TokenAlgorithmRefused, TokenSignatureWrong.
    """
    from cryptography import x509

    token = parse(data)
    try:
        certificate = x509.load_der_x509_certificate(token.certificate)
        extensions = certificate.extensions
        certificate.public_key()
        _ = certificate.subject, certificate.issuer  # each is parsed when it is asked for
    except Exception as error:  # ValueError and kin: some real cards are not strict DER
        raise TokenMalformed from error
    check_usage(extensions, expected.denied_policies)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise CardCertificateExpired
    check_chain(certificate, expected.roots, now)
    if expected.revoked is not None and expected.revoked(certificate):
        raise CardRevoked
    if token.algorithm not in expected.algorithms:
        raise TokenAlgorithmRefused
    check_signature(certificate, token, expected.origin, nonce)
    return certificate


def check_usage(extensions: x509.Extensions, denied_policies: frozenset[str]) -> None:
    """keyUsage has digitalSignature; EKU is absent or has clientAuth; no policy is denied."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = _extension(extensions, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise CardUsageRefused
    extended = _extension(extensions, x509.ExtendedKeyUsage)
    if extended is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in extended:
        raise CardUsageRefused
    policies = _extension(extensions, x509.CertificatePolicies) or ()
    if any(policy.policy_identifier.dotted_string in denied_policies for policy in policies):
        raise CardUsageRefused


def check_chain(
    certificate: x509.Certificate, roots: tuple[x509.Certificate, ...], now: datetime
) -> None:
    """A path of signatures from `certificate` to one of `roots`, all valid at `now`.

    The path rules are those of RFC 5280; the rules of the web's own PKI (a subjectAltName, for
    one) are left out, because card certificates do not follow them. Raises CardUntrusted.
    """
    from cryptography import x509
    from cryptography.x509 import verification

    if not roots:
        raise CardUntrusted
    anything = verification.ExtensionPolicy.permit_all()
    authority = anything.require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_authority
    )
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(list(roots)))
        .time(now)
        .extension_policies(ca_policy=authority, ee_policy=anything)
        .build_client_verifier()
    )
    try:
        verifier.verify(certificate, [])
    except (verification.VerificationError, ValueError, TypeError) as error:  # or unreadable
        raise CardUntrusted from error


def check_signature(certificate: x509.Certificate, token: Token, origin: str, nonce: str) -> None:
    """The token's signature over H(origin) ‖ H(nonce) under the certificate's key.

    H is the algorithm's own hash (Web eID 1.0; RFC 7518 §3.3 to §3.5). Raises
    TokenAlgorithmRefused where algorithm and key do not fit, TokenSignatureWrong.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    if token.algorithm not in ALGORITHMS:
        raise TokenAlgorithmRefused
    family, bits = token.algorithm[:2], int(token.algorithm[2:])
    by_bits: dict[int, HashAlgorithm] = {
        256: hashes.SHA256(),
        384: hashes.SHA384(),
        512: hashes.SHA512(),
    }
    chosen = by_bits[bits]
    message = _digest(chosen, origin) + _digest(chosen, nonce)
    key = certificate.public_key()
    try:
        if family in ("RS", "PS") and isinstance(key, rsa.RSAPublicKey):
            if key.key_size < SMALLEST_RSA:
                raise TokenAlgorithmRefused
            scheme = (
                padding.PKCS1v15()
                if family == "RS"
                else padding.PSS(padding.MGF1(chosen), padding.PSS.DIGEST_LENGTH)
            )
            key.verify(token.signature, message, scheme, chosen)
        elif family == "ES" and isinstance(key, ec.EllipticCurvePublicKey):
            half = (key.key_size + 7) // 8
            if len(token.signature) != 2 * half:
                raise TokenSignatureWrong
            r = int.from_bytes(token.signature[:half])
            s = int.from_bytes(token.signature[half:])
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(chosen))
        else:
            raise TokenAlgorithmRefused
    except InvalidSignature as error:
        raise TokenSignatureWrong from error


def _digest(chosen: HashAlgorithm, text: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import Hash

    digest = Hash(chosen)
    digest.update(text.encode())
    return digest.finalize()


def _extension(extensions: x509.Extensions, kind: type[Kind]) -> Kind | None:
    from cryptography import x509

    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_authority(
    _policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints | None
) -> None:
    if constraints is None or not constraints.ca:
        raise ValueError("not an authority")
