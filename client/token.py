"""The Web eID authentication token, format web-eid:1.0: a JSON object.

Source: Web eID authentication token specification 1.0. The message that its signature covers is
`client.port.signed_message`; what a service checks is `client.validator`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass

from client.errors import TokenMalformed

FORMAT = "web-eid:1.0"
APP_VERSION = "https://web-eid.eu/web-eid-app/releases/2.7.0+0"  # informative; a URL by the format
SHORTEST, LONGEST = 100, 10_000  # characters, as the public validators limit it


@dataclass(frozen=True)
class Token:
    """`certificate` is DER and unverified; `signature` raw (RSA: big-endian, ECDSA: R‖S)."""

    certificate: bytes
    algorithm: str
    signature: bytes


def members(token: Token) -> dict[str, str]:
    """The members of the token's JSON object."""
    return {
        "unverifiedCertificate": b64encode(token.certificate).decode(),
        "algorithm": token.algorithm,
        "signature": b64encode(token.signature).decode(),
        "format": FORMAT,
        "appVersion": APP_VERSION,
    }


def build(token: Token) -> bytes:
    """The token as compact JSON."""
    import msgspec

    return msgspec.json.encode(members(token))


def parse(data: bytes) -> Token:
    """Read a token; members that the format does not name are ignored. Raises TokenMalformed."""
    import msgspec

    try:
        if not SHORTEST <= len(data.decode()) <= LONGEST:
            raise TokenMalformed
        wire = msgspec.json.decode(data, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TokenMalformed from error
    form = wire.get("format")
    if not isinstance(form, str) or not (form == "web-eid:1" or form.startswith("web-eid:1.")):
        raise TokenMalformed
    algorithm = wire.get("algorithm")
    if not isinstance(algorithm, str) or not algorithm:
        raise TokenMalformed
    return Token(_bytes(wire, "unverifiedCertificate"), algorithm, _bytes(wire, "signature"))


def _bytes(wire: dict[str, object], name: str) -> bytes:
    value = wire.get(name)
    if not isinstance(value, str) or not value:
        raise TokenMalformed
    try:
        return b64decode(value, validate=True)
    except ValueError as error:
        raise TokenMalformed from error
