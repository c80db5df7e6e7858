"""What an authority says of a card's certificate, and its responder, right and wrong: the seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from status_answers import (
    CLIENT_AUTH,
    CRL_PLACE,
    OCSP_SIGNING,
    REVOKED,
    STRANGE,
    UNKNOWN,
    Ca,
    Listing,
    Reply,
    ec_key,
)
from status_authority import CERTIFICATES, KEY, NONCE, NOW, RESPONDER, SERIAL, SINCE, UNTIL

from card.virtual.authority import key_usage

HOUR = timedelta(hours=1)
HOLD = x509.ReasonFlags.certificate_hold
COMPROMISED = x509.ReasonFlags.key_compromise
INSTEAD = tuple(status for status in ocsp.OCSPResponseStatus if status.value)


def issue() -> Ca:
    """The authority, whose certificates are written anew."""
    ca = Ca(key=KEY)
    responder = ca.appoint(RESPONDER, begin=NOW - HOUR, end=NOW + HOUR)
    issued = (ca.certificate, ca.issue(SERIAL), responder)
    CERTIFICATES.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in issued))
    return ca


def seeds(ca: Ca) -> dict[str, bytes]:
    """By name; the first byte is the target's entrance."""
    leaf = ca.issue(SERIAL)
    found: dict[str, bytes] = {}
    for name, reply in replies(ca, leaf):
        data = reply.der()
        found[f"O-{name}"] = b"O" + data
        found[f"R-{name}"] = b"R" + ocsp.load_der_ocsp_response(data).tbs_response_bytes
    for status in INSTEAD:
        data = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
        found[f"O-{status.name.lower()}"] = b"O" + data
    for name, responder in responders(ca):
        found[f"D-{name}"] = b"D" + responder.tbs_certificate_bytes
    for name, listing in listings(ca):
        data = listing.der()
        found[f"L-{name}"] = b"L" + data
        found[f"E-{name}"] = b"E" + x509.load_der_x509_crl(data).tbs_certlist_bytes
    for name, places in PLACES.items():
        holder = Ca(key=KEY, ocsp=places, crl=places).issue(SERIAL)
        found[f"C-{name}"] = b"C" + holder.public_bytes(Encoding.DER)
    return found


PLACES: dict[str, Sequence[str]] = {
    "none": (),
    "one": ("http://ca.invalid/status",),
    "several": ("ldap://ca.invalid/cn=list", "https://[::1]:8080/a?b", "http://ca.invalid:0/", "x"),
}


def replies(ca: Ca, leaf: x509.Certificate) -> Iterator[tuple[str, Reply]]:
    def reply(**parts: object) -> Reply:
        return Reply(ca, leaf, **{"since": SINCE, "until": UNTIL, "nonce": NONCE, **parts})

    stranger = ec_key()
    responder = RESPONDER, ca.appoint(RESPONDER, begin=NOW - HOUR, end=NOW + HOUR)
    yield "good", reply()
    yield "by-key", reply(by=ocsp.OCSPResponderEncoding.HASH)
    yield "appointed", reply(signer=responder)
    yield "left-out", reply(signer=responder, encloses=False)
    yield "revoked", reply(status=REVOKED, reason=COMPROMISED)
    yield "no-reason", reply(status=REVOKED)
    yield "on-hold", reply(status=REVOKED, reason=HOLD)
    yield "unknown", reply(status=UNKNOWN)
    yield "no-nonce", reply(nonce=None)
    yield "other-nonce", reply(nonce=b"o" * 32)
    yield "of-the-moment", reply(until=None)
    yield "undated", reply(until=None, nonce=None)
    yield "stale", reply(since=SINCE - HOUR, until=NOW - HOUR)
    yield "strange", reply(extra=STRANGE)
    yield "sha256-names", reply(names_by=hashes.SHA256())
    yield "weak", reply(hash=hashes.SHA224())
    yield "of-another", Reply(ca, ca.issue(), since=SINCE, until=UNTIL)
    yield "forged", reply(signer=(stranger, Ca(key=stranger).certificate))


def responders(ca: Ca) -> Iterator[tuple[str, x509.Certificate]]:
    now = {"begin": NOW - HOUR, "end": NOW + HOUR}
    yield "plain", ca.appoint(RESPONDER, **now)
    yield "may-sign", ca.appoint(RESPONDER, OCSP_SIGNING, key_usage(digital_signature=True), **now)
    yield "unchecked", ca.appoint(RESPONDER, OCSP_SIGNING, x509.OCSPNoCheck(), **now)
    yield "for-something-else", ca.appoint(RESPONDER, CLIENT_AUTH, **now)
    yield "strange", ca.appoint(RESPONDER, OCSP_SIGNING, STRANGE, **now)
    yield "expired", ca.appoint(RESPONDER, begin=SINCE - HOUR, end=SINCE)
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    yield "rsa", ca.appoint(rsa_key, **now)


def listings(ca: Ca) -> Iterator[tuple[str, Listing]]:
    def listing(*extensions: x509.ExtensionType, **parts: object) -> Listing:
        dates = {"since": SINCE, "until": UNTIL}
        return Listing(ca, extensions=extensions, **{**dates, **parts})

    def scope(**parts: object) -> Listing:
        whole = dict.fromkeys(("full_name", "relative_name", "only_some_reasons"))
        whole |= dict.fromkeys(
            (
                "only_contains_user_certs",
                "only_contains_ca_certs",
                "indirect_crl",
                "only_contains_attribute_certs",
            ),
            False,
        )
        return listing(x509.IssuingDistributionPoint(**{**whole, **parts}), revoked=[(7, None)])

    here = [x509.UniformResourceIdentifier(CRL_PLACE)]
    part = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "part")])
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(KEY.public_key())
    yield "empty", listing()
    yield "others", listing(key, revoked=[(7, None), (8, COMPROMISED)])
    yield "revoked", listing(revoked=[(7, None), (SERIAL, COMPROMISED)])
    yield "no-reason", listing(revoked=[(SERIAL, None)])
    yield "on-hold", listing(revoked=[(SERIAL, HOLD)])
    yield "changes", listing(x509.DeltaCRLIndicator(3))
    yield "people", scope(only_contains_user_certs=True)
    yield "authorities", scope(only_contains_ca_certs=True)
    yield "attributes", scope(only_contains_attribute_certs=True)
    yield "indirect", scope(indirect_crl=True)
    yield "reasons", scope(only_some_reasons=frozenset({COMPROMISED}))
    yield "here", scope(full_name=here)
    yield "named", scope(relative_name=part)
    yield "stale", listing(since=SINCE - HOUR, until=NOW - HOUR)
    yield "strange", listing(STRANGE)
    yield "weak", listing(hash=hashes.SHA224())
    yield "misnamed", listing(issuer="TEST Another CA")
    yield "forged", listing(key=ec_key())
