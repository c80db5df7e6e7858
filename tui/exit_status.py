"""The exit statuses of the program, which scripts rely on."""

from __future__ import annotations

from screens.wizard import UNEXPECTED

DONE, REFUSED, USAGE, ENVIRONMENT, CANCELLED = range(5)
DEFECT = 70  # EX_SOFTWARE of sysexits.h
_ENVIRONMENT = (
    "pcsc.",
    "component.",
    "net.",
    "card.reader.",
    "card.absent",
    "service.unavailable",
    "revocation.unavailable",
    "revocation.issuer",
)


def status_of(code: str) -> int:
    """The exit status of an error's stable code."""
    if code.endswith(".cancelled"):
        return CANCELLED
    if code.startswith("app."):
        return DEFECT if code == UNEXPECTED else USAGE
    return ENVIRONMENT if code.startswith(_ENVIRONMENT) else REFUSED
