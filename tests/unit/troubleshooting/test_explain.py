"""What explain and decode say, as data and as lines, in both languages."""

from __future__ import annotations

import json

import pytest

from screens.language import Language, Words
from screens.troubleshooting.explain import (
    ATTACHMENTS,
    BACKENDS,
    FAULTS,
    decoded_data,
    decoded_lines,
    explain,
    explanation_data,
    explanation_lines,
)
from screens.troubleshooting.support_code import Attachment, Backend, Fault, SupportFacts
from screens.wizard import STEP_NAMES, Step

BOTH = pytest.mark.parametrize("language", Language)


@BOTH
def test_the_manuals_message_is_explained(language: Language) -> None:
    words = Words(language)
    found = explain("驗PIN失敗 驗證逾時", words)
    assert found[0].id == "web.1"
    lines = explanation_lines(found, words)
    assert "web.1" in lines[0]
    assert any(line.startswith(" 1. ") for line in lines)
    data = json.loads(json.dumps(explanation_data(found)))
    assert data[0]["id"] == "web.1"
    assert [one["score"] for one in data] == sorted((one["score"] for one in data), reverse=True)


@BOTH
def test_no_match_is_said_in_one_sentence(language: Language) -> None:
    words = Words(language)
    assert explain("今天天氣很好", words) == ()
    assert len(explanation_lines((), words)) == 1


def test_what_matched_can_be_highlighted() -> None:
    best = explain("SMARTCARD CONNECTION FAIL", Words(Language.EN))[0]
    matched = best.message[slice(*best.span)].lower()
    assert matched.replace(" ", "") == "smartcardconnectionfail"


@BOTH
def test_a_code_tells_its_facts_and_its_remedy(language: Language) -> None:
    words = Words(language)
    facts = SupportFacts("card.pin.wrong", Step.PIN, 2, 1, 1, Attachment.FORWARDED, Backend.PKCS15)
    data = json.loads(json.dumps(decoded_data(facts, words)))
    assert (data["code"], data["tries_left"], data["attachment"]) == (
        "card.pin.wrong",
        2,
        "forwarded",
    )
    assert data["steps"]
    lines = decoded_lines(facts, words)
    assert "card.pin.wrong" in lines[0]
    assert "2" in lines[0]


def test_what_the_code_tells_ranks_the_causes() -> None:
    words = Words(Language.EN)
    here = decoded_data(SupportFacts("pcsc.service.missing", readers=1, cards=1), words)
    far = decoded_data(SupportFacts("pcsc.service.missing", attachment=Attachment.FORWARDED), words)
    assert here["causes"] != far["causes"]
    assert "forward" in far["causes"][0]  # type: ignore[index]


def test_every_value_has_words() -> None:
    assert STEP_NAMES.keys() == set(Step)
    assert ATTACHMENTS.keys() == set(Attachment)
    assert BACKENDS.keys() == set(Backend)
    assert FAULTS.keys() == set(Fault)
