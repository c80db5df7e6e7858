"""No code without an entry, no entry without a code, and texts that fit and speak properly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from rich.cells import cell_len

from card.errors import CardError
from client.errors import ClientError
from client.port import Label
from screens.troubleshooting.catalogue import Condition, Entry, Fixer, entries, entry, ranked_causes
from screens.troubleshooting.support_code import registry
from tui.errors import AppError

OWN = frozenset({"app", "card", "component", "net", "revocation", "sandbox", "service"})
PROGRAM = frozenset({"app.unexpected"})
STEP_COLUMNS, STEP_LINES = 75, 2  # of 80, less the number and the margin
# What other programs report, by source: a code, or a first and a last one.
FOREIGN = {
    "web": "1-4",
    "hca": """13 5001 5005 5010-5012 5015-5017 5020-5028 5030 5040 5061 5062 5070 5071 5410-5425
        5500-5510 5902 9003 9005 9016-9018 9021 9024 9036 9039-9045 9056 9057 9062-9064 9075 9079
        9110-9112 9999""",
    "servisign": "61001 61006 61008 61009 61014 61015 61201-61204 61902 61904-61906 61908 -1",
    "cdc": "3001-3003 3005 3008 3011 3016 3017 3021 5070 9039 9043 9056 9057",
    "hipki": """76000006 7600000d 7600000f 76000031 76000998 76000999 76100001 76100003 76100006
        76100009 76300004 76500001 76500002 83000100 83000101-83000104 81000201-81000203 81000227
        a0 a2 a4 80000001 80000002""",
    "cshis": "1100 1102 1410 4000 4014 4034 5122 9130 9140 9204",
    "pcsc": """80100002 80100009 8010000a 8010000b 8010000c 8010000f 80100010 80100016 80100017
        8010001d 8010001e 8010002e 80100066-80100069 8010006a 8010006e 8010006f""",
    "pkcs11": """CKR_PIN_INCORRECT CKR_PIN_LEN_RANGE CKR_PIN_LOCKED CKR_PIN_EXPIRED
        CKR_TOKEN_NOT_PRESENT CKR_TOKEN_NOT_RECOGNIZED CKR_DEVICE_REMOVED CKR_DEVICE_ERROR
        CKR_GENERAL_ERROR CKR_FUNCTION_FAILED CKR_USER_PIN_NOT_INITIALIZED
        CKR_CRYPTOKI_ALREADY_INITIALIZED CKF_USER_PIN_COUNT_LOW CKF_USER_PIN_FINAL_TRY
        CKF_USER_PIN_LOCKED wrong-word-size""",
    "sw": """63cx 63c0 6400 6401 6700 6982 6983 6984 6985 6a80 6a82 6a88 6d00 6e00 6f00""",
    "ssh": "host-key denied unreachable dropped forward not-installed",
}
# Words that Taiwan says otherwise; a driver is always 驅動程式.
MAINLAND = re.compile(
    "讀卡器|網絡|軟件|硬件|證書|點擊|鼠標|默認|服務器|驅動(?!程式)|用戶名|賬號|信息|登錄|視頻|激活|菜單|屏幕|打印"
)
FACT = re.compile(r"\{(\w+)\}")


def kinds(root: Any) -> Iterator[Any]:
    """The classes below `root` that have a code of their own."""
    for kind in root.__subclasses__():
        if "code" in vars(kind):
            yield kind
        yield from kinds(kind)


def error_codes() -> dict[str, frozenset[str]]:
    """The stable codes of the trees, each with the names of its facts."""
    return {
        kind.code: frozenset(field.name for field in fields(kind))
        for root in (CardError, ClientError, AppError)
        for kind in kinds(root)
    }


def labels(entry: Entry) -> Iterator[Label]:
    yield from (entry.source, entry.title, entry.tell_support, *entry.steps)
    yield from (cause.text for cause in entry.causes)


def lines(text: str) -> int:
    """Lines of STEP_COLUMNS that the text takes: Chinese breaks anywhere, Latin between words."""
    count, used = 1, 0
    for word in re.findall(r"[!-~]+ ?|.", text):
        if used + cell_len(word.rstrip()) > STEP_COLUMNS:
            count, used = count + 1, 0
        used += cell_len(word)
    return count


def ids(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.id for entry in entries]


def test_every_stable_code_has_an_entry() -> None:
    found = {entry.id for entry in entries()}
    assert (error_codes().keys() | PROGRAM) - found == set()


def test_every_stable_code_has_a_number_in_the_support_code() -> None:
    assert (error_codes().keys() | PROGRAM) - registry().keys() == set()


def test_every_entry_of_ours_has_a_code() -> None:
    ours = {e.id for e in entries() if e.id.partition(".")[0] in OWN}
    assert ours - error_codes().keys() - PROGRAM == set()


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_texts_name_only_facts_that_the_error_has(code: str) -> None:
    assert {
        name for label in labels(entry(code)) for name in FACT.findall(label.zh + label.en)
    } <= (error_codes()[code] | {"host"})


def test_no_id_is_given_twice() -> None:
    assert len(set(ids(entries()))) == len(entries())


def foreign_ids() -> Iterator[str]:
    for source, codes in FOREIGN.items():
        for code in codes.split():
            first, _, last = code.partition("-")
            if first and last.isdigit():
                yield from (f"{source}.{n}" for n in range(int(first), int(last) + 1))
            else:
                yield f"{source}.{code}"


def test_foreign_codes_and_entries_are_the_same_set() -> None:
    ours = error_codes().keys() | PROGRAM
    assert {entry.id for entry in entries()} - ours == set(foreign_ids()) - ours


def test_an_unknown_code_is_a_key_error() -> None:
    for code in ("card.no-such-thing", "nowhere.1", "../web.1", ""):
        with pytest.raises(KeyError):
            entry(code)


@pytest.mark.parametrize("entry", entries(), ids=ids(entries()))
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.causes
    assert entry.steps
    for label in labels(entry):
        assert label.zh.strip() == label.zh != ""
        assert label.en.strip() == label.en != ""
        assert FACT.findall(label.zh) == FACT.findall(label.en)


@pytest.mark.parametrize("entry", entries(), ids=ids(entries()))
def test_the_chinese_is_that_of_taiwan(entry: Entry) -> None:
    for label in labels(entry):
        assert not MAINLAND.findall(label.zh), label.zh
        for character in label.zh:
            if "\u4e00" <= character <= "\u9fff":
                character.encode("cp950")  # raises for a simplified character


def test_a_locked_pin_is_never_to_be_tried_again() -> None:
    for code in ("card.pin.blocked", "hca.9043", "cdc.3021", "pkcs11.CKR_PIN_LOCKED", "cshis.5122"):
        blocked = entry(code)
        assert blocked.fixer is Fixer.HCA
        assert "請不要再輸入" in blocked.steps[0].zh
        assert any("HCA 2.0" in step.zh and "用戶代碼" in step.zh for step in blocked.steps)


def test_who_meets_a_wrong_pin_is_told_that_trying_costs_a_try() -> None:
    for code in (
        "card.pin.wrong",
        "web.3",
        "hca.9039",
        "cshis.1410",
        "hipki.a0",
        "pkcs11.CKR_PIN_INCORRECT",
    ):
        assert any(
            "少一次機會" in step.zh and "costs one try" in step.en for step in entry(code).steps
        )


def test_the_state_of_the_wizard_decides_which_cause_comes_first() -> None:
    timeout = entry("web.1")
    usual = [cause.text.en for cause in ranked_causes(timeout, ())]
    slow = [cause.text.en for cause in ranked_causes(timeout, {Condition.SLOW})]
    assert usual == [cause.text.en for cause in timeout.causes]
    assert slow[0] == usual[2]
    assert slow[1:] == usual[:2]


@pytest.mark.parametrize("entry", entries(), ids=ids(entries()))
def test_a_step_takes_two_lines_at_most(entry: Entry) -> None:
    for step in entry.steps:
        assert lines(step.zh) <= STEP_LINES, step.zh
        assert lines(step.en) <= STEP_LINES, step.en
