"""The search, tuned on messages of the catalogue made worse by machine (seeded, printed rates).

What it was not tuned on, written by hand, is in test_search_held_back.py.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from figures import Figures
from hypothesis import given
from hypothesis import strategies as st

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
    return found == wanted.id or entry(found).remedy == wanted.remedy


def test_messages_made_worse_find_their_entry(figures: Figures) -> None:
    first = three = total = 0
    missed = []
    for text, wanted in worsened():
        found = [match.id for match in search(text, 3)]
        total += 1
        first += bool(found) and says_the_same(found[0], wanted)
        three += any(says_the_same(id, wanted) for id in found)
        if not found or not says_the_same(found[0], wanted):
            missed.append(f"{text!r}: {found}, not {wanted.id}")
    figures.count("search, messages made worse", messages=total, first=first, in_three=three)
    assert first / total >= 0.95, "\n".join(missed)
    assert three / total >= 0.98, "\n".join(missed)


@given(st.text(max_size=200) | st.text("0123456789abcdefxOIl-_ :/[]ＨＣＡ驗PIN失敗", max_size=40))
def test_any_text_has_an_answer(text: str) -> None:
    for match in search(text):
        assert 0 < match.score <= 100
        assert 0 <= match.span[0] <= match.span[1] <= len(match.message)
        assert entry(match.id).id == match.id


def test_scores_fall_and_the_limit_holds() -> None:
    found = search("PIN 碼錯誤", 3)
    assert len(found) == 3
    assert [match.score for match in found] == sorted((m.score for m in found), reverse=True)


@pytest.mark.parametrize(
    "text",
    [
        "0x8010001D",
        "-2146435043",
        "8010001d",
        "2148532253",
        "０Ｘ８０１０００１Ｄ",
        "8O1OOO1D",
        "0x8010 001D",
    ],
)
def test_a_hexadecimal_code_has_many_spellings(text: str) -> None:
    assert [match.id for match in search(text)] == ["pcsc.8010001d"]


def test_a_bare_number_gives_every_source_and_a_named_source_only_its_own() -> None:
    assert [match.id for match in search("9043")] == ["hca.9043", "cdc.9043"]
    assert [match.id for match in search("CDC 9043")] == ["cdc.9043"]
    assert search("CsHis 9005") == []  # HCA has a 9005, the NHI's software none
    assert search("HCA 5003") == []
    assert search("我在 9043 病房") == []


@pytest.mark.parametrize(
    "text", ["x://eyJUQUciOiJB", "://eyJUQUci", "無法為 hca://eyJUQUciOiJB 開啟", "eyjuquci"]
)
def test_the_helpers_address_is_known_by_its_beginning(text: str) -> None:
    assert search(text)[0].id == "web.4"


def test_an_ordinary_address_is_not_the_helpers() -> None:
    assert "web.4" not in [match.id for match in search("https://eyecare.example/eyes")]


def test_numbers_that_mean_the_same_are_listed_once_unless_asked_for() -> None:
    found = [match.id for match in search("OCSP 查詢失敗")]
    assert found[0] == "hca.5410"
    assert len([id for id in found if id.startswith("hca.54")]) <= 2
    assert search("HCA 5417")[0].id == "hca.5417"


def test_every_traditional_character_of_the_catalogue_can_be_typed_simplified() -> None:
    """GB 2312 has the simplified characters: what it lacks must be in wording.toml."""

    def foreign(character: str) -> bool:
        try:
            character.encode("gb2312")
        except UnicodeEncodeError:
            return True
        return False

    texts = "".join(message for one in entries() for message in (*one.messages, one.title.zh))
    chinese = {c for c in texts if "\u4e00" <= c <= "\u9fff"}
    assert {c for c in chinese if foreign(c)} - set(map(chr, wording().simplified)) == set()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("6983", "sw.6983"),
        ("SW=6983", "sw.6983"),
        ("SW1=0x69, SW2=0x83", "sw.6983"),
        ("SW1 SW2 = 69 83", "sw.6983"),
        ("received 63C2 from the card", "sw.63cx"),
        ("63 c0", "sw.63c0"),
        ("卡片回 6a82", "sw.6a82"),
        ("Received (SW1=0x6A, SW2=0x88)", "sw.6a88"),
    ],
)
def test_a_status_word_is_found_however_it_is_written(text: str, wanted: str) -> None:
    assert search(text)[0].id == wanted


@pytest.mark.parametrize("text", ["room 6400", "61 ab", "6 feb", "分機 6983", "password 63"])
def test_not_every_four_digits_are_a_status_word(text: str) -> None:
    assert not [match for match in search(text) if match.id.startswith("sw.")]
