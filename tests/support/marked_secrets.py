"""Looking for a secret in a text, in every form in which it could have got there."""

from __future__ import annotations

import base64
import codecs
import html
import json
import urllib.parse
from collections.abc import Iterator

CHARSETS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "big5", "latin-1")


def forms(secret: str) -> Iterator[tuple[str, str]]:
    """(name of the encoding, how `secret` would read in a text file)."""
    for text, how in ((secret, "plain"), (secret[::-1], "reversed")):
        yield how, text
        yield f"{how}, swapped case", text.swapcase()
        yield f"{how}, rot13", codecs.encode(text, "rot13")
        yield f"{how}, spaced", " ".join(text)
        yield f"{how}, JSON", json.dumps(text)[1:-1]
        yield f"{how}, URL", urllib.parse.quote(text)
        yield f"{how}, HTML", html.escape(text)
        yield f"{how}, code points", ", ".join(str(ord(c)) for c in text)
        yield f"{how}, code points in hex", " ".join(f"{ord(c):x}" for c in text)
        for charset in CHARSETS:
            try:
                data = text.encode(charset)
            except UnicodeEncodeError:
                continue
            yield from ((f"{how}, {charset}, {name}", form) for name, form in _of_bytes(data))


def _of_bytes(data: bytes) -> Iterator[tuple[str, str]]:
    yield "as Latin-1", data.decode("latin-1")
    yield "repr", repr(data)[2:-1]
    for separator in ("", " ", ":", "-", ", "):
        yield (
            f"hex {separator!r}",
            data.hex(separator) if len(separator) == 1 else _hex(data, separator),
        )
    yield "0x", ", ".join(f"0x{byte:02x}" for byte in data)
    yield "\\x", "".join(f"\\x{byte:02x}" for byte in data)
    for separator in (", ", ",", " "):
        yield f"integers {separator!r}", separator.join(map(str, data))
    yield "one integer", str(int.from_bytes(data, "big"))
    yield "base32", base64.b32encode(data).decode().rstrip("=")
    yield "base85", base64.b85encode(data).decode()
    for offset in range(3):  # where the secret lies in the middle of something longer
        for alphabet in (b"+/", b"-_"):
            encoded = base64.b64encode(bytes(offset) + data, alphabet).decode().rstrip("=")
            start = (offset * 8 + 5) // 6
            whole = (offset + len(data)) * 8 // 6
            yield f"base64 at {offset}", encoded[start:whole]


def _hex(data: bytes, separator: str) -> str:
    return separator.join(f"{byte:02x}" for byte in data)


def leaks(text: str, secrets: dict[str, str]) -> list[str]:
    """Which secret stands in `text`, and in which form; [] for a text without any."""
    folded = text.casefold()
    return [
        f"{name}: {form}"
        for name, secret in secrets.items()
        for form, looks_like in forms(secret)
        if looks_like.casefold() in folded
    ]
