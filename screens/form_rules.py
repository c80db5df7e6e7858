"""What the wizard and the line mode say about a field of the account form before sending it."""

from __future__ import annotations

from client.form import accepts
from client.port import FieldKind, FormField
from screens.language import N_

COMPLAINTS = {
    "missing": N_("please fill this in"),
    "form": N_("this does not have the right form"),
    "consent": N_("your consent is needed (space bar)"),
    "service": N_("the service does not accept this"),
}


def complaint_about(field: FormField, value: str | bytearray) -> str | None:
    """Why `value` cannot be sent: a key of COMPLAINTS, or None."""
    if accepts(field, value):
        return None
    if field.kind is FieldKind.CONSENT:
        return "consent"
    return "form" if value else "missing"
