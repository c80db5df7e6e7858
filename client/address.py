"""The service's address, as a person gave it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from client.errors import AddressInvalid
from client.text import clean

HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


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
        ip = _ip(self.host)
        return self.host == "localhost" if ip is None else ip.is_loopback


def parse_address(url: str) -> Address:
    """An https:// URL of host and port alone. Raises AddressInvalid."""
    seen = clean(url.rpartition("@")[2], 80)  # without the user and password some URLs have
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").encode("idna").decode().lower()
        port = 443 if parts.port is None else parts.port
    except ValueError as error:  # UnicodeError is a ValueError
        raise AddressInvalid(seen) from error
    plain = parts.path in ("", "/") and not parts.query and not parts.fragment
    right = HOST.fullmatch(host) or (_ip(host) and "%" not in host)  # a zone is no origin
    if parts.scheme != "https" or not right or not plain or "@" in parts.netloc or not port:
        raise AddressInvalid(seen)
    return Address(host, port)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
