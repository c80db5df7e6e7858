"""How the reader is attached, in words, and the warning that goes with it."""

from __future__ import annotations

from collections.abc import Sequence

from card.port import Slot
from screens.language import N_, Words
from screens.troubleshooting.support_code import Attachment

ATTACHMENTS = {
    Attachment.UNKNOWN: N_("unknown"),
    Attachment.LOCAL: N_("on this computer"),
    Attachment.FORWARDED: N_("on the thin client, forwarded through SSH"),
    Attachment.REDIRECTED: N_("redirected by the remote desktop"),
    Attachment.REMOTE_CLEAR: N_("over the network without encryption"),
    Attachment.EMBEDDED: N_("the virtual card of the demonstration"),
}
NOT_WORTH_A_WORD = frozenset({Attachment.UNKNOWN, Attachment.EMBEDDED})


def attached(attachment: Attachment, words: Words) -> str:
    """Where the reader is; empty where that is not known, or no reader is real."""
    return "" if attachment in NOT_WORTH_A_WORD else words(ATTACHMENTS[attachment])


def warning(attachment: Attachment, slots: Sequence[Slot], words: Words) -> str:
    """What whoever types a PIN should know of its way to the reader; mostly empty."""
    from card.attachment import in_clear

    if attachment in NOT_WORTH_A_WORD or not in_clear([slot.reader for slot in slots]):
        return ""
    return words(N_("Take care: the PIN would reach this reader unencrypted."))
