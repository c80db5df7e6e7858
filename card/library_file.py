"""What a shared library's header says it was made for: ELF, PE and Mach-O, without loading it."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

HEADER = 4096  # bytes; the PE header begins within them in every library seen
_ELF = {3: "i686", 40: "arm", 62: "x86_64", 183: "aarch64"}
_PE = {0x014C: "i686", 0x8664: "x86_64", 0xAA64: "aarch64"}
_MACH = {7: "i686", 0x01000007: "x86_64", 0x0100000C: "aarch64"}
BITS = {"i686": 32, "arm": 32, "x86_64": 64, "aarch64": 64}


def architectures(path: Path) -> frozenset[str]:
    """The architectures that the library is for, empty where it is none that is known.

    Sources: System V ABI (ELF header), PE Format §3, Mach-O loader.h and fat.h. Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(HEADER)
    try:
        if head[:4] == b"\x7fELF":
            order = "<" if head[5] == 1 else ">"
            return _named(_ELF, struct.unpack_from(order + "H", head, 18))
        if head[:2] == b"MZ":
            (at,) = struct.unpack_from("<I", head, 0x3C)
            if head[at : at + 4] == b"PE\0\0":
                return _named(_PE, struct.unpack_from("<H", head, at + 4))
        if head[:4] in {b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"}:
            return _named(_MACH, struct.unpack_from("<I", head, 4))
        if head[:4] == b"\xca\xfe\xba\xbe":
            (count,) = struct.unpack_from(">I", head, 4)
            return _named(
                _MACH,
                [struct.unpack_from(">I", head, 8 + 20 * each)[0] for each in range(min(count, 9))],
            )
    except (struct.error, IndexError):
        pass
    return frozenset()


def this_architecture() -> str:
    """The architecture of this process, which is what a library must be for to be loaded here."""
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64", "i386": "i686"}.get(machine, machine)
    if struct.calcsize("P") == 4:  # a 32-bit Python on a 64-bit system
        return {"x86_64": "i686", "aarch64": "arm"}.get(machine, machine)
    return machine


def _named(names: dict[int, str], codes: tuple[int, ...] | list[int]) -> frozenset[str]:
    return frozenset(names.get(code, f"0x{code:x}") for code in codes)
