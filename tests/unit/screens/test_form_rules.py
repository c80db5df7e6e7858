"""What stands in the account form before anybody types."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from client.port import FieldKind, FormField, Label, Verification
from screens.form_rules import known

PERSON, PLACE = "測試員甲", "測試診所"


def verified(category: str, holder: str = PERSON) -> Verification:
    return Verification("v", holder, category, datetime(2026, 1, 2, tzinfo=UTC))


def field(autocomplete: str, **more: object) -> FormField:
    return FormField("f", Label("欄位", "Field"), FieldKind.TEXT, autocomplete=autocomplete, **more)


@pytest.mark.parametrize(
    ("autocomplete", "verification", "stands"),
    [
        ("name", verified("HPC"), PERSON),
        ("organization", verified("HOP", PLACE), PLACE),
        ("name", verified("HOP", PLACE), ""),  # an institution is nobody's name
        ("organization", verified("HPC"), ""),
        ("name", verified("OTHER"), ""),
        ("name", None, ""),
        ("", verified("HPC"), ""),
        ("street-address", verified("HPC"), ""),
    ],
)
def test_the_holder_stands_where_it_is_meant(
    autocomplete: str, verification: Verification | None, stands: str
) -> None:
    assert known(field(autocomplete), verification) == stands


def test_nothing_stands_there_that_could_not_be_sent() -> None:
    assert known(field("name", max_length=len(PERSON)), verified("HPC")) == PERSON
    assert known(field("name", max_length=len(PERSON) - 1), verified("HPC")) == ""
    assert known(field("name", pattern="[a-z]+"), verified("HPC")) == ""
