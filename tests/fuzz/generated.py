"""Inputs of the right shape with something wrong in them, by Hypothesis: `generated.py`.

Where the guided fuzzer turns bits, this half knows the formats: data objects whose lengths lie,
talks with one answer exchanged, JSON with one member replaced, codes as people misread them.
`generated.py TARGET SAMPLES EXAMPLES SECONDS` runs one target until one of the two, 0 being none,
and writes the same lines as guided.py.
"""

from __future__ import annotations

import gc
import itertools
import json
import math
import operator
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from nested import encoded, parsed
from nested import places as objects_in
from talks import talks
from targets import WORDS, Target, answers_of, tape_of, targets

from card.virtual.authority import Authority

HANG = 10  # seconds for one input
ROUND = 2000  # examples that Hypothesis remembers; it forgets them between rounds
Bytes = st.SearchStrategy[bytes]

TAGS = "02 03 04 06 0A 0C 30 31 53 61 70 71 80 A0 A1 A2 A4 A8 7E 5F2F 7F49 3FFF01"
tags = st.sampled_from(tuple(map(bytes.fromhex, TAGS.split())))
contents = st.binary(max_size=24) | st.sampled_from((b"\x3f\x00\x50\x15\x43\x31", b"\x50\x31"))


@st.composite
def objects(draw: st.DrawFn, inner: Bytes) -> bytes:
    """One data object; one in eight says another length than it has."""
    value = draw(inner)
    size = len(value)
    if draw(st.integers(0, 7)) == 0:
        size = draw(st.integers(0, 0xFFFFFF))
    width = draw(st.sampled_from((0, 0, 0, 1, 2, 3, 4)))
    if width == 0 and size < 0x80:
        length = bytes((size,))
    else:
        width = max(width, (size.bit_length() + 7) // 8, 1)
        length = bytes((0x80 | width,)) + size.to_bytes(width, "big")
    return draw(tags) + length + value


trees: Bytes = st.recursive(
    objects(contents),
    lambda inner: objects(st.lists(inner, max_size=5).map(b"".join)),
    max_leaves=12,
)
encodings: Bytes = st.builds(
    lambda found, pad: b"".join(found) + pad,
    st.lists(trees, max_size=4),
    st.sampled_from((b"", b"", b"\x00" * 9, b"\xff\xff", b"\x00\x01")),
)


def picked(seeds: list[bytes]) -> Bytes:
    """One of them; they are too long for what Hypothesis says of a strategy."""
    return st.integers(0, len(seeds) - 1).map(seeds.__getitem__)


def spliced(seeds: list[bytes], pieces: Bytes) -> Bytes:
    """A seed with a part of it replaced."""

    def splice(whole: bytes, start: int, size: int, piece: bytes) -> bytes:
        start %= len(whole) + 1
        return whole[:start] + piece + whole[start + size :]

    places, sizes = st.integers(0, 1 << 14), st.sampled_from((0, 1, 2, 8, 64))
    return st.builds(splice, picked(seeds), places, sizes, pieces)


def card(target: Target) -> Bytes:
    """A talk in which one answer is another one, or one of the card's files made up."""
    files = [whole for whole in target.seeds() if whole[:1] not in (b"0", b"1")]
    today = list(talks(target.name, Authority.create()).values())
    answers = (
        st.builds(bytes.__add__, encodings, st.sampled_from((*WORDS, b"\x90\x00")))
        | st.sampled_from((*WORDS, b"", b"\x90"))
        | st.binary(max_size=300)
    )

    def exchanged(talk: bytes, at: int, answer: bytes, onwards: bool) -> bytes:
        heard = list(answers_of(talk[1:]))
        at %= len(heard)
        heard[at : len(heard) if onwards else at + 1] = [answer] * (40 if onwards else 1)
        return talk[:1] + tape_of(heard)

    entrances = sorted({whole[:1] for whole in files})
    return (
        st.builds(exchanged, st.sampled_from(today), st.integers(0, 63), answers, st.booleans())
        | st.builds(bytes.__add__, st.sampled_from(entrances), encodings)
        | spliced(files, trees)
    )


def tlv(_: Target) -> Bytes:
    return encodings | st.binary(max_size=64)


def certificate(target: Target) -> Bytes:
    return spliced(target.seeds(), trees | st.binary(max_size=8))


# What times, numbers, names and states can be.
OBJECTS = (
    "0500 0101FF 0101 0200 020100 0201FF 0A0107 0A0155 0400 040100 03020780 3000 3100 060355040A"
    " 06052B0E03021A 06096086480165030402FF 0C02FFFE 8000 8200 A100 A200"
)
TIMES = (
    "99991231235959Z 99991231230500Z 00000101000000Z 00010101000000Z 19500101000000Z"
    " 20260601000000Z 20260601000000.5Z 491231235959Z 260601000000Z 2606010000Z"
)
known: Bytes = st.sampled_from(
    (
        *map(bytes.fromhex, OBJECTS.split()),
        *(
            bytes((0x17 if len(time) < 15 else 0x18, len(time))) + time.encode()
            for time in TIMES.split()
        ),
    )
)


often = st.sampled_from((True, True, True, False))


def revocation(target: Target) -> Bytes:
    """A seed with some of its objects replaced, doubled or left out; all lengths still agree."""
    seeds = [whole for whole in target.seeds() if parsed(whole[1:])]

    def changed(whole: bytes, changes: list[tuple[int, bytes | None, bool, bool]]) -> bytes:
        nodes = parsed(whole[1:]) or []
        for at, piece, stays, alike in changes:
            every = list(objects_in(nodes))
            same = [(among, n) for among, n in every if piece and among[n][0] == piece[0]]
            if not every:
                break
            chosen = same if alike and same else every
            among, number = chosen[at % len(chosen)]
            if piece is not None:
                among[number : number + (not stays)] = [piece]
            elif stays:
                among.insert(number, among[number])
            else:
                del among[number]
        return whole[:1] + encoded(nodes)

    pieces = st.none() | known | trees
    change = st.tuples(st.integers(0, 200), pieces, often.map(operator.not_), often)
    made = st.builds(changed, picked(seeds), st.lists(change, min_size=1, max_size=3))
    return made | spliced(target.seeds(), trees | known | st.binary(max_size=4))


texts = st.text(max_size=20) | st.sampled_from(
    ("", "A" * 44, "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00Z", "register", "service.busy")
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from((0, -1, 2**53, 10**30))
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every member and every element, as the container and its key."""
    members = value.items() if isinstance(value, dict) else ()
    for key, inner in [*members, *(enumerate(value) if isinstance(value, list) else ())]:
        yield value, key
        yield from places(inner)


def _is_object(data: bytes) -> bool:
    """With something in it; what a campaign found may be none."""
    try:
        content = json.loads(data)
    except ValueError:
        return False
    return isinstance(content, dict) and bool(content)


def json_of(target: Target, prefix: int) -> Bytes:
    """A seed whose JSON has one member replaced, or left out; `prefix` bytes come before it."""
    seeds = [whole for whole in target.seeds() if _is_object(whole[prefix:])]
    others = [whole for whole in target.seeds() if whole not in seeds]

    def changed(whole: bytes, at: int, value: object, left_out: bool, first: int) -> bytes:
        content = json.loads(whole[prefix:])
        found = list(places(content))
        container, key = found[at % len(found)]
        if left_out:
            del container[key]
        else:
            container[key] = value
        head = bytes((first,)) if first else whole[:1]
        return head[:prefix] + json.dumps(content).encode()  # half pairs are escaped in it

    made = st.builds(
        changed,
        st.sampled_from(seeds),
        st.integers(0, 500),
        values,
        st.booleans(),
        st.sampled_from((0, 0, 0, 48, 73, 9, 10)),
    )
    damaged = spliced(target.seeds(), st.binary(max_size=4))
    return made | damaged | (st.sampled_from(others) if others else damaged)


def support_code(target: Target) -> Bytes:
    alphabet = st.sampled_from(
        "0123456789ABCDEFGHJKMNPQRSTVWXYZoilu- \u3000\uff11\uff2f\u2014é\u200b"
    )
    read = st.text(alphabet, min_size=10, max_size=16).map(str.encode)
    return read | spliced(target.seeds(), alphabet.map(str.encode)) | st.binary(max_size=20)


STRATEGIES: dict[str, Callable[[Target], Bytes]] = {
    "tlv": tlv,
    "pkcs15": card,
    "piv": card,
    "certificate": certificate,
    "revocation": revocation,
    "token": lambda target: json_of(target, 0),
    "manifest": lambda target: json_of(target, 1),
    "problem": lambda target: json_of(target, 1),
    "answer": lambda target: json_of(target, 1),
    "support-code": support_code,
}


def check(target: Target, examples: int, number: int, run: Callable[[bytes], None]) -> None:
    """Run so many examples; the same `number` is the same examples."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(STRATEGIES[target.name](target))
    def promise(data: bytes) -> None:
        run(data)

    promise()


def main() -> None:
    name, samples, *limits = sys.argv[1:]
    wanted, seconds = map(int, limits)
    until = time.monotonic() + seconds if seconds else math.inf
    target = targets()[name]
    executions = 0

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError("a hang")

    def run(data: bytes) -> None:
        nonlocal executions
        executions += 1
        signal.setitimer(signal.ITIMER_REAL, HANG)
        target.run(data)
        signal.setitimer(signal.ITIMER_REAL, 0)

    signal.signal(signal.SIGALRM, late)
    with Path(samples).open("w", buffering=1) as sampled:
        for number in itertools.count():
            left = wanted - executions if wanted else ROUND
            if left <= 0 or time.monotonic() > until:
                break
            check(target, min(ROUND, left), number, run)
            gc.collect()
            pages = Path("/proc/self/statm").read_text().split()[1]
            sampled.write(f"{executions} {pages} {sys.getallocatedblocks()}\n")


if __name__ == "__main__":
    main()
