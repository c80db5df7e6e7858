"""Command and response APDUs, and the status words that have a name (ISO 7816-4 §5.1–5.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from card.errors import CardAnswerMalformed

SHORT_LC = 255  # data bytes that a short command can carry
SHORT_LE = 256  # data bytes that a short command can ask for
EXTENDED_LC = 65535
EXTENDED_LE = 65536


class Ins(IntEnum):
    """Instruction bytes (ISO 7816-4 §5.4.2, ISO 7816-8)."""

    VERIFY = 0x20
    VERIFY_TLV = 0x21
    MANAGE_SECURITY_ENVIRONMENT = 0x22
    CHANGE_REFERENCE_DATA = 0x24
    CHANGE_REFERENCE_DATA_TLV = 0x25
    DISABLE_VERIFICATION = 0x26
    ENABLE_VERIFICATION = 0x28
    PERFORM_SECURITY_OPERATION = 0x2A
    RESET_RETRY_COUNTER = 0x2C
    RESET_RETRY_COUNTER_TLV = 0x2D
    GET_CHALLENGE = 0x84
    GENERAL_AUTHENTICATE = 0x87
    SELECT = 0xA4
    READ_BINARY = 0xB0
    READ_RECORD = 0xB2
    GET_RESPONSE = 0xC0
    GET_DATA = 0xCA
    GET_DATA_TLV = 0xCB


# Their data is a PIN: sent once whatever the answer, wiped, and never traced.
PIN_INSTRUCTIONS = frozenset(
    {
        Ins.VERIFY,
        Ins.VERIFY_TLV,
        Ins.CHANGE_REFERENCE_DATA,
        Ins.CHANGE_REFERENCE_DATA_TLV,
        Ins.DISABLE_VERIFICATION,
        Ins.ENABLE_VERIFICATION,
        Ins.RESET_RETRY_COUNTER,
        Ins.RESET_RETRY_COUNTER_TLV,
    }
)


class SW(IntEnum):
    """Status words by name; success is exactly `OK` and nothing else."""

    OK = 0x9000
    END_OF_FILE = 0x6282  # fewer bytes than asked for: the file ends here
    PIN_PAD_TIMED_OUT = 0x6400
    PIN_PAD_CANCELLED = 0x6401
    PIN_PAD_DIFFERENT = 0x6402  # two new PINs, which VERIFY never has
    PIN_PAD_LENGTH = 0x6403
    PIN_PAD_PARAMETERS = 0x6B80
    VERIFICATION_FAILED = 0x6300  # without a counter: wrong, and nobody knows how many are left
    WRONG_LENGTH = 0x6700
    LOGICAL_CHANNEL_UNSUPPORTED = 0x6881
    SECURE_MESSAGING_UNSUPPORTED = 0x6882
    LAST_OF_CHAIN_EXPECTED = 0x6883
    SECURITY_STATUS_NOT_SATISFIED = 0x6982
    AUTHENTICATION_BLOCKED = 0x6983
    REFERENCE_DATA_UNUSABLE = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_EF = 0x6986
    WRONG_DATA = 0x6A80
    FILE_NOT_FOUND = 0x6A82
    INCORRECT_P1_P2 = 0x6A86
    REFERENCE_DATA_NOT_FOUND = 0x6A88
    WRONG_OFFSET = 0x6B00
    INS_UNKNOWN = 0x6D00
    CLA_UNKNOWN = 0x6E00


def tries_left(sw: int) -> int | None:
    """What a VERIFY's status word says of the tries: x of 63Cx, 0 when blocked, else None."""
    if sw & 0xFFF0 == 0x63C0:
        return sw & 0xF
    if sw in (SW.AUTHENTICATION_BLOCKED, SW.REFERENCE_DATA_UNUSABLE):
        return 0
    return None


@dataclass(frozen=True)
class Command:
    """One command APDU; `le` is the number of bytes expected at most, None for no Le field.

    `data` stays out of the repr: it may be a PIN.
    """

    ins: int
    p1: int
    p2: int
    data: bytes | bytearray = field(default=b"", repr=False)
    le: int | None = None
    cla: int = 0x00

    @property
    def carries_pin(self) -> bool:
        """VERIFY and its kin with data; without data VERIFY only asks for the tries left."""
        return self.ins in PIN_INSTRUCTIONS and len(self.data) > 0

    @property
    def fits_short(self) -> bool:
        return len(self.data) <= SHORT_LC and (self.le is None or self.le <= SHORT_LE)

    def encode(self) -> bytearray:
        """The bytes on the wire, short where it fits, else extended (ISO 7816-3 §12.1).

        A fresh bytearray, so that the caller can wipe it. Raises ValueError outside 65,535 data
        bytes or 65,536 expected bytes.
        """
        if len(self.data) > EXTENDED_LC or not 0 < (1 if self.le is None else self.le) <= 65536:
            raise ValueError("a command APDU's Lc or Le is out of range")
        width = 1 if self.fits_short else 2
        command = bytearray((self.cla, self.ins, self.p1, self.p2))
        if width == 2:
            command.append(0)
        if self.data:
            command += len(self.data).to_bytes(width, "big")
            command += self.data
        if self.le is not None:
            command += (self.le % (SHORT_LE if width == 1 else EXTENDED_LE)).to_bytes(width, "big")
        return command


@dataclass(frozen=True)
class Response:
    """One response APDU; `data` stays out of the repr: it may be personal."""

    data: bytes = field(repr=False)
    sw: int

    @staticmethod
    def parse(answer: bytes) -> Response:
        """Split data and status word. Raises CardAnswerMalformed."""
        if not 2 <= len(answer) <= EXTENDED_LE + 2 or answer[-2] >> 4 not in (6, 9):
            raise CardAnswerMalformed
        return Response(bytes(answer[:-2]), int.from_bytes(answer[-2:], "big"))
