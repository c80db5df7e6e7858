"""Genuine Web eID tokens of three countries against the validator."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from client.errors import (
    CardCertificateExpired,
    CardRevoked,
    CardUntrusted,
    CardUsageRefused,
    ContractProblem,
    TokenAlgorithmRefused,
    TokenMalformed,
    TokenSignatureWrong,
)
from client.port import signed_message
from client.token import Token, build, parse
from client.validator import Expectation, check_signature, validate

VECTORS = Path(__file__).parents[2] / "vectors"
ESTONIA, BELGIUM, FINLAND = json.loads((VECTORS / "web-eid-tokens.json").read_text())["vectors"]
BELGIAN_CA = x509.load_pem_x509_certificate((VECTORS / "eid-test-ec-citizen-ca.pem").read_bytes())
WHEN_VALID = datetime(2024, 1, 1, tzinfo=UTC)
AFTER_THE_END = datetime(2031, 1, 1, tzinfo=UTC)

Vector = dict[str, object]


def token_of(vector: Vector, **changes: object) -> bytes:
    return json.dumps({**vector["token"], **changes}).encode()  # type: ignore[dict-item]


def certificate_of(vector: Vector) -> x509.Certificate:
    return x509.load_der_x509_certificate(parse(token_of(vector)).certificate)


def belgian(**changes: object) -> Expectation:
    return Expectation(**{"origin": BELGIUM["origin"], "roots": (BELGIAN_CA,), **changes})


def refusal(token: bytes, expected: Expectation, **changes: object) -> type[ContractProblem]:
    case = {"nonce": BELGIUM["nonce"], "now": WHEN_VALID, **changes}
    with pytest.raises(ContractProblem) as caught:
        validate(token, expected=expected, **case)
    return caught.type


@pytest.mark.parametrize(
    ("vector", "algorithm"), [(ESTONIA, "ES384"), (BELGIUM, "ES384"), (FINLAND, "PS256")]
)
def test_the_signature_of_every_genuine_token_is_right(vector: Vector, algorithm: str) -> None:
    token = parse(token_of(vector))
    assert token.algorithm == algorithm
    check_signature(certificate_of(vector), token, str(vector["origin"]), str(vector["nonce"]))


@pytest.mark.parametrize("vector", [ESTONIA, BELGIUM, FINLAND])
@pytest.mark.parametrize("part", ["origin", "nonce"])
def test_no_signature_is_right_for_another_origin_or_nonce(vector: Vector, part: str) -> None:
    of = {"origin": str(vector["origin"]), "nonce": str(vector["nonce"])}
    of[part] += "x"
    with pytest.raises(TokenSignatureWrong):
        check_signature(certificate_of(vector), parse(token_of(vector)), **of)


def test_a_genuine_token_passes_every_check_at_its_own_time() -> None:
    certificate = validate(token_of(BELGIUM), BELGIUM["nonce"], belgian(), WHEN_VALID)
    assert certificate == certificate_of(BELGIUM)


@pytest.mark.parametrize("now", [AFTER_THE_END, datetime(2020, 1, 1, tzinfo=UTC)])
def test_it_fails_outside_its_time_for_that_reason(now: datetime) -> None:
    assert refusal(token_of(BELGIUM), belgian(), now=now) is CardCertificateExpired


def test_it_fails_under_another_authority() -> None:
    assert refusal(token_of(BELGIUM), belgian(roots=())) is CardUntrusted
    assert refusal(token_of(ESTONIA), belgian()) is CardUntrusted


def test_it_fails_when_it_is_revoked() -> None:
    asked = []
    expected = belgian(revoked=lambda certificate: not asked.append(certificate))
    assert refusal(token_of(BELGIUM), expected) is CardRevoked
    assert asked == [certificate_of(BELGIUM)]


def test_it_fails_under_a_denied_policy() -> None:
    expected = belgian(denied_policies=frozenset({"2.16.56.12.1.1.2.2"}))
    policies = certificate_of(BELGIUM).extensions.get_extension_for_class(x509.CertificatePolicies)
    (policy,) = policies.value
    assert policy.policy_identifier.dotted_string in expected.denied_policies
    assert refusal(token_of(BELGIUM), expected) is CardUsageRefused


def test_it_fails_for_another_origin() -> None:
    assert refusal(token_of(BELGIUM), belgian(origin=ESTONIA["origin"])) is TokenSignatureWrong


def test_it_fails_for_another_nonce() -> None:
    assert refusal(token_of(BELGIUM), belgian(), nonce=ESTONIA["nonce"]) is TokenSignatureWrong


def test_a_signature_with_one_bit_changed_fails() -> None:
    signature = bytearray(parse(token_of(BELGIUM)).signature)
    signature[10] ^= 1
    tampered = token_of(BELGIUM, signature=b64encode(signature).decode())
    assert refusal(tampered, belgian()) is TokenSignatureWrong


def test_another_cards_certificate_fails() -> None:
    foreign = ESTONIA["token"]["unverifiedCertificate"]
    assert refusal(token_of(BELGIUM, unverifiedCertificate=foreign), belgian()) is CardUntrusted


def test_a_certificate_with_one_bit_changed_fails() -> None:
    der = bytearray(b64decode(BELGIUM["token"]["unverifiedCertificate"]))
    at = der.index(b"Nora")
    der[at] ^= 1
    tampered = token_of(BELGIUM, unverifiedCertificate=b64encode(der).decode())
    assert refusal(tampered, belgian()) is CardUntrusted


def test_a_real_certificate_that_is_not_strict_der_is_malformed_and_no_crash() -> None:
    with pytest.raises(ValueError, match="EncodedDefault"):
        _ = certificate_of(FINLAND).extensions
    assert refusal(token_of(FINLAND), belgian()) is TokenMalformed


def test_an_algorithm_that_is_not_offered_or_does_not_fit_the_key_is_refused() -> None:
    assert refusal(token_of(BELGIUM), belgian(algorithms=("RS256",))) is TokenAlgorithmRefused
    for name in ("RS384", "none", "HS256", "ES512x"):
        changed = token_of(BELGIUM, algorithm=name)
        assert refusal(changed, belgian()) is TokenAlgorithmRefused, name


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"{}",
        b"[]" + b" " * 200,
        b"{" * 5000,
        b"\xff" * 200,
        b'{"format":"web-eid:1.0"' + b" " * 200 + b"}",
        token_of(BELGIUM) + b" " * 10_000,
        token_of(BELGIUM, format="web-eid:2.0"),
        token_of(BELGIUM, format="web-eid:10"),
        token_of(BELGIUM, format=None),
        token_of(BELGIUM, algorithm=None),
        token_of(BELGIUM, algorithm=""),
        token_of(BELGIUM, signature=7),
        token_of(BELGIUM, signature=""),
        token_of(BELGIUM, signature="not base64!"),
        token_of(BELGIUM, unverifiedCertificate="bm90IGEgY2VydGlmaWNhdGU="),
    ],
)
def test_what_is_no_token_is_malformed(token: bytes) -> None:
    assert refusal(token, belgian()) is TokenMalformed


def test_a_token_survives_building_and_parsing() -> None:
    token = Token(b"\x30\x00" * 60, "RS256", bytes(range(256)))
    assert parse(build(token)) == token


def test_the_signed_message_is_both_hashes() -> None:
    message = signed_message("https://ria.ee", str(ESTONIA["nonce"]))
    assert len(message) == 64
    assert message[:32] != message[32:]
