"""Line breaking: nothing lost, nothing too wide, no line that begins with a comma."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.content import Content

from screens.prose import NOT_FIRST, wrap

CHINESE = "使用自殺防治通報系統前，要先把您的醫事憑證 IC 卡綁定到帳號（只需要幾分鐘）。"
ENGLISH = "Before you can report, your card must be bound to your account."


@pytest.mark.parametrize("text", [CHINESE, ENGLISH, f" 1. {CHINESE}", f"!! {ENGLISH}"])
@pytest.mark.parametrize("width", range(12, 81))
def test_lines_fit_and_nothing_is_lost(text: str, width: int) -> None:
    lines = wrap(Content(text), width).plain.split("\n")
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert not any(line.lstrip()[:1] in NOT_FIRST for line in lines[1:])


def test_chinese_fills_the_line_it_starts_on() -> None:
    first, *_ = wrap(Content("請先準備：卡片、PIN 碼、一般的晶片讀卡機。"), 24).plain.split("\n")
    assert cell_len(first) >= 20


def test_english_words_stay_whole() -> None:
    words = set(ENGLISH.split())
    for line in wrap(Content(ENGLISH), 20).plain.split("\n"):
        assert set(line.split()) <= words


def test_list_items_hang() -> None:
    _, *rest = wrap(Content(f"  1. {CHINESE}"), 40).plain.split("\n")
    assert rest
    assert all(line.startswith("     ") and line[5] != " " for line in rest)


@given(st.text(max_size=200), st.integers(2, 90))
def test_any_text_keeps_its_visible_characters(text: str, width: int) -> None:
    plain = wrap(Content(text), width).plain
    assert "".join(plain.split()) == "".join(Content(text).plain.split())
