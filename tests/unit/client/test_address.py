"""The service's address, and the origin that tokens sign."""

from __future__ import annotations

import pytest

from client.address import parse_address, parse_resource
from client.errors import AddressInvalid


@pytest.mark.parametrize(
    ("url", "origin", "local"),
    [
        ("https://example.org", "https://example.org", False),
        ("https://EXAMPLE.org:443/", "https://example.org", False),
        ("  https://example.org:8443 ", "https://example.org:8443", False),
        ("https://測試.example", "https://xn--g6w251d.example", False),
        ("https://localhost:1", "https://localhost:1", True),
        ("https://127.0.0.2", "https://127.0.0.2", True),
        ("https://[::1]:8443", "https://[::1]:8443", True),
        ("https://192.0.2.1", "https://192.0.2.1", False),
    ],
)
def test_addresses(url: str, origin: str, local: bool) -> None:
    address = parse_address(url)
    assert (address.origin, address.local) == (origin, local)
    assert parse_address(origin) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "http://example.org",
        "https://",
        "https://example.org/path",
        "https://example.org?x",
        "https://example.org#x",
        "https://user@example.org",
        "https://user:secret@example.org",
        "https://example.org:port",
        "https://user:secret@example.org:port",
        "https://[fe80::1%25eth0]",
        "https://example.org:0",
        "https://example.org:65536",
        "https://[::1",
        "https://a..b",
        "https://" + "a" * 70 + ".example",
        "https://ex\x1bample.org",
        "https://exa mple.org",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(AddressInvalid) as caught:
        parse_address(url)
    assert "secret" not in caught.value.host
    assert "\x1b" not in caught.value.host


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://ca.example", "http://ca.example", "/"),
        ("HTTP://CA.example:80/ocsp", "http://ca.example", "/ocsp"),
        ("http://ca.example:8080/a/b?c=d", "http://ca.example:8080", "/a/b?c=d"),
        ("https://ca.example/list.crl#x", "https://ca.example", "/list.crl"),
        ("http://[::1]:80/", "http://[::1]", "/"),
    ],
)
def test_resources(url: str, origin: str, path: str) -> None:
    address, found = parse_resource(url)
    assert (address.origin, found) == (origin, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ca.example/ocsp",
        "ldap://ca.example/cn=x",
        "ftp://ca.example/",
        "file:///etc/passwd",
        "http:///ocsp",
        "http://user@ca.example/",
        "http://ca.example:0/",
        "http://ca.example:port/",
        "http://ca.example/a b",
        "http://ca.example/\r\nX: y",
        "http://ca.example/\x1b",
        "http://測試.example/",
    ],
)
def test_what_is_no_resource(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - also of urllib
        parse_resource(url)
