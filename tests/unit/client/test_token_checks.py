"""The validator's checks one by one, and their order, on invented cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID
from invented_card import (
    HOP,
    HPC,
    MOICA,
    Authority,
    InventedCard,
    PrivateKey,
    key_usage,
    rsa_key,
)

from client.errors import (
    CardCertificateExpired,
    CardUntrusted,
    CardUsageRefused,
    ContractProblem,
    TokenAlgorithmRefused,
    TokenMalformed,
    TokenSignatureWrong,
)
from client.sandbox.holder import read_holder, short
from client.token import Token, build
from client.validator import ALGORITHMS, Expectation, validate

ORIGIN, NONCE = "https://reporting.example.org", "A" * 43 + "="
NOW = datetime.now(UTC)
DIGESTS = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "512": ec.SECP521R1()}
DENIED = "1.3.6.1.4.1.99999.1"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa_key()


@pytest.fixture
def expected(authority: Authority) -> Expectation:
    return Expectation(ORIGIN, (authority.certificate,), denied_policies=frozenset({DENIED}))


def sign(key: PrivateKey, algorithm: str, origin: str = ORIGIN, nonce: str = NONCE) -> bytes:
    """A token's signature by RFC 7518, written without the code under test."""
    family, digest = algorithm[:2], DIGESTS[algorithm[2:]]
    message = b""
    for text in (origin, nonce):
        one = hashes.Hash(digest)
        one.update(text.encode())
        message += one.finalize()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
        return r.to_bytes(size) + s.to_bytes(size)
    if family == "RS":
        return key.sign(message, padding.PKCS1v15(), digest)
    return key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def token(card: InventedCard, algorithm: str = "RS256", **of: str) -> bytes:
    return build(Token(card.der, algorithm, sign(card.key, algorithm, **of)))


def refusal(token: bytes, expected: Expectation) -> type[ContractProblem]:
    with pytest.raises(ContractProblem) as caught:
        validate(token, NONCE, expected, NOW)
    return caught.type


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm(
    authority: Authority, key: rsa.RSAPrivateKey, expected: Expectation, algorithm: str
) -> None:
    own = ec.generate_private_key(CURVES[algorithm[2:]]) if algorithm[:2] == "ES" else key
    card = authority.issue(key=own)
    assert validate(token(card, algorithm), NONCE, expected, NOW) == card.certificate
    assert refusal(token(card, algorithm, nonce="B" * 43 + "="), expected) is TokenSignatureWrong
    assert refusal(token(card, algorithm, origin=ORIGIN + "/"), expected) is TokenSignatureWrong


def test_an_ecdsa_signature_in_der_is_refused(authority: Authority, expected: Expectation) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    card = authority.issue(key=key)
    der = key.sign(b"anything", ec.ECDSA(hashes.SHA256()))
    assert refusal(build(Token(card.der, "ES256", der)), expected) is TokenSignatureWrong


def test_rs256_signed_as_pss_is_refused(
    authority: Authority, key: rsa.RSAPrivateKey, expected: Expectation
) -> None:
    card = authority.issue(key=key)
    crossed = build(Token(card.der, "RS256", sign(key, "PS256")))
    assert refusal(crossed, expected) is TokenSignatureWrong


def test_a_short_rsa_key_is_refused(authority: Authority, expected: Expectation) -> None:
    card = authority.issue(key=rsa_key(1024))
    assert refusal(token(card), expected) is TokenAlgorithmRefused


Flaw = Callable[[Authority, rsa.RSAPrivateKey], InventedCard]
LATER = timedelta(days=50)
FLAWS: list[tuple[type[ContractProblem], Flaw]] = [
    (CardUsageRefused, lambda a, k: a.issue(key=k, usage=None)),
    (CardUsageRefused, lambda a, k: a.issue(key=k, usage=key_usage(digital_signature=False))),
    (CardUsageRefused, lambda a, k: a.issue(key=k, extended=ExtendedKeyUsageOID.CODE_SIGNING)),
    (CardUsageRefused, lambda a, k: a.issue(key=k, policy=DENIED)),
    (CardCertificateExpired, lambda a, k: a.issue(key=k, end=NOW - timedelta(minutes=1))),
    (CardCertificateExpired, lambda a, k: a.issue(key=k, begin=NOW + LATER)),
    (CardUntrusted, lambda _, k: Authority().issue(key=k)),
]


@pytest.mark.parametrize(("code", "flaw"), FLAWS)
def test_each_flaw_has_its_code(
    authority: Authority,
    key: rsa.RSAPrivateKey,
    expected: Expectation,
    code: type[ContractProblem],
    flaw: Flaw,
) -> None:
    assert refusal(token(flaw(authority, key)), expected) is code


@pytest.mark.parametrize(
    ("extended", "policy"),
    [(None, None), (ExtendedKeyUsageOID.CLIENT_AUTH, "1.3.6.1.4.1.99999.2")],
)
def test_what_is_allowed(
    authority: Authority,
    key: rsa.RSAPrivateKey,
    expected: Expectation,
    extended: object,
    policy: str | None,
) -> None:
    card = authority.issue(key=key, extended=extended, policy=policy)
    assert validate(token(card), NONCE, expected, NOW) == card.certificate


def test_the_checks_come_in_the_validators_order(
    authority: Authority, key: rsa.RSAPrivateKey, expected: Expectation
) -> None:
    """One flaw after another is mended; the refusal moves on by exactly one check."""
    foreign = Authority()
    over = NOW - timedelta(minutes=1)
    wrong_usage = key_usage(digital_signature=False)
    revoking = replace(expected, revoked=lambda _: True, algorithms=("ES256",))
    broken = build(Token(foreign.issue(key=key, usage=wrong_usage, end=over).der, "RS256", b"x"))
    assert refusal(broken, revoking) is CardUsageRefused
    broken = build(Token(foreign.issue(key=key, end=over).der, "RS256", b"x"))
    assert refusal(broken, revoking) is CardCertificateExpired
    broken = build(Token(foreign.issue(key=key).der, "RS256", b"x"))
    assert refusal(broken, revoking) is CardUntrusted
    broken = build(Token(authority.issue(key=key).der, "RS256", b"x"))
    assert refusal(broken, revoking).code == "service.card.revoked"
    assert refusal(broken, replace(revoking, revoked=None)) is TokenAlgorithmRefused
    assert refusal(broken, expected) is TokenSignatureWrong


def test_a_card_cannot_certify_another(
    authority: Authority, key: rsa.RSAPrivateKey, expected: Expectation
) -> None:
    """A holder's certificate is no authority, though its signature over another is right."""
    holder = authority.issue(key=key)
    forged = Authority(key=key)
    forged.name = holder.certificate.subject
    with_holder_as_root = replace(expected, roots=(holder.certificate,))
    assert refusal(token(forged.issue()), with_holder_as_root) is CardUntrusted


@pytest.mark.parametrize(
    ("kind", "category"),
    [(HPC, "HPC"), (HOP, "HOP"), (MOICA, "MOICA"), (None, "OTHER"), (HPC + HOP, "OTHER")],
)
def test_the_category_is_read_from_the_certificate(
    authority: Authority, key: rsa.RSAPrivateKey, kind: bytes | None, category: str
) -> None:
    holder = read_holder(authority.issue("王測試\x1b[2J", key=key, kind=kind).certificate)
    assert (holder.category, holder.name) == (category, "王測試［2J")
    assert holder.short_card == short(holder.card)
    assert len(holder.short_card) == 9


def test_a_name_that_cannot_be_read_is_a_malformed_token(
    authority: Authority, expected: Expectation
) -> None:
    """It is parsed when it is first asked for, which the chain's check was first to do."""
    card = authority.issue()
    name = "測試員甲".encode()
    assert name in card.der
    broken = card.der.replace(name, b"\xff" * len(name))
    token = Token(broken, "RS256", bytes(256))
    with pytest.raises(TokenMalformed):
        validate(build(token), NONCE, expected, NOW)
