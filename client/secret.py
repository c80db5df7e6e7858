"""JSON with secrets in it, built and wiped without the secrets ever becoming `str`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Members = Mapping[str, "str | bytearray | Members"]


def encode(members: Members) -> bytearray:
    """A JSON object as UTF-8 in a buffer of its final size, for the caller to `wipe`.

    A bytearray value is a secret in UTF-8: it is written as a JSON string and no copy of it
    outlives this call.
    """
    pieces = list(_pieces(members))
    buffer = bytearray(sum(len(piece) for piece in pieces))
    at = 0
    for piece in pieces:
        buffer[at : at + len(piece)] = piece
        at += len(piece)
        if isinstance(piece, bytearray):
            wipe(piece)
    return buffer


def wipe(buffer: bytearray) -> None:
    """Overwrite every byte with zero, in place."""
    buffer[:] = bytes(len(buffer))


def _pieces(members: Members) -> Iterator[bytes | bytearray]:
    import msgspec

    for number, (name, value) in enumerate(members.items()):
        yield (b"," if number else b"{") + msgspec.json.encode(name) + b":"
        if isinstance(value, str):
            yield msgspec.json.encode(value)
        elif isinstance(value, bytearray):
            yield _quoted(value)
        else:
            yield from _pieces(value)
    yield b"}" if members else b"{}"


def _quoted(secret: bytearray) -> bytearray:
    """`secret` as a JSON string (RFC 8259 §7), in a buffer that never has to grow."""
    length = 2 + sum(6 if byte < 0x20 else 2 if byte in b'"\\' else 1 for byte in secret)
    quoted = bytearray(length)
    quoted[0] = quoted[-1] = 0x22
    at = 1
    for byte in secret:
        if byte < 0x20:
            quoted[at : at + 6] = b"\\u%04x" % byte
            at += 6
        elif byte in b'"\\':
            quoted[at] = 0x5C
            quoted[at + 1] = byte
            at += 2
        else:
            quoted[at] = byte
            at += 1
    return quoted
