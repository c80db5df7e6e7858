"""The search, tuned on messages of the catalogue made worse by machine (seeded, printed rates).

What it was not tuned on, written by hand, is in test_search_held_back.py.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from screens.troubleshooting.catalogue import Entry, entries, entry
from screens.troubleshooting.normalise import fold, wording
from screens.troubleshooting.search import search

SEED = 20
PUNCTUATION = "，。：；、！？「」（）…,.:;!?()[]-_"
AROUND = [
    ("", " 怎麼辦"),
    ("請問出現「", "」是什麼意思"),
    ("畫面顯示：", ""),
    ("I get: ", ""),
    ("", " please help"),
    ("我按了驗證之後跳出 ", "，謝謝"),
]


def full_width(text: str, _: random.Random) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def simplified(text: str, _: random.Random) -> str:
    return text.translate(wording().simplified)


def no_punctuation(text: str, _: random.Random) -> str:
    return "".join(" " if c in PUNCTUATION else c for c in text)


def other_case(text: str, chance: random.Random) -> str:
    return text.upper() if chance.random() < 0.5 else text.lower()


def letter_lost(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + text[at + 1 :]


def letters_swapped(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def beginning(text: str, _: random.Random) -> str:
    """Two thirds of it, what fits on a note, if that is enough to tell it from the others."""
    part = text[: max(6, len(text) * 2 // 3)]
    return text if MEANINGS[fold(part).text] > 1 else part


def with_talk(text: str, chance: random.Random) -> str:
    before, after = chance.choice(AROUND)
    return before + text + after


def meanings() -> Counter[str]:
    """How many remedies begin a message like this."""
    remedies: dict[str, set[str]] = {}
    for one in entries():
        for message in one.messages:
            for end in range(1, len(message)):
                remedies.setdefault(fold(message[:end]).text, set()).add(one.remedy.id)
    return Counter({beginning: len(ids) for beginning, ids in remedies.items()})


MEANINGS = meanings()
WORSE: tuple[Callable[[str, random.Random], str], ...] = (
    beginning,
    full_width,
    simplified,
    no_punctuation,
    other_case,
    letter_lost,
    letters_swapped,
    with_talk,
)


def worsened() -> Iterator[tuple[str, Entry]]:
    """Every message of every entry in two bad forms, each of one or two changes."""
    chance = random.Random(SEED)  # noqa: S311 - noise, not a secret
    for one in entries():
        for message in one.messages:
            if len(message) < 6 or message.startswith("0x"):
                continue
            for _ in range(2):
                text = message
                for change in sorted(chance.sample(WORSE, chance.randint(1, 2)), key=WORSE.index):
                    text = change(text, chance)
                yield text, one


def says_the_same(found: str, wanted: Entry) -> bool:
    return found == wanted.id or entry(found).remedy is wanted.remedy


def test_messages_made_worse_find_their_entry(capsys: pytest.CaptureFixture[str]) -> None:
    first = three = total = 0
    missed = []
    for text, wanted in worsened():
        found = [match.id for match in search(text, 3)]
        total += 1
        first += bool(found) and says_the_same(found[0], wanted)
        three += any(says_the_same(id, wanted) for id in found)
        if not found or not says_the_same(found[0], wanted):
            missed.append(f"{text!r}: {found}, not {wanted.id}")
    with capsys.disabled():
        print(
            f"\n{total} worsened messages: {first / total:.1%} first, {three / total:.1%} in three"
        )
    assert first / total >= 0.95, "\n".join(missed)
    assert three / total >= 0.98, "\n".join(missed)
