"""The everyday part of `make fuzz`: the whole corpus, and some generated inputs of each format."""

from __future__ import annotations

import pytest
from figures import Figures
from generated import STRATEGIES, check
from status_authority import UNTIL
from talks import KINDS, talks
from targets import ATRS, CORPUS, Tape, Target, answers_of, judges, session, targets

from card.errors import PinBlocked, PinTriesChanged
from card.virtual.authority import Authority

EVERY = targets()
EXAMPLES = 200  # of each, in everyday runs

# cryptography remarks on an empty name; people never see it (tui/main.py).
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")
each = pytest.mark.parametrize("target", EVERY.values(), ids=EVERY)


@each
def test_every_seed_keeps_the_promise(figures: Figures, target: Target) -> None:
    seeds = target.seeds()
    for seed in seeds:
        target.run(seed)
        for cut in range(0, len(seed), max(1, len(seed) // 16)):
            target.run(seed[:cut])
    figures.count(f"fuzz, {target.name}", seeds=len(seeds))
    assert seeds
    assert max(map(len, seeds)) <= target.longest, "the fuzzer would cut it"


@each
def test_what_has_the_right_shape_keeps_it_too(figures: Figures, target: Target) -> None:
    count = 0

    def run(data: bytes) -> None:
        nonlocal count
        count += 1
        target.run(data)

    check(target, EXAMPLES, 0, run)
    figures.count(f"fuzz, {target.name}", generated=count)
    assert count >= EXAMPLES


def test_every_target_is_generated_too() -> None:
    assert STRATEGIES.keys() == EVERY.keys()


@each
def test_a_broken_promise_is_found(target: Target) -> None:
    def broken(data: bytes) -> None:
        if len(data) > 2:
            raise IndexError

    with pytest.raises(IndexError):
        check(target, EXAMPLES, 0, broken)


@pytest.mark.parametrize("kind", KINDS)
def test_the_fuzzer_begins_with_the_talks_of_today(kind: str) -> None:
    """Up to the signature, or to the tries that are not left; stored ones are of their own day."""
    for how, data in talks(kind, Authority.create()).items():
        EVERY[kind].run(data)
        tape = Tape(answers_of(data[1:]), ATRS[int(data[:1])])
        if how == "blocked":
            with pytest.raises((PinBlocked, PinTriesChanged)):
                session(tape)
        else:
            session(tape)
            assert tape.pins == 1, how


@pytest.mark.parametrize("name", ["O-good", "R-good", "D-plain", "L-empty", "E-empty"])
def test_what_the_authority_signs_is_relied_upon(name: str) -> None:
    """Otherwise the fuzzer would see no more than a signature that is refused."""
    seed = (CORPUS / "revocation" / name).read_bytes()
    assert judges()[seed[:1]](seed[1:]) == UNTIL
