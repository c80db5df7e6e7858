"""What the project's own virtual cards say in a whole talk, as the program talks to them today."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from targets import PIN, Tape, session, tape_of

from card.errors import CardError
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

DATES = '[certificate]\nnot_before = 2026-01-01\nnot_after = 2059-12-31\nholder = "測試員甲"\n'
HOW = ("extended", "short", "ec", "last-try", "blocked")
KINDS = ("pkcs15", "piv")


def profile(kind: str, how: str) -> Profile:
    """A card with the PIN of the campaign; `how` is one of HOW."""
    tries = {"last-try": 1, "blocked": 0}.get(how, 3)
    top = f'kind = "{kind}"\n'
    top += "extended_length = false\nresponse_limit = 256\n" if how == "short" else ""
    key = '[key]\ntype = "EC"\n' if how == "ec" else ""
    pin = f'[pin]\nvalue = "{PIN.decode()}"\ntries_left = {tries}\n'
    packed = "compressed = true\n" if kind == "piv" and how == "short" else ""
    return Profile.parse(f"{top}{pin}{key}{DATES}{packed}")


@dataclass
class Recorder(Tape):
    """A real virtual card whose answers are kept."""

    card: VirtualCard | None = None
    heard: list[bytes] = field(default_factory=list)

    def transmit(self, command: bytes | bytearray) -> bytes:
        assert self.card is not None
        self.heard.append(self.card.transmit(command))
        return self.heard[-1]


def talk(card: VirtualCard) -> bytes:
    """As a target takes it: which ATR, then the tape."""
    recorder = Recorder(iter(()), card.atr, card=card)
    with suppress(CardError):
        session(recorder)
    return (b"0" if card.profile.extended_length else b"1") + tape_of(recorder.heard)


def talks(kind: str, authority: Authority) -> dict[str, bytes]:
    """Each of HOW with a fresh card of that kind."""
    return {how: talk(VirtualCard(profile(kind, how), authority)) for how in HOW}
