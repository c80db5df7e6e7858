"""Which card this is: what its ATR, its applications and its certificate say, one line a mark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from card.atr import historical_bytes


class Kind(StrEnum):
    """What lies in a reader."""

    HPC = "HPC"  # 醫事人員卡
    HOP = "HOP"  # 醫事機構卡
    NHI = "NHI"  # 健保卡
    MOICA = "MOICA"  # 自然人憑證
    PKCS15 = "PKCS#15"  # with a certificate that says none of these
    PIV = "PIV"  # likewise
    OTHER = "OTHER"  # behind a module, likewise
    UNKNOWN = "UNKNOWN"  # no application that anything here knows
    MUTE = "MUTE"  # no answer to reset at all: upside down, dirty or broken


@dataclass(frozen=True)
class Mark:
    """One way to tell a kind, by exactly one of the four: the first that answers decides.

    `atr`: all of it. `historical`: a regular expression that all historical bytes match.
    `application`: an AID that a harmless SELECT finds. `subject_type`: the contents of the OID in
    the certificate's attribute 2.16.886.1.100.2.1.
    """

    kind: Kind
    source: str
    atr: bytes = b""
    historical: bytes = b""
    application: bytes = b""
    subject_type: bytes = b""


_hex = bytes.fromhex
_LIST = "pcsc-tools smartcard_list.txt"
_READERS = "public reader software for the card"
_PROFILE = "GRCA certificate profile: "
MARKS = (
    # An HPC's ATR says that its vendor's module is needed; the certificate says what it is.
    Mark(Kind.HPC, _LIST, atr=_hex("3BF91800008131FE4550565F4A3244303831B6")),
    # An NHI card is told by its ATR alone and left alone: its data is personal.
    Mark(Kind.NHI, _LIST, atr=_hex("3BEE00008131FE4580318066409093060F17830F9000F3")),
    Mark(Kind.NHI, _LIST, atr=_hex("3BFC1800008131FE458073C8211366020403550002D2")),
    Mark(Kind.NHI, _READERS, historical=rb"PVJCOP4SID"),
    Mark(Kind.NHI, _READERS, historical=rb"SLJ52G(\w{4}|\w{6}R)"),
    Mark(Kind.NHI, _READERS, historical=rb"JCOP21v231GDT"),
    Mark(Kind.NHI, _READERS, historical=rb"THCC10TECOGD(HN2|IN1)"),
    Mark(Kind.MOICA, _LIST, atr=_hex("3B8B80010031C1640840213000900057")),
    Mark(Kind.MOICA, _READERS, historical=rb"CHTMOICA"),
    Mark(Kind.MOICA, _READERS, historical=rb"CHTGPKIJ"),
    Mark(Kind.PKCS15, "PKCS#15 v1.1 §5.4", application=_hex("A000000063504B43532D3135")),
    Mark(Kind.PKCS15, "ISO/IEC 7816-15 §6.2", application=_hex("E828BD080F")),
    Mark(Kind.PIV, "SP 800-73-5 part 1 §2.2", application=_hex("A00000030800001000")),
    Mark(Kind.HPC, _PROFILE + "2.16.886.1.100.3.1.7", subject_type=_hex("6086760164030107")),
    Mark(Kind.HOP, _PROFILE + "2.16.886.1.100.3.2.21", subject_type=_hex("6086760164030215")),
    Mark(Kind.MOICA, _PROFILE + "2.16.886.1.100.3.1.1", subject_type=_hex("6086760164030101")),
)


def by_atr(atr: bytes) -> Kind | None:
    """The kind that the ATR names; None when it names none. A hint for HPC, proof for others."""
    historical = historical_bytes(atr)
    for mark in MARKS:
        if mark.atr and mark.atr == atr:
            return mark.kind
        if mark.historical and re.fullmatch(mark.historical, historical):
            return mark.kind
    return None


def applications(kind: Kind) -> tuple[bytes, ...]:
    """The AIDs by which such a card is found."""
    return tuple(mark.application for mark in MARKS if mark.application and mark.kind is kind)


def by_subject_type(contents: bytes) -> Kind | None:
    """The kind that a certificate names; None for any other."""
    types = {mark.subject_type: mark.kind for mark in MARKS if mark.subject_type}
    return types.get(contents)
