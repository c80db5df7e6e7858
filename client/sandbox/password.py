"""Passwords and other low-entropy secrets at rest: scrypt (RFC 7914)."""

from __future__ import annotations

import hashlib
import hmac
import secrets

COST, BLOCK, LANES = 2**14, 8, 1  # 16 MiB and some 50 ms for each guess


def derive(secret: bytes, salt: bytes) -> bytes:
    """32 bytes that tell nothing of `secret` to anyone who cannot guess it."""
    return hashlib.scrypt(secret, salt=salt, n=COST, r=BLOCK, p=LANES, dklen=32)


def hash_password(password: bytes) -> str:
    """`password` as stored: salt and hash in hex."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${derive(password, salt).hex()}"


def matches(password: bytes, stored: str | None) -> bool:
    """Is it the password? Takes as long where there is no account (`stored` is None)."""
    salt, _, expected = (stored or "00" * 16 + "$").partition("$")
    derived = derive(password, bytes.fromhex(salt))
    return stored is not None and hmac.compare_digest(derived.hex(), expected)
