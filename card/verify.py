"""VERIFY, the same for every application: what is checked before, and what the answer says.

Nothing else in this program sends a PIN to a card by an APDU of its own (ISO 7816-4 §7.5.6);
a reader with keys does it in `card.pin_pad`.
"""

from __future__ import annotations

from card import apdu
from card.apdu import SW, Command, Ins
from card.channel import Channel
from card.errors import (
    PinBlocked,
    PinCharacters,
    PinLength,
    PinRefused,
    PinTriesChanged,
    PinWrong,
)
from card.pin import Pin
from card.port import PinRules

DIGITS = b"0123456789"
PRINTABLE = bytes(range(0x21, 0x7F))  # ASCII without the space: what a PIN pad or keyboard gives


def check(pin: Pin, rules: PinRules, allowed: bytes) -> None:
    """Refuse what cannot be this card's PIN before the card counts it.

    Raises PinLength, PinCharacters.
    """
    if not rules.minimum <= len(pin) <= rules.maximum:
        raise PinLength(rules.minimum, rules.maximum)
    if not pin.matches(allowed):
        raise PinCharacters


def ask_tries(channel: Channel, reference: int) -> int | None:
    """VERIFY without data spends nothing; None where the answer says nothing of the tries."""
    return apdu.tries_left(channel.send(Command(Ins.VERIFY, 0x00, reference)).sw)


def ask_tries_again(channel: Channel, reference: int, shown: int | None) -> int | None:
    """The tries just before sending: no fewer than the person was shown.

    Raises PinBlocked, PinTriesChanged.
    """
    tries = ask_tries(channel, reference)
    if tries == 0:
        raise PinBlocked
    if shown is not None and (tries is None or tries < shown):
        raise PinTriesChanged(shown, tries)
    return tries


def send(channel: Channel, reference: int, characters: memoryview, fill: int, size: int) -> None:
    """The one VERIFY with data in this program, filled up to `size` bytes with `fill`.

    Raises PinWrong, PinBlocked, PinRefused, and what Channel.send raises.
    """
    data = bytearray([fill]) * max(size, len(characters))
    data[: len(characters)] = characters
    try:
        response = channel.send(Command(Ins.VERIFY, 0x00, reference, data))
    finally:
        for index in range(len(data)):
            data[index] = 0
    judge(response.sw)


def judge(sw: int) -> None:
    """What the card's answer to VERIFY says. Raises PinWrong, PinBlocked, PinRefused."""
    if sw == SW.OK:
        return
    tries = apdu.tries_left(sw)
    if tries == 0:
        raise PinBlocked
    if tries is None and sw != SW.VERIFICATION_FAILED:
        raise PinRefused(sw)
    raise PinWrong(tries)
