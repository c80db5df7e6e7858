"""Facts of an error in the catalogue's texts: filled in, left out, never broken."""

from __future__ import annotations

import pytest

from client.port import Label
from screens.language import Language
from screens.troubleshooting.catalogue import UNEXPECTED, entry, entry_for, fill
from screens.wizard import Fact

ZH, EN = Language.ZH, Language.EN


@pytest.mark.parametrize(
    ("code", "facts", "zh", "en"),
    [
        (
            "card.pin.wrong",
            {"tries_left": 2},
            "PIN 碼錯誤，剩餘次數：2",
            "Wrong PIN; tries left: 2",
        ),
        (
            "card.pin.wrong",
            {"tries_left": None},
            "PIN 碼錯誤，剩餘次數：未知",
            "Wrong PIN; tries left: unknown",
        ),
        ("card.pin.wrong", {}, "PIN 碼錯誤", "Wrong PIN"),
        (
            "service.busy",
            {"retry_after": None},
            "通報服務忙碌，請稍後再試",
            "The service is busy: try again later",
        ),
        (
            "net.timeout",
            {"host": "reports.example.tw"},
            "reports.example.tw 太久沒有回應",
            "reports.example.tw did not answer in time",
        ),
        ("net.timeout", {}, "通報服務太久沒有回應", "The reporting service did not answer in time"),
        (
            "card.refused",
            {"ins": 0x2A, "sw": 0x6A82},
            "卡片拒絕了這個動作（6A82）",
            "The card refused this action (6A82)",
        ),
        (
            "pcsc.failed",
            {"status": 0x8010001F},
            "智慧卡服務回報錯誤 0x8010001F",
            "The smart card service reports an error: 0x8010001F",
        ),
    ],
)
def test_titles(code: str, facts: dict[str, Fact], zh: str, en: str) -> None:
    assert fill(entry(code).title, facts, ZH) == zh
    assert fill(entry(code).title, facts, EN) == en


def test_a_fact_is_text_and_nothing_else() -> None:
    label = Label("讀卡機：{reader}", "Reader: {reader}")
    hostile: dict[str, Fact] = {"reader": "{reader.__class__} \x1b[31m\u202e[x]"}
    assert fill(label, hostile, EN) == "Reader: {reader.__class__} [31m[x]"


def test_a_known_status_has_the_entry_of_its_own() -> None:
    assert entry_for("pcsc.failed", {"status": 0x80100010}).id == "pcsc.80100010"
    assert entry_for("pcsc.failed", {"status": 0x8010001F}).id == "pcsc.failed"
    assert (
        entry_for("card.module.broken", {"rv": "CKR_DEVICE_ERROR"}).id == "pkcs11.CKR_DEVICE_ERROR"
    )
    assert entry_for("card.module.broken", {"rv": "CKR_ODD"}).id == "card.module.broken"


def test_whatever_fails_can_be_shown() -> None:
    assert entry_for("no.such.code", {}).id == UNEXPECTED
