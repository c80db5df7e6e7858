"""The test CA's register of what it issued: the text database of `openssl ca` and `openssl ocsp`.

One line a certificate, fields between tabs: V or R, the last day, when and why it was revoked,
the serial number, `unknown`, the subject. Source: openssl-ca(1), apps/ca.c.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from card.virtual.profile import Status

if TYPE_CHECKING:
    from cryptography import x509

FILE = "index.txt"
REASONS = {Status.REVOKED: "superseded", Status.ON_HOLD: "certificateHold"}


def enter(directory: Path, certificate: x509.Certificate, status: Status) -> None:
    """Add a line for `certificate`; any number of processes may do so. Raises OSError."""
    serial = f"{certificate.serial_number:X}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    good = status is Status.GOOD
    since = "" if good else f"{_time(datetime.now(UTC))},{REASONS[status]}"
    fields = (
        "V" if good else "R",
        _time(certificate.not_valid_after_utc),
        since,
        serial,
        "unknown",
        f"/CN=TEST {serial}",  # openssl wants each name once; whose card it is concerns nobody
    )
    descriptor = os.open(directory / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        file.write(("\t".join(fields) + "\n").encode("ascii"))


def _time(moment: datetime) -> str:
    """UTCTime, and from 2050 on GeneralizedTime (RFC 5280 §4.1.2.5)."""
    return moment.strftime("%y%m%d%H%M%SZ" if moment.year < 2050 else "%Y%m%d%H%M%SZ")
