"""What a library's header says, for every format, read from headers made by the book."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.library_file import architectures, this_architecture


def elf(bits: int, machine: int, order: str = "<") -> bytes:
    """System V ABI: e_ident, e_type ET_DYN, e_machine."""
    ident = b"\x7fELF" + bytes((bits // 32, 1 if order == "<" else 2, 1))
    return ident.ljust(16, b"\0") + struct.pack(order + "HH", 3, machine)


def pe(machine: int, magic: int) -> bytes:
    """PE Format: the place of the header at 0x3C, the optional header 24 bytes into it."""
    stub = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)
    return stub.ljust(0x80, b"\0") + struct.pack("<4sH18xH", b"PE\0\0", machine, magic)


def fat(*kinds: int) -> bytes:
    """mach-o/fat.h: a universal file."""
    return struct.pack(">II", 0xCAFEBABE, len(kinds)) + b"".join(
        struct.pack(">I16x", kind) for kind in kinds
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (elf(64, 62), {"x86_64"}),
        (elf(32, 3), {"i686"}),
        (elf(64, 183), {"aarch64"}),
        (elf(32, 40), {"arm"}),
        (elf(64, 22, ">"), {"0x16"}),  # s390, whose bytes are the other way round
        (pe(0x014C, 0x010B), {"i686"}),
        (pe(0x8664, 0x020B), {"x86_64"}),
        (pe(0xAA64, 0x020B), {"aarch64"}),
        (struct.pack("<II", 0xFEEDFACF, 0x01000007), {"x86_64"}),
        (struct.pack("<II", 0xFEEDFACE, 7), {"i686"}),
        (fat(0x01000007, 0x0100000C), {"x86_64", "aarch64"}),
        (b"", set()),
        (b"no library", set()),
        (b"MZ", set()),
        (elf(64, 62)[:10], set()),
        (fat(0x01000007)[:10], set()),
    ],
)
def test_the_architectures_of_a_header(tmp_path: Path, header: bytes, expected: set[str]) -> None:
    file = tmp_path / "library"
    file.write_bytes(header)
    assert architectures(file) == expected


def test_this_programs_own(tmp_path: Path) -> None:
    assert this_architecture() in architectures(Path(sys.executable).resolve())


@given(
    st.sampled_from([b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b""]),
    st.binary(max_size=300),
)
def test_no_bytes_raise(tmp_path_factory: pytest.TempPathFactory, head: bytes, rest: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes"
    file.write_bytes(head + rest)
    assert isinstance(architectures(file), frozenset)
