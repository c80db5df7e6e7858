"""Answers into the port's dataclasses: what decodes, what is refused, what is cleaned."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import wire
from client.errors import ServiceNonsense
from client.https import _decode
from client.line import Answer
from client.port import FieldKind, Label
from client.purpose import Purpose

Json = dict[str, Any]


def answer(body: object) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(200, "application/json", data, None)


def description(**changes: object) -> Json:
    return {
        "name": {"zh-Hant": "測試系統", "en": "Test system"},
        "version": "1.0.0",
        "origin": "https://localhost:8443",
        "time": "2026-01-02T11:04:05+08:00",
        "categories": [{"id": "HPC", "label": {"zh-Hant": "醫事人員卡", "en": "HPC"}}],
        "algorithms": ["RS256"],
        "account_form": [field()],
        **changes,
    }


def field(**changes: object) -> Json:
    label = {"zh-Hant": "帳號", "en": "Account"}
    return {"name": "account", "label": label, "kind": "text", **changes}


def receipt(**changes: object) -> Json:
    return {
        "id": "R-0000",
        "purpose": "register",
        "account": "tester",
        "holder": "測試員甲",
        "category": "HPC",
        "card": "0000-0000",
        "bound": "2026-01-02T03:04:05Z",
        **changes,
    }


def described(body: object) -> object:
    return _decode(answer(body), wire.Description, wire.description)


def received(body: object) -> object:
    return _decode(answer(body), wire.Receipt, wire.receipt)


def test_a_description_keeps_the_contracts_defaults_and_names() -> None:
    known = _decode(answer(description(unknown=[1])), wire.Description, wire.description)
    assert known.name == Label("測試系統", "Test system")
    assert known.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    (account,) = known.account_form
    assert (account.kind, account.required, account.max_length) == (FieldKind.TEXT, True, 200)


def test_text_for_people_is_cleaned_and_identifiers_are_not_touched() -> None:
    hostile = "王\x1b[31m測\u202e試\u200b\x00"
    known = _decode(answer(receipt(holder=hostile, account=hostile)), wire.Receipt, wire.receipt)
    assert (known.holder, known.account) == ("王［31m測試", "王［31m測試")
    assert (known.id, known.purpose) == ("R-0000", Purpose.REGISTER)


REFUSED: list[Callable[[], Json]] = [
    lambda: description(version="1"),
    lambda: description(version="1.0.0\n"),
    lambda: description(origin="http://localhost"),
    lambda: description(origin="https://localhost/\x1b"),
    lambda: description(time="2026-01-02T03:04:05"),
    lambda: description(time=0),
    lambda: description(algorithms=[]),
    lambda: description(algorithms=["none"]),
    lambda: description(categories=[]),
    lambda: description(name={"zh-Hant": "測試"}),
    lambda: description(name={"zh-Hant": "x" * 501, "en": "x"}),
    lambda: description(account_form=[field()] * 2),
    lambda: description(account_form=[field(name=f"f{n}") for n in range(65)]),
    lambda: description(account_form=[field(name="Account")]),
    lambda: description(account_form=[field(kind="file")]),
    lambda: description(account_form=[field(max_length=0)]),
    lambda: description(account_form=[field(pattern="(a+)+")]),
    lambda: description(account_form=[field(pattern="[")]),
    lambda: description(account_form=[field(kind="choice")]),
    lambda: description(account_form=[field(choices=[{"value": "x", "label": field()["label"]}])]),
    lambda: description(
        account_form=[field(kind="choice", choices=[{"value": "\x1b", "label": field()["label"]}])]
    ),
]


@pytest.mark.parametrize("body", REFUSED)
def test_a_description_outside_the_contract_is_nonsense(body: Callable[[], Json]) -> None:
    with pytest.raises(ServiceNonsense):
        described(body())


@pytest.mark.parametrize(
    "change",
    [
        {"id": "R 0"},
        {"id": "R" * 65},
        {"id": "../service"},
        {"purpose": "other"},
        {"card": "\u202e0000"},
        {"category": "hpc"},
        {"bound": "yesterday"},
        {"bound": "9999-12-31T23:59:59-23:59"},
        {"holder": ""},
        {"holder": None},
    ],
)
def test_a_receipt_outside_the_contract_is_nonsense(change: Json) -> None:
    with pytest.raises(ServiceNonsense):
        received(receipt(**change))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"[" * 100_000,
        b'{"id":"\\ud800"}',
        b'{"id":"\xed\xa0\x80"}',
        b"null",
        b"1e999",
    ],
)
def test_what_is_no_json_object_is_nonsense(body: bytes) -> None:
    with pytest.raises(ServiceNonsense):
        received(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.sampled_from(sorted(receipt())), json_values)
def test_any_value_in_any_member_is_a_receipt_or_nonsense(name: str, value: object) -> None:
    try:
        received(receipt(**{name: value}))
    except ServiceNonsense:
        return
    assert isinstance(value, str)


@given(st.sampled_from(sorted(description())), json_values)
def test_any_value_in_any_member_is_a_description_or_nonsense(name: str, value: object) -> None:
    try:
        described(description(**{name: value}))
    except ServiceNonsense:
        return
    assert isinstance(value, str) or (name == "account_form" and value == [])


def test_the_sandboxes_structs_and_the_clients_are_the_same_on_the_wire() -> None:
    body = msgspec.json.decode(answer(receipt()).body, type=wire.Receipt)
    assert json.loads(msgspec.json.encode(body)) == receipt()
