"""The service's address, as a person gave it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from client.errors import AddressInvalid
from client.text import clean


@dataclass(frozen=True)
class Address:
    """`host` without brackets and in ASCII; `origin` as a token signs it (RFC 6454 §6.2)."""

    host: str
    port: int

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}" if self.port == 443 else f"https://{host}:{self.port}"

    @property
    def local(self) -> bool:
        """This same computer, where no proxy leads."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_address(url: str) -> Address:
    """An https:// URL of host and port alone. Raises AddressInvalid."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").encode("idna").decode().lower()
        port = 443 if parts.port is None else parts.port
    except ValueError as error:  # UnicodeError is a ValueError
        raise AddressInvalid(clean(url, 80)) from error
    plain = parts.path in ("", "/") and not parts.query and not parts.fragment
    if parts.scheme != "https" or not host or not plain or "@" in parts.netloc or not port:
        raise AddressInvalid(host or clean(url, 80))
    return Address(host, port)
