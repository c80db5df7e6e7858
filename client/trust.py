"""Whom to trust: the TLS context of the client and the authorities of the cards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from client.errors import CaFileUnusable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from cryptography import x509

CA_FILE_LIMIT = 4 * 1024 * 1024  # bytes; the largest system bundles stay below 1 MiB


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """A client context, TLS 1.2 or newer: the system's trust store, or `ca_file` alone.

    `ca_file` holds certificates in PEM, or one in DER. Raises CaFileUnusable.
    """
    import ssl

    context: ssl.SSLContext
    if ca_file is None:
        import truststore

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            with ca_file.open("rb") as file:
                data = file.read(CA_FILE_LIMIT)
            pem = b"-----BEGIN" in data
            context.load_verify_locations(cadata=data.decode("ascii", "ignore") if pem else data)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise CaFileUnusable(str(ca_file)) from error
        if not context.cert_store_stats()["x509"]:
            raise CaFileUnusable(str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def card_roots(pem: Iterable[bytes]) -> tuple[x509.Certificate, ...]:
    """The certificates in each PEM text. Raises ValueError where there is none."""
    from cryptography import x509

    return tuple(
        certificate for text in pem for certificate in x509.load_pem_x509_certificates(text)
    )
