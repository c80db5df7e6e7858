"""Command APDUs as a card reads them (ISO 7816-4 §5.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A command APDU; `ne` is the longest answer wanted in bytes, 0 for none.

    `exact` is False where Le asked for "as much as there is" (00 or 0000).
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    ne: int
    exact: bool
    extended: bool

    @property
    def chained(self) -> bool:
        """More of the same command follows (ISO 7816-4 §5.3.3)."""
        return bool(self.cla & 0x10)


def parse(raw: bytes) -> Command | None:
    """The command, or None where the length bytes do not fit (cases 1 to 4, short, extended)."""
    if len(raw) < 4:
        return None
    body = raw[4:]
    extended = len(body) >= 3 and body[0] == 0
    field = 2 if extended else 1  # bytes of Lc and of Le
    if extended:
        body = body[1:]
    data = b""
    if len(body) > field:
        size = int.from_bytes(body[:field], "big")
        data, body = body[field : field + size], body[field + size :]
        if not size or len(data) < size or len(body) not in (0, field):
            return None
    elif len(body) not in (0, field):
        return None
    le = int.from_bytes(body, "big")
    ne = (le or 1 << 8 * field) if body else 0
    cla, ins, p1, p2 = raw[:4]
    return Command(cla, ins, p1, p2, data, ne, exact=bool(le), extended=extended)
