"""The card port: what the wizard sees of readers and cards, whatever drives them.

Everything here blocks and is called from one worker thread, except `Readers.cancel`, which any
thread may call. Implementations: `card.pcsc` (readers through pcscd), `card.virtual` (embedded
readers), `card.pkcs15` and `card.pkcs11` (cards).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Protocol, runtime_checkable

from card.pin import Pin


class SlotState(Enum):
    """What PC/SC says of one reader's slot."""

    EMPTY = "empty"
    PRESENT = "present"
    MUTE = "mute"  # a card that gives no ATR: upside down, dirty or broken
    HELD = "held"  # in exclusive use by another program


@dataclass(frozen=True)
class Slot:
    """One reader; `changes` counts its insertions and removals, so a swapped card is noticed."""

    reader: str  # as PC/SC names it
    state: SlotState
    atr: bytes = b""
    changes: int = 0

    @property
    def filled(self) -> bool:
        """A card lies in it, readable or not."""
        return self.state is not SlotState.EMPTY


class Connection(Protocol):
    """A shared connection to the card in one reader."""

    @property
    def reader(self) -> str: ...
    @property
    def atr(self) -> bytes: ...
    @property
    def stay(self) -> object | None:
        """Equal for two connections only if the card was not moved in between.

        None where the system does not count insertions and removals.
        """
        ...

    def transmit(self, command: bytes | bytearray) -> bytes:
        """One command APDU as bytes in, the response APDU out; exactly one exchange, no retries.

        Raises CardRemoved, CardReset, CardMute, ReaderGone, PcscError.
        """
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Keep other programs off the card for the time of the block (SCardBeginTransaction).

        Raises ReaderHeld, which ends the connection, when another program's transaction lasts,
        and as `transmit`.
        """
        ...

    def close(self) -> None:
        """Disconnect and leave the card as it is (SCARD_LEAVE_CARD). Never raises."""
        ...


@runtime_checkable
class Control(Protocol):
    """What a connection offers too where it reaches the reader's driver (SCardControl)."""

    def control(self, code: int, data: bytes) -> bytes:
        """One control code to the driver, its answer out; exactly one exchange, no retries.

        Blocks as long as a person enters a PIN on the reader's keys. Raises PadRefused where
        the driver does not know the code, PadSilent, and as `Connection.transmit`.
        """
        ...


@runtime_checkable
class DirectReaders(Protocol):
    """Readers that can be spoken to without a card in them."""

    def direct(self, slot: Slot) -> AbstractContextManager[Control]:
        """Reach the driver of a reader for the time of the block; nothing is sent to its card.

        Raises as `Readers.connect`.
        """
        ...


class Readers(Protocol):
    """The readers of this machine."""

    def slots(self) -> tuple[Slot, ...]:
        """The readers now, in PC/SC's order; empty when there is none. Raises PcscError."""
        ...

    def wait(self, known: tuple[Slot, ...]) -> tuple[Slot, ...]:
        """Block until the readers differ from `known`; no polling.

        Raises PcscError, CardCancelled.
        """
        ...

    def wait_for_service(self) -> None:
        """Block, after PcscServiceMissing or PcscServiceStopped, until it may be back; no polling.

        Raises CardCancelled.
        """
        ...

    def cancel(self) -> None:
        """Make the `wait` or `wait_for_service` that blocks, or else the next, raise CardCancelled.

        For any thread.
        """
        ...

    def connect(self, reader: str) -> Connection:
        """Connect shared. Raises CardAbsent, CardMute, ReaderHeld, ReaderUnknown, PcscError."""
        ...

    def close(self) -> None:
        """Release the contexts. Never raises."""
        ...


class CardCategory(StrEnum):
    """What the certificate's subject type says the card is (2.16.886.1.100.2.1)."""

    HPC = "HPC"  # 醫事人員卡
    HOP = "HOP"  # 醫事機構卡
    NATURAL_PERSON = "MOICA"  # 自然人憑證
    OTHER = "OTHER"


@dataclass(frozen=True)
class HolderCertificate:
    """What the wizard needs of the signing certificate; all text already cleaned for a terminal."""

    der: bytes
    holder: str  # subject CN
    issuer: str  # issuer OU, or CN where there is no OU
    category: CardCategory
    not_before: datetime  # UTC
    not_after: datetime  # UTC
    # DER of the CAs between it and the one that is trusted here, the issuer first.
    chain: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class PinRules:
    """The card's own rules for the PIN of the signing key (PKCS#15 §6.9.2)."""

    minimum: int  # characters
    maximum: int
    digits_only: bool


class PadUse(StrEnum):
    """What the settings say of readers with a PIN pad."""

    PREFER = "prefer"  # the pad, unless the person chooses the keyboard before the entry begins
    ONLY = "only"  # where there is a pad, never the keyboard: PadLies and PadUnfit where it must be
    OFF = "off"  # never the pad


@dataclass(frozen=True)
class PinPad:
    """The reader's own keys, where this card's PIN can be entered on them.

    `seconds` until the reader gives up, None where only the card's module knows that. `keyboard`:
    it may be typed here instead.
    """

    seconds: int | None
    keyboard: bool = True


@dataclass(frozen=True)
class Signature:
    """`algorithm` is the JWA name (RS256); `value` the raw signature (RSA: 256 bytes for 2048)."""

    algorithm: str
    value: bytes


class Via(StrEnum):
    """What reaches a card."""

    PKCS15 = "pkcs15"  # our own commands to its PKCS#15 application
    PIV = "piv"  # likewise
    PKCS11 = "pkcs11"  # a module


def no_one() -> None:
    """Nobody wants to be told."""


class Card(Protocol):
    """An opened card whose kind was positively recognised."""

    @property
    def reader(self) -> str: ...
    @property
    def via(self) -> Via: ...
    @property
    def label(self) -> str:
        """The token's label, cleaned for a terminal."""
        ...

    @property
    def certificate(self) -> HolderCertificate:
        """The signing certificate, already checked for dates and usage."""
        ...

    @property
    def pin_rules(self) -> PinRules: ...
    @property
    def pin_pad(self) -> PinPad | None:
        """None where the PIN can only be typed on the keyboard."""
        ...

    def tries_left(self) -> int | None:
        """Tries left, read without spending one; None when the card does not say."""
        ...

    def sign(
        self,
        pin: Pin | None,
        message: bytes,
        tries_shown: int | None,
        entered: Callable[[], None] = no_one,
    ) -> Signature:
        """VERIFY once, then sign SHA-256 of `message` with the signing key, in one transaction.

        The tries are read again first; fewer than `tries_shown` raises PinTriesChanged with
        nothing sent. `pin` is spent and wiped however this ends; None: it is entered on the
        reader's keys, which blocks, and `entered` is called once the card took it. The signature
        is checked under the card's certificate before it is returned. Raises PinError, PadError,
        CardError.
        """
        ...

    def close(self) -> None:
        """Disconnect; never raises."""
        ...


@dataclass(frozen=True)
class Exchange:
    """One APDU for the trace: never its data, so a trace cannot hold a PIN or a name."""

    ins: int
    p1: int
    p2: int
    lc: int | None  # None for VERIFY, CHANGE and RESET with data: a PIN's length is a secret too
    le: int | None
    sw: int
    ms: float


Tracer = Callable[[Exchange], None]
