"""SCardTransmit, from the caller's own buffer where that is possible: a PIN may be in it.

pyscard makes a list of integers and from it a C array, which it frees as it is: the PIN would
stay in this process's memory until something else is put there. pcsc-lite's own function writes
to its socket straight from the buffer that the caller wipes.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from types import ModuleType
from typing import Any

LARGEST = 65_548  # bytes of an answer, MAX_BUFFER_SIZE_EXTENDED of pcsc-lite
LIBRARY = "libpcsclite.so.1"  # the same that pyscard opens, so its handles are known there


class _Pci(ctypes.Structure):
    """SCARD_IO_REQUEST (PC/SC part 3 §5); DWORD is as long as a pointer in pcsc-lite."""

    _fields_ = [("protocol", ctypes.c_ulong), ("length", ctypes.c_ulong)]


def transmit(
    scard: ModuleType, handle: int, protocol: int, command: bytes | bytearray
) -> tuple[int, bytes]:
    """One command APDU to (return code, unsigned; answer). No copy of `command` is left."""
    if sys.platform == "linux":
        return _straight(handle, protocol, command)
    pci = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1
    octets = list(command)
    try:
        status, *answer = scard.SCardTransmit(handle, pci, octets)
    finally:
        for index in range(len(octets)):  # a slice would be kept aside while it is replaced
            octets[index] = 0  # pyscard's own array is out of reach here
    return status & 0xFFFFFFFF, bytes(answer[0]) if answer else b""


def _straight(handle: int, protocol: int, command: bytes | bytearray) -> tuple[int, bytes]:
    mutable = command if isinstance(command, bytearray) else bytearray(command)
    octets = (ctypes.c_ubyte * len(mutable)).from_buffer(mutable)
    answer = (ctypes.c_ubyte * LARGEST)()
    length = ctypes.c_ulong(LARGEST)
    pci = _Pci(protocol, ctypes.sizeof(_Pci))
    status: int = _function()(
        handle, ctypes.byref(pci), octets, len(octets), None, answer, ctypes.byref(length)
    )
    return status & 0xFFFFFFFF, ctypes.string_at(answer, length.value) if status == 0 else b""


@cache
def _function() -> Any:
    """SCardTransmit of pcsc-lite (winscard.h). Raises OSError without the library."""
    function = ctypes.CDLL(LIBRARY).SCardTransmit
    function.restype = ctypes.c_long
    function.argtypes = [
        *(ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    ]
    return function
