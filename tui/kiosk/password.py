"""The administrator's secret: its hash in the settings, and whether a typed one is it.

The hash is a PHC string, `$scrypt$ln=15,r=8,p=1$salt$hash` (RFC 7914; base64 without padding).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace

from card.pin import Pin

LOG_N, R, P = 15, 8, 1  # 32 MiB and about 0.1 s each time
SALT_BYTES, HASH_BYTES = 16, 32
PHC = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)


@dataclass(frozen=True)
class SecretHash:
    """A stored hash and how it was made."""

    log_n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, secret: Pin) -> SecretHash:
        """The hash of a new secret, which is wiped."""
        salt = os.urandom(SALT_BYTES)
        made = cls(LOG_N, R, P, salt, bytes(HASH_BYTES))
        return replace(made, hash=made.derive(secret))

    @classmethod
    def parse(cls, text: str) -> SecretHash:
        """Read a PHC string. Raises ValueError for any other, and for costs out of reach."""
        found = PHC.fullmatch(text)
        if found is None:
            raise ValueError("not a PHC string of scrypt")
        log_n, r, p = (int(found[number]) for number in (1, 2, 3))
        salt, hash = _unpadded(found[4]), _unpadded(found[5])
        if not (10 <= log_n <= 17 and 1 <= r <= 16 and 1 <= p <= 4) or len(hash) < 16:
            raise ValueError("costs or hash out of range")
        return cls(log_n, r, p, salt, hash)

    def __str__(self) -> str:
        salt, hash = (b64encode(part).decode().rstrip("=") for part in (self.salt, self.hash))
        return f"$scrypt$ln={self.log_n},r={self.r},p={self.p}${salt}${hash}"

    def matches(self, secret: Pin) -> bool:
        """Is `secret`, which is wiped, the one of this hash? Takes about 0.1 s."""
        return hmac.compare_digest(self.derive(secret), self.hash)

    def derive(self, secret: Pin) -> bytes:
        """What `secret`, which is wiped, gives with this salt and these costs."""
        n, r, p = 2**self.log_n, self.r, self.p
        memory, length = 128 * r * (n + p + 4), len(self.hash)
        with secret.spend() as view:
            return hashlib.scrypt(view, salt=self.salt, n=n, r=r, p=p, maxmem=memory, dklen=length)


def _unpadded(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), validate=True)
