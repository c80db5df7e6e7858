"""PC/SC return codes and the typed errors that they mean."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from card.errors import (
    CardAbsent,
    CardCancelled,
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    PcscFailed,
    PcscServiceDenied,
    PcscServiceMissing,
    PcscServiceStopped,
    ReaderGone,
    ReaderHeld,
    ReaderUnknown,
)


class Code(IntEnum):
    """PC/SC return codes as unsigned 32-bit values (pcsc-lite's pcsclite.h)."""

    OK = 0
    INTERNAL_ERROR = 0x80100001
    CANCELLED = 0x80100002
    INVALID_HANDLE = 0x80100003
    INVALID_PARAMETER = 0x80100004
    UNKNOWN_READER = 0x80100009
    TIMEOUT = 0x8010000A
    SHARING_VIOLATION = 0x8010000B
    NO_SMARTCARD = 0x8010000C
    INVALID_VALUE = 0x80100011
    COMM_ERROR = 0x80100013
    NOT_TRANSACTED = 0x80100016
    READER_UNAVAILABLE = 0x80100017
    NO_SERVICE = 0x8010001D
    SERVICE_STOPPED = 0x8010001E
    UNSUPPORTED_FEATURE = 0x8010001F  # pcsc-lite's number for it
    NO_READERS = 0x8010002E
    UNRESPONSIVE_CARD = 0x80100066
    UNPOWERED_CARD = 0x80100067
    RESET_CARD = 0x80100068
    REMOVED_CARD = 0x80100069
    SECURITY_VIOLATION = 0x8010006A


class State(IntFlag):
    """SCARD_STATE_ flags of a reader's event state (pcsc-lite's pcsclite.h)."""

    CHANGED = 0x0002
    UNKNOWN = 0x0004
    UNAVAILABLE = 0x0008
    PRESENT = 0x0020
    EXCLUSIVE = 0x0080
    MUTE = 0x0200


def count(state: int) -> int:
    """The insertions and removals that the upper half of an event state counts."""
    return state >> 16 & 0xFFFF


# How a driver says that it does not know a control code. The numbers are those of Windows:
# SCARD_E_UNSUPPORTED_FEATURE, and the device's ERROR_INVALID_FUNCTION and ERROR_NOT_SUPPORTED.
UNCONTROLLED = frozenset({Code.INVALID_PARAMETER, Code.UNSUPPORTED_FEATURE, 0x80100022, 1, 50})
# What a context answers once the daemon that it belonged to is gone, or just going: access is
# denied when a context is established, not later.
STALE = frozenset(
    {
        Code.NO_SERVICE,
        Code.SERVICE_STOPPED,
        Code.INVALID_HANDLE,
        Code.COMM_ERROR,
        Code.INTERNAL_ERROR,
        Code.SECURITY_VIOLATION,
    }
)


def failure(status: int, reader: str = "", in_use: bool = False) -> CardError:
    """The typed error for a PC/SC return code; `in_use`: a connection was open already."""
    match status:
        case Code.NO_SERVICE:
            return PcscServiceMissing()
        case Code.SERVICE_STOPPED:
            return PcscServiceStopped()
        case Code.INVALID_HANDLE | Code.COMM_ERROR | Code.SECURITY_VIOLATION if in_use:
            return PcscServiceStopped()  # the daemon ended, or is ending, or is a new one
        case Code.SECURITY_VIOLATION:
            return PcscServiceDenied()
        case Code.CANCELLED:
            return CardCancelled()
        case Code.UNKNOWN_READER:
            return ReaderGone(reader) if in_use else ReaderUnknown(reader)
        case Code.INVALID_VALUE if in_use:
            return ReaderGone(reader)  # pcscd's word for a handle whose reader was pulled out
        case Code.READER_UNAVAILABLE:
            return ReaderGone(reader)
        case Code.SHARING_VIOLATION:
            return ReaderHeld(reader)
        case Code.NO_SMARTCARD | Code.REMOVED_CARD:
            return CardRemoved(reader) if in_use else CardAbsent(reader)
        case Code.UNRESPONSIVE_CARD | Code.UNPOWERED_CARD:
            return CardMute(reader)
        case Code.RESET_CARD:
            return CardReset(reader)
    return PcscFailed(status)
