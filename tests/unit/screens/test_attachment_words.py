"""What the reader step says of how a reader is attached."""

from __future__ import annotations

import pytest

from card.port import Slot, SlotState
from screens.attachment import ATTACHMENTS, attached, warning
from screens.language import Language, Words
from screens.troubleshooting.remedy import words_for
from screens.troubleshooting.support_code import Attachment

PLAIN = Slot("ACS ACR39U ICC Reader 00 00", SlotState.PRESENT)
VPCD = Slot("Virtual PCD 00 00", SlotState.PRESENT)


def test_every_way_has_its_words() -> None:
    assert ATTACHMENTS.keys() == set(Attachment)
    for language in Language:
        words = Words(language)
        said = {attached(each, words) for each in Attachment}
        assert len(said) == len(Attachment) - 1  # two say nothing
        assert "" in said


@pytest.mark.parametrize("language", Language)
def test_a_pin_in_the_clear_is_warned_of(language: Language) -> None:
    words = Words(language)
    assert warning(Attachment.FORWARDED, [PLAIN, VPCD], words)
    assert warning(Attachment.LOCAL, [VPCD], words)
    assert not warning(Attachment.FORWARDED, [PLAIN], words)
    assert not warning(Attachment.EMBEDDED, [VPCD], words)


@pytest.mark.parametrize("language", Language)
def test_six_ways_of_no_reader_have_six_remedies(language: Language) -> None:
    """Of which the library knows two: "no service" and "stopped"."""
    facts = {"socket": "/run/user/1000/hca-bind/desk", "daemon": "4:5", "library": "4:4"}
    codes = (
        "pcsc.service.missing",
        "pcsc.socket.silent",
        "pcsc.socket.stale",
        "pcsc.service.protocol",
        "pcsc.service.denied",
        "pcsc.socket.foreign",
    )
    remedies = [words_for(code, facts, Words(language)) for code in codes]
    assert len({remedy.title for remedy in remedies}) == len(codes)
    assert len({remedy.steps for remedy in remedies}) == len(codes)
    assert all(version in remedies[3].title for version in ("4:5", "4:4"))
