"""What the wizard and the line mode say about a field of the account form before sending it."""

from __future__ import annotations

from client.form import accepts
from client.port import FieldKind, FormField, Verification
from screens.language import N_

COMPLAINTS = {
    "missing": N_("please fill this in"),
    "form": N_("this does not have the right form"),
    "consent": N_("your consent is needed (space bar)"),
    "service": N_("the service does not accept this"),
}


# What a card's certificate knows for the form: its category, and HTML's name for such a field.
_HOLDERS = frozenset({("HPC", "name"), ("HOP", "organization")})


def known(field: FormField, verification: Verification | None) -> str:
    """What may stand in `field` before anybody types: the holder's name, or nothing.

    Many terminals have no input method, and a name cannot be typed there in Chinese.
    """
    if verification is None or (verification.category, field.autocomplete) not in _HOLDERS:
        return ""
    return verification.holder if accepts(field, verification.holder) else ""


def complaint_about(field: FormField, value: str | bytearray) -> str | None:
    """Why `value` cannot be sent: a key of COMPLAINTS, or None."""
    if accepts(field, value):
        return None
    if field.kind is FieldKind.CONSENT:
        return "consent"
    return "form" if value else "missing"
