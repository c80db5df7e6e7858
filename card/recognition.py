"""Which card this is, as far as its answer to reset tells, before anything is sent to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from card.atr import historical_bytes


class Family(Enum):
    """A family of cards that people insert here."""

    HPC = "HPC"  # 醫事憑證: the vendor's own applet, reached by its PKCS#11 module
    NHI = "NHI"  # 健保卡
    MOICA = "MOICA"  # 自然人憑證


@dataclass(frozen=True)
class Mark:
    """One way to tell a family: the whole ATR, or a pattern that all historical bytes match."""

    family: Family
    source: str
    atr: bytes = b""
    historical: bytes = b""  # a regular expression


_LIST = "pcsc-tools smartcard_list.txt"
_READERS = "public reader software for the card"
MARKS = (
    Mark(Family.HPC, _LIST, atr=bytes.fromhex("3BF91800008131FE4550565F4A3244303831B6")),
    Mark(Family.NHI, _LIST, atr=bytes.fromhex("3BEE00008131FE4580318066409093060F17830F9000F3")),
    Mark(Family.NHI, _LIST, atr=bytes.fromhex("3BFC1800008131FE458073C8211366020403550002D2")),
    Mark(Family.NHI, _READERS, historical=rb"PVJCOP4SID"),
    Mark(Family.NHI, _READERS, historical=rb"SLJ52G(\w{4}|\w{6}R)"),
    Mark(Family.NHI, _READERS, historical=rb"JCOP21v231GDT"),
    Mark(Family.NHI, _READERS, historical=rb"THCC10TECOGD(HN2|IN1)"),
    Mark(Family.MOICA, _LIST, atr=bytes.fromhex("3B8B80010031C1640840213000900057")),
    Mark(Family.MOICA, _READERS, historical=rb"CHTMOICA"),
    Mark(Family.MOICA, _READERS, historical=rb"CHTGPKIJ"),
)


def by_atr(atr: bytes) -> Family | None:
    """The family that the ATR names; None when it names none. A hint for HPC, proof for others."""
    historical = historical_bytes(atr)
    for mark in MARKS:
        if mark.atr and mark.atr == atr:
            return mark.family
        if mark.historical and re.fullmatch(mark.historical, historical):
            return mark.family
    return None
