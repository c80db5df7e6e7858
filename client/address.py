"""The service's address, as a person gave it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from client.errors import AddressInvalid
from client.text import clean

HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Address:
    """`host` without brackets and in ASCII; `origin` as a token signs it (RFC 6454 §6.2)."""

    host: str
    port: int
    scheme: str = "https"

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

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
        address = _address(parts)
    except ValueError as error:
        raise AddressInvalid(seen) from error
    if address.scheme != "https" or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise AddressInvalid(seen)
    return address


def parse_resource(url: str) -> tuple[Address, str]:
    """Where an http:// or https:// URL leads, and its path with the query. Raises ValueError."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(url)
    parts = urlsplit(url)
    address = _address(parts)
    return address, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _address(parts: SplitResult) -> Address:
    """Raises ValueError for another scheme, credentials, or what is no host and port."""
    host = (parts.hostname or "").encode("idna").decode().lower()  # UnicodeError is a ValueError
    port = PORTS.get(parts.scheme) if parts.port is None else parts.port
    right = HOST.fullmatch(host) or (_ip(host) and "%" not in host)  # a zone is no origin
    if parts.scheme not in PORTS or not right or "@" in parts.netloc or not port:
        raise ValueError(parts.netloc)
    return Address(host, port, parts.scheme)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
