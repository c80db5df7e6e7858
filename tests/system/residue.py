"""A PIN in every form that it may have had, and where a process could have left it.

Only root can read the memory of a process that forbids everybody else to.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

CHUNK = 1 << 24
OVERLAP = 4096  # bytes; more than any form is long


def forms(pin: str) -> dict[str, bytes]:
    """By name, in bytes; lists of objects are `objects`' matter.

    Of each the part that is the PIN's own: whatever filled a block up, and the zeros at the ends
    of wide characters (so either byte order is found) are beside it.
    """
    octets = pin.encode()
    wide = {
        "utf-16": pin.encode("utf-16-le"),
        "utf-32 or array of ints": pin.encode("utf-32-le"),
        "array of longs": b"".join(octet.to_bytes(8, "little") for octet in octets),
    }
    integers = [str(octet) for octet in octets]
    return {
        "all but the first": octets[1:],  # and with it the whole, the padded block, the keys
        "all but the last": octets[:-1],
        "hex": octets.hex().encode(),
        "HEX": octets.hex().upper().encode(),
        "hex with spaces": octets.hex(" ").encode(),
        "HEX with spaces": octets.hex(" ").upper().encode(),
        "list of integers": ", ".join(integers).encode(),
        "list of integers, close": ",".join(integers).encode(),
        "list of characters": ", ".join(map(repr, pin)).encode(),
        "kitty keys": "".join(f"\x1b[{ord(each)}u" for each in pin).encode(),
        "kitty keys with modifiers": "".join(f"\x1b[{ord(each)};1u" for each in pin).encode(),
        **{name: octets.strip(b"\0") for name, octets in wide.items()},
    }


def objects(pin: str, pid: int) -> dict[str, bytes]:
    """A Python list of the PIN's bytes, or characters: pointers to objects that exist once.

    CPython keeps small integers in its own data segment (and from 3.12 on ASCII characters), as
    far from where the interpreter was loaded as in this process, which runs the same one.
    """
    kinds: dict[str, Iterable[object]] = {"integers": pin.encode(), "characters": pin}
    found = {}
    for name, values in kinds.items():
        addresses = [id(value) for value in values]
        files = {_file_at(address) for address in addresses}
        if len(files) == 1 and (file := files.pop()):
            shift = _start(pid, file) - _start(os.getpid(), file)
            pointers = ((address + shift).to_bytes(8, "little") for address in addresses)
            found[f"pointers to {name}"] = b"".join(pointers).strip(b"\0")
    return found


def _maps(pid: int) -> Iterator[tuple[int, int, str]]:
    """(from, to, file) of every mapping; what follows a file unnamed is its .bss."""
    last = (0, "")
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, _, _, _, inode, *name = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in span.split("-"))
        file = name[0] if inode != "0" else last[1] if not name and start == last[0] else ""
        last = (end, file)
        yield start, end, file


def _file_at(address: int) -> str:
    return next((file for start, end, file in _maps(os.getpid()) if start <= address < end), "")


def _start(pid: int, wanted: str) -> int:
    return min(start for start, _, file in _maps(pid) if file == wanted)


def memory(pid: int) -> Iterator[bytes]:
    """Every readable mapping of a process, in chunks that overlap by more than any form is long.

    Left out is what the kernel says holds no page of the process's own: those are the files as
    they lie on the disk (proc(5), `Anonymous` of smaps).
    """
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for start, end in _written(pid):
            for at in range(start, end, CHUNK):
                try:
                    yield os.pread(file.fileno(), min(CHUNK + OVERLAP, end - at), at)
                except (OSError, OverflowError, ValueError):
                    break  # a guard page


def _written(pid: int) -> Iterator[tuple[int, int]]:
    """From where to where, of the readable mappings, those that may differ from a file."""
    mappings = re.split(r"^(?=[0-9a-f]+-)", Path(f"/proc/{pid}/smaps").read_text(), flags=re.M)
    for mapping in filter(None, mappings):
        head = mapping.partition("\n")[0]
        span, access, _, _, inode, *_ = head.split()
        unwritten = inode != "0" and "p" in access and re.search(r"Anonymous: +0 kB", mapping)
        if "r" in access and not unwritten and not head.endswith(("[vvar]", "[vsyscall]")):
            start, end = (int(part, 16) for part in span.split("-"))
            yield start, end


def found_in(parts: Iterable[bytes], wanted: dict[str, bytes]) -> set[str]:
    return {name for part in parts for name, octets in wanted.items() if octets in part}


def in_memory(pid: int, pin: str) -> set[str]:
    """In which forms the PIN is in the process's memory now."""
    return found_in(memory(pid), forms(pin) | objects(pin, pid))


def in_files(folder: Path, pin: str) -> set[str]:
    """In which forms it is in any file below `folder`, or in a file's name."""
    parts = [str(path).encode() for path in folder.rglob("*")]
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # a socket, or gone meanwhile
            if path.is_file():
                parts.append(path.read_bytes())
    return found_in(parts, forms(pin))
