"""What can happen to one command on its way to a card and back: the columns of the card matrix."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from card.errors import (
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    PcscFailed,
    PcscServiceStopped,
    ReaderGone,
    ReaderHeld,
)

READER = "Proof 00 00"
OK = b"\x90\x00"
ETERNAL = 4000  # more commands than any real card needs for a binding
WORDS = (
    "6100 6101 6105 61FF 6200 6282 6283 6300 63C0 63C1 63C2 63C3 63CF 6400 6401 6402 6403 6581 "
    "6700 6882 6900 6982 6983 6984 6985 6986 6A80 6A82 6A86 6A88 6B00 6B80 6C00 6C01 6C05 6CFF "
    "6D00 6E00 6F00 9001 9100 0000 FFFF"
)


@dataclass(frozen=True)
class Fault:
    """`answer` makes the answer that arrives, or the error, from the one that the card gave.

    `lost`: the card never saw the command. `lasting`: this and every later command meet it.
    """

    name: str
    answer: Callable[[bytes], bytes | CardError]
    lost: bool = False
    lasting: bool = False


def column() -> list[Fault]:
    """Every fault, each once and lasting."""
    chance = random.Random(7)  # noqa: S311 - the same matrix every time
    words = [bytes.fromhex(word) for word in WORDS.split()]
    words += [chance.randbytes(2) for _ in range(8)]
    errors: list[Callable[[], CardError]] = [
        lambda: CardRemoved(READER),
        lambda: CardReset(READER),
        lambda: CardMute(READER),
        lambda: ReaderGone(READER),
        lambda: ReaderHeld(READER),
        PcscServiceStopped,
        lambda: PcscFailed(0x8010002F),  # SCARD_E_COMM_DATA_LOST
        lambda: PcscFailed(0x8010000A),  # SCARD_E_TIMEOUT
    ]
    faults: list[Fault] = []
    for lasting in (False, True):
        for error in errors:
            for lost in (False, True):
                faults.append(
                    Fault(f"{type(error()).__name__}", lambda _, e=error: e(), lost, lasting)
                )
        for word in words:
            faults.append(Fault(word.hex(), lambda _, w=word: w, True, lasting))
            faults.append(
                Fault(f"{word.hex()} after data", lambda a, w=word: a[:-2] + w, False, lasting)
            )
        for name, change in CHANGES.items():
            faults.append(Fault(name, change, False, lasting))
        for turn in range(8):
            seed = chance.randrange(1 << 30)
            faults.append(
                Fault(
                    f"garbage {turn}",
                    lambda a, s=seed: random.Random(s).randbytes(len(a) - 2) + OK,  # noqa: S311
                    False,
                    lasting,
                )
            )
    return faults


def _length(answer: bytes, length: bytes) -> bytes:
    """Another length octet in the first data object."""
    return answer[:1] + length + answer[2:] if len(answer) > 3 else b"\x30" + length + OK


def _nested(depth: int, definite: bool) -> bytes:
    data = b""
    for _ in range(depth):
        if not definite:
            data = b"\x30\x80" + data
            continue
        size = len(data)
        length = bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
        data = b"\x30" + length + data
    return data


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing at all": lambda _: b"",
    "one byte": lambda _: b"\x90",
    "no data": lambda _: OK,
    "only zeros": lambda a: bytes(len(a) - 2) + OK,
    "only FF": lambda a: b"\xff" * (len(a) - 2) + OK,
    "half": lambda a: a[: (len(a) - 2) // 2] + OK,
    "all but a byte": lambda a: a[:-3] + OK if len(a) > 2 else OK,
    "a byte more": lambda a: a[:-2] + b"\x30" + OK,
    "300 bytes more": lambda a: a[:-2] + bytes(300) + OK,
    "65,537 bytes": lambda _: b"\x30" * 65537 + OK,
    "70,000 bytes": lambda _: bytes(70_000),
    "without a status word": lambda a: a[:-2],
    "twice": lambda a: a[:-2] + a,
    "first bit": lambda a: bytes((a[0] ^ 0x80,)) + a[1:],
    "last bit": lambda a: a[:-3] + bytes((a[-3] ^ 1,)) + OK if len(a) > 2 else b"\x01" + OK,
    "length + 1": lambda a: _length(a, bytes(((a[1] + 1) & 0xFF,))),
    "length - 1": lambda a: _length(a, bytes(((a[1] - 1) & 0xFF,))),
    "length 0": lambda a: _length(a, b"\x00"),
    "length 127": lambda a: _length(a, b"\x7f"),
    "length indefinite": lambda a: _length(a, b"\x80"),
    "length 65,535": lambda a: _length(a, b"\x82\xff\xff"),
    "length of 4 bytes": lambda a: _length(a, b"\x84\xff\xff\xff\xff"),
    "length reserved": lambda a: _length(a, b"\xff"),
    "nested 100 deep": lambda _: _nested(100, definite=True) + OK,
    "nested 12,000 deep": lambda _: _nested(12_000, definite=True) + OK,
    "nested without an end": lambda _: _nested(30_000, definite=False) + OK,
    "257 empty objects": lambda _: b"\x30\x00" * 257 + OK,
    "tag without an end": lambda _: b"\x3f" + b"\xff" * 300 + OK,
    "text with escapes": lambda _: b"\x0c\x20\x1b]0;x\x07\x1b[2J\xe2\x80\xae[red]" * 3 + OK,
    "a byte at a time": lambda _: b"\x30\x61\x01",
}
