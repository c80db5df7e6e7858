"""Text from a server is harmless for a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.text import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("醫事人員卡", "醫事人員卡"),
        ("  two \t\r\n lines\u2028 ", "two lines"),
        ("\x1b]0;title\x07\x9b2Jred", "］0;title2Jred"),
        ("user\u202etxt.exe\u2066", "usertxt.exe"),
        ("a\u200b\u200d\ufeff\u2060\u3164b", "ab"),
        ("half \ud800 pair", "half pair"),
        ("[bold]x[/] [@click=app.quit]", "［bold］x［/］ ［@click=app.quit］"),
        ("\ue000\U000f0000\U000e0041", ""),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("", ""),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.integers(1, 50))
def test_nothing_that_moves_a_cursor_or_hides_survives(text: str, limit: int) -> None:
    line = clean(text, limit)
    assert len(line) <= limit
    assert all(unicodedata.category(char)[0] != "C" for char in line)
    assert not set(line) & set("[]\n\r\t\u2028\u2029")
    assert line == clean(line, limit)


def test_a_long_text_is_cut_with_a_sign() -> None:
    assert clean("字" * 300, 10) == "字" * 9 + "…"
    assert clean("x" * 10**7, 10) == "x" * 9 + "…"
