"""The support code: what support must know of a far machine, in twelve characters.

Crockford's base 32 (0-9 and A-Z without I, L, O, U) in three groups: `4T7C-0Q2M-81VK`. Eleven
characters carry 55 bits, the most significant first; the twelfth checks them. Nothing in it is
personal, and it carries no PIN, name, number or address.

Layout 1, bits from the left:

    3   layout            this table's number; another layout may use the other 52 bits otherwise
    10  error             number in codes.toml; a number is never used for another code
    4   step              place in STEPS, 15 for none
    4   tries left        0 to 13; 14 for more; 15 for unknown
    2   readers           0 to 2; 3 for more
    2   cards             0 to 2; 3 for more
    3   attachment        place in Attachment
    3   backend           place in Backend
    1   language          0 Chinese, 1 English
    5   version, major    31 for more
    8   version, minor    255 for more
    7   version, patch    127 for more
    3   reserved          0

The check character makes the sum of c[i]·α^i zero in GF(32), where α is a root of x⁵+x²+1. The
twelve weights differ and none is zero, so every single wrong character and every swap of two
characters, neighbours or not, is noticed.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from screens.language import Language
from screens.wizard import Step

REGISTRY = Path(__file__).with_name("codes.toml")
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH, GROUP = 12, 4
LAYOUT = 1
UNKNOWN_TRIES, NO_STEP = 15, 15
MORE_TRIES, MORE_READERS = 14, 3
_WIDTHS = (3, 10, 4, 4, 2, 2, 3, 3, 1, 5, 8, 7, 3)  # of the layout's fields, 55 bits in all
_LOOK_ALIKE = str.maketrans("OIL", "011")
# The order is part of the layout: new steps go to the end.
STEPS = (
    Step.WELCOME,
    Step.COMPONENTS,
    Step.READER,
    Step.CARD,
    Step.PIN,
    Step.RESULT,
    Step.FORM,
    Step.SIGN_IN,
    Step.RECEIPT,
)


class Attachment(StrEnum):
    """How the reader reaches this program. The order is part of the layout."""

    UNKNOWN = "unknown"
    LOCAL = "local"
    FORWARDED = "forwarded"  # through an SSH-forwarded PC/SC socket
    REDIRECTED = "redirected"  # by RDP or another remote desktop
    REMOTE_CLEAR = "remote-clear"  # over a network without encryption (usbip, vpcd)
    EMBEDDED = "embedded"  # the virtual card inside this program


class Backend(StrEnum):
    """What drives the card. The order is part of the layout."""

    NONE = "none"
    PKCS15 = "pkcs15"
    PIV = "piv"
    PKCS11 = "pkcs11"
    VIRTUAL = "virtual"


class Fault(Enum):
    """What is wrong with a text that should be a support code."""

    LENGTH = "length"
    CHARACTER = "character"
    CHECK = "check"  # a wrong or swapped character
    LAYOUT = "layout"  # made by a program with another layout
    VALUE = "value"  # a number that this program does not know; a newer one may


@dataclass(eq=False)
class SupportCodeInvalid(ValueError):
    """Not a support code, or not one of this layout."""

    fault: Fault


@dataclass(frozen=True)
class SupportFacts:
    """What a support code carries; numbers too large for it come back as its largest."""

    code: str  # the stable code of the error
    step: Step | None = None
    tries_left: int | None = None  # None is unknown
    readers: int = 0
    cards: int = 0
    attachment: Attachment = Attachment.UNKNOWN
    backend: Backend = Backend.NONE
    language: Language = Language.ZH
    version: tuple[int, int, int] = (0, 0, 0)


@cache
def registry() -> Mapping[str, int]:
    """Every stable code's number."""
    numbers = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))["numbers"]
    return MappingProxyType(numbers)


def encode(facts: SupportFacts) -> str:
    """The support code for `facts`. Raises KeyError for a code without a number."""
    major, minor, patch = facts.version
    tries = facts.tries_left
    values = (
        LAYOUT,
        registry()[facts.code],
        NO_STEP if facts.step is None else STEPS.index(facts.step),
        UNKNOWN_TRIES if tries is None else min(tries, MORE_TRIES),
        min(facts.readers, MORE_READERS),
        min(facts.cards, MORE_READERS),
        list(Attachment).index(facts.attachment),
        list(Backend).index(facts.backend),
        int(facts.language is Language.EN),
        min(major, 31),
        min(minor, 255),
        min(patch, 127),
        0,
    )
    bits = 0
    for value, width in zip(values, _WIDTHS, strict=True):
        bits = bits << width | value
    symbols = [bits >> 5 * place & 31 for place in reversed(range(LENGTH - 1))]
    text = "".join(ALPHABET[symbol] for symbol in (*symbols, _check_symbol(symbols)))
    return "-".join(text[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def decode(text: str) -> SupportFacts:
    """The facts behind a code as it was read out or typed. Raises SupportCodeInvalid.

    Takes any case and width, O for 0, I and L for 1, and any spaces and hyphens.
    """
    symbols = _symbols(text)
    if _sum(symbols):
        raise SupportCodeInvalid(Fault.CHECK)
    bits = 0
    for symbol in symbols[:-1]:
        bits = bits << 5 | symbol
    fields = _fields(bits)
    if next(fields) != LAYOUT:
        raise SupportCodeInvalid(Fault.LAYOUT)
    number, step, tries, readers, cards, attachment, backend, english, *version, reserved = fields
    codes = {value: code for code, value in registry().items()}
    major, minor, patch = version
    try:
        if reserved:
            raise SupportCodeInvalid(Fault.VALUE)
        return SupportFacts(
            code=codes[number],
            step=None if step == NO_STEP else STEPS[step],
            tries_left=None if tries == UNKNOWN_TRIES else tries,
            readers=readers,
            cards=cards,
            attachment=list(Attachment)[attachment],
            backend=list(Backend)[backend],
            language=Language.EN if english else Language.ZH,
            version=(major, minor, patch),
        )
    except LookupError:
        raise SupportCodeInvalid(Fault.VALUE) from None


def _symbols(text: str) -> list[int]:
    text = unicodedata.normalize("NFKC", text).upper().translate(_LOOK_ALIKE)
    characters = [c for c in text if not c.isspace() and unicodedata.category(c) != "Pd"]
    if any(character not in ALPHABET for character in characters):
        raise SupportCodeInvalid(Fault.CHARACTER)
    if len(characters) != LENGTH:
        raise SupportCodeInvalid(Fault.LENGTH)
    return [ALPHABET.index(character) for character in characters]


def _fields(bits: int) -> Iterator[int]:
    place = sum(_WIDTHS)
    for width in _WIDTHS:
        place -= width
        yield bits >> place & (1 << width) - 1


# --- the check character ---------------------------------------------------------------------


def _times(left: int, right: int) -> int:
    """The product in GF(32), modulo x⁵+x²+1."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left & 0b100000:
            left ^= 0b100101
        right >>= 1
    return product


def _sum(symbols: Sequence[int]) -> int:
    """The sum of c[i]·α^i, zero for a code that is right."""
    total = 0
    for symbol in reversed(symbols):
        total = _times(total, 2) ^ symbol
    return total


def _check_symbol(symbols: Sequence[int]) -> int:
    """The last symbol, which makes the sum zero."""
    return next(last for last in range(len(ALPHABET)) if not _sum([*symbols, last]))
