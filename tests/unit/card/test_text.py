"""Text from a card reaches the terminal as text and nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.text import clean


def columns(text: str) -> int:
    return sum(
        0
        if unicodedata.category(c)[0] == "M"
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("測試員甲", "測試員甲"),
        ("TEST HPC 測試卡", "TEST HPC 測試卡"),
        ("a\x1b[2Jb", "a[2Jb"),
        ("a\x9b2Jb", "a2Jb"),
        ("a\r\nb\tc", "a b c"),
        ("a\u3000\u00a0b", "a b"),
        ("a\u200b b", "a b"),
        ("\u202e甲員試測\u2066", "甲員試測"),
        ("a\ud800b", "ab"),
        ("[bold]@click=app.quit[/]", "[bold]@click=app.quit[/]"),
        ("邊\U000e0101", "邊"),
        ("\u0301a", "a"),
        ("a" + "\u0301" * 9, "a\u0301\u0301"),
        ("\ue000甲", "\ue000甲"),  # a rare character of a name, in the private use area
        ("ㅤ", ""),
        ("", ""),
    ],
)
def test_cleaned(text: str, cleaned: str) -> None:
    assert clean(text, 40) == cleaned


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("測試員甲", 8, "測試員甲"),
        ("測試員甲", 7, "測試員…"),
        ("測試員甲", 6, "測試…"),
        ("abc", 2, "a…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("ab cd", 4, "ab…"),
    ],
)
def test_cut_to_columns(text: str, limit: int, cut: str) -> None:
    assert clean(text, limit) == cut


@given(st.text(alphabet=st.characters(), max_size=200), st.integers(0, 60))
def test_nothing_that_a_terminal_obeys_and_never_too_wide(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert columns(cleaned) <= limit
    assert cleaned == clean(cleaned, limit)
    categories = {unicodedata.category(character) for character in cleaned}
    assert not categories & {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
    cleaned.encode()
