"""One value against one field of the account form."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.form import accepts, is_plain
from client.port import Choice, FieldKind, FormField, Label
from client.sandbox.form import ACCOUNT_FORM

LABEL = Label("欄位", "Field")


def field(kind: FieldKind, **more: object) -> FormField:
    return FormField("field", LABEL, kind, **more)


@pytest.mark.parametrize(
    ("kind", "value", "right"),
    [
        (FieldKind.TEXT, "王測試", True),
        (FieldKind.TEXT, "   ", False),
        (FieldKind.TEXT, "王\x1b測試", False),
        (FieldKind.TEXT, "字" * 200, True),
        (FieldKind.TEXT, "字" * 201, False),
        (FieldKind.EMAIL, "wang.test@example.org", True),
        (FieldKind.EMAIL, "wang.test@example", False),
        (FieldKind.EMAIL, "wang test@example.org", False),
        (FieldKind.PHONE, "02-0000-0000#12", True),
        (FieldKind.PHONE, "+886 2 0000 0000", True),
        (FieldKind.PHONE, "０２００００００００", False),
        (FieldKind.PHONE, "phone", False),
        (FieldKind.DATE, "2026-02-28", True),
        (FieldKind.DATE, "2026-02-29", False),
        (FieldKind.DATE, "20260228", False),
        (FieldKind.DATE, "115-02-28", False),
        (FieldKind.CONSENT, "true", True),
        (FieldKind.CONSENT, "false", False),
    ],
)
def test_each_kind(kind: FieldKind, value: str, right: bool) -> None:
    assert accepts(field(kind), value) is right


def test_a_choice_is_one_of_its_values() -> None:
    title = field(FieldKind.CHOICE, choices=(Choice("nurse", LABEL),))
    assert accepts(title, "nurse")
    assert not accepts(title, "Nurse")


@pytest.mark.parametrize("kind", FieldKind)
def test_an_empty_value_is_right_where_nothing_is_required(kind: FieldKind) -> None:
    assert not accepts(field(kind), "")
    assert accepts(field(kind, required=False), "")


def test_the_pattern_is_for_the_whole_value_and_in_ascii() -> None:
    code = field(FieldKind.TEXT, pattern=r"\d{3}")
    assert accepts(code, "123")
    assert not accepts(code, "1234")
    assert not accepts(code, "123\n")
    assert not accepts(code, "１２３")


def test_a_secret_is_checked_as_bytes() -> None:
    secret = field(FieldKind.SECRET, pattern="[!-~]{12,64}")
    assert accepts(secret, bytearray(b"correct horse".replace(b" ", b"-")))
    assert not accepts(secret, bytearray(b"short"))
    assert not accepts(secret, bytearray("密碼密碼密碼密碼密碼密碼".encode()))
    assert not accepts(secret, bytearray())


@pytest.mark.parametrize(
    "pattern",
    [
        "[a-z][a-z0-9._-]{3,31}",
        "[!-~]{12,64}",
        r"^\d{4}-\d{2}-\d{2}$",
        r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}",
        r"\+?[0-9 ()-]*",
        "",
    ],
)
def test_plain_patterns(pattern: str) -> None:
    assert is_plain(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "a|b",
        "(?=x)",
        r"(.)\1",
        "a**",
        "a++",
        "a{1,2}{3}",
        ".*.*.*.*.*x",
        "[z-a]",
        "[",
        "a{3,1}",
        r"\p{L}",
        "x" * 201,
    ],
)
def test_patterns_that_are_not_plain(pattern: str) -> None:
    assert not is_plain(pattern)


@given(st.text("ab.[]^$*+?{},1\\d(|)-", max_size=20))
def test_a_plain_pattern_always_compiles_and_has_few_open_repeats(pattern: str) -> None:
    if is_plain(pattern):
        re.compile(pattern)
        outside_classes = re.sub(r"\\.|\[(?:[^\\\]]|\\.)*\]", "x", pattern)
        assert len(re.findall(r"[?*+]|\{\d+,", outside_classes)) <= 4
        assert not set("(|)") & set(outside_classes)


def test_the_sandboxes_own_form_is_plain() -> None:
    assert all(is_plain(field.pattern) for field in ACCOUNT_FORM if field.pattern)
    assert len({field.name for field in ACCOUNT_FORM}) == len(ACCOUNT_FORM)
