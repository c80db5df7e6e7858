"""What a reader says of its keys, which are used, and what it is told (PC/SC part 10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import pad_readers
from card.errors import CardMute, PadLies, PadRefused, PadUnfit, ReaderHeld
from card.pad_readers import LYING, VARIABLE, WITHOUT_LC, Line
from card.pin_pad import (
    GET_FEATURE_REQUEST,
    LARGEST_FRAME,
    Pad,
    PinForm,
    State,
    described,
    features,
    fits,
    look,
    offer,
    state,
    structure,
    usable,
)
from card.port import PadUse, PinPad

READER = "Invented Reader 00 00"
CHERRY, SCM = (0x046A, 0x003E), (0x04E6, 0xE003)
OTHER = (0x1234, 0x0001)
LIAR = (0x046A, 0x0010)
PIV = PinForm(0x80, 6, 8, 8, 0xFF)
AS_IT_IS = PinForm(0x81, 6, 8)
FIXED = PinForm(0x81, 6, 6)


class Reader:
    """A driver that answers control codes from a table; what it does not know, it refuses."""

    def __init__(self, answers: dict[int, bytes], refusal: Exception | None = None) -> None:
        self._answers = answers
        self._refusal = refusal or PadRefused(0)
        self.asked: list[int] = []

    def control(self, code: int, data: bytes) -> bytes:
        assert data == b""
        self.asked.append(code)
        if code not in self._answers:
            raise self._refusal
        return self._answers[code]


VERIFY, PROPERTIES = 0x42330006, 0x42330012
FEATURES = bytes.fromhex("06 04 42330006 12 04 42330012 07 04 42330007")


def test_a_reader_that_says_everything() -> None:
    told = bytes.fromhex("01021002 0601 04 0701 0C 0B026A04 0C023E00 0304 746578 74")
    reader = Reader({GET_FEATURE_REQUEST: FEATURES, PROPERTIES: told})
    assert look(reader) == Pad(VERIFY, CHERRY, display=True, shortest=4, longest=12)
    assert reader.asked == [GET_FEATURE_REQUEST, PROPERTIES]


def test_a_reader_that_says_little() -> None:
    assert look(Reader({GET_FEATURE_REQUEST: FEATURES[:6]})) == Pad(VERIFY)
    assert look(Reader({GET_FEATURE_REQUEST: FEATURES[6:12]})) is None
    assert look(Reader({GET_FEATURE_REQUEST: b""})) is None
    assert look(Reader({})) is None
    assert look(Reader({}, CardMute(READER))) is None
    assert look(object()) is None


def test_a_reader_that_another_program_keeps_is_no_reader_without_keys() -> None:
    with pytest.raises(ReaderHeld):
        look(Reader({}, ReaderHeld(READER)))


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_nonsense_is_a_reader_without_keys_or_one_that_says_little(
    feature: bytes, told: bytes
) -> None:
    found = features(feature)
    assert len(found) <= len(feature) // 6
    pad = described(VERIFY, told)
    assert pad.usb is None or all(number >= 0 for number in pad.usb)
    for form in (PIV, AS_IT_IS, FIXED):
        if fits(pad, form):
            assert len(structure(pad, form)) <= 19 + 5 + LARGEST_FRAME


@pytest.mark.parametrize(
    ("pad", "form", "fit"),
    [
        (Pad(1, OTHER), PIV, True),
        (Pad(1, OTHER, longest=8), PIV, True),
        (Pad(1, OTHER, longest=7), PIV, False),  # it would send a part of the PIN
        (Pad(1, OTHER, shortest=6), PIV, True),
        (Pad(1, OTHER, shortest=7), PIV, False),
        (Pad(1, OTHER), FIXED, True),
        (Pad(1, OTHER), AS_IT_IS, False),  # who sets Lc?
        (Pad(1), PIV, False),  # it may be one that lies
        (Pad(1, CHERRY), AS_IT_IS, True),
        (Pad(1, SCM), AS_IT_IS, True),
        (
            Pad(1, OTHER),
            PinForm(0x81, 4, 16, 16, 0xFF),
            False,
        ),  # more than bmPINBlockString can say
        (Pad(1, OTHER), PinForm(0x81, 4, 12, 8, 0xFF), False),  # more digits than the frame holds
        (Pad(1, OTHER), PinForm(0x81, 4, 300), False),
    ],
)
def test_only_what_can_be_told_exactly(pad: Pad, form: PinForm, *, fit: bool) -> None:
    assert fits(pad, form) is fit


@pytest.mark.parametrize(
    ("pad", "form", "told"),
    [
        (
            Pad(1, OTHER),
            PIV,
            "1E1E82080008060200090400000000 0D000000 00200080 08 FFFFFFFFFFFFFFFF",
        ),
        (
            Pad(1, OTHER, display=True),
            FIXED,
            "1E1E820600060603FF090400000000 0B000000 00200081 06 000000000000",
        ),
        (Pad(1, CHERRY), AS_IT_IS, "1E1E82000008060200090400000000 05000000 00200081 00"),
        (Pad(1, SCM), AS_IT_IS, "1E1E82000008060200090400000000 04000000 00200081"),
    ],
)
def test_the_structure(pad: Pad, form: PinForm, told: str) -> None:
    assert structure(pad, form) == bytes.fromhex(told)


def test_what_becomes_of_a_readers_keys() -> None:
    good, liar = Pad(1, CHERRY), Pad(1, LIAR)
    assert state(good, PadUse.PREFER) is state(good, PadUse.ONLY) is State.USED
    assert state(good, PadUse.OFF) is State.OFF
    assert {state(liar, use) for use in PadUse} == {State.LYING}
    assert state(Pad(1), PadUse.PREFER) is State.UNNAMED
    assert usable(Pad(1), PIV, PadUse.PREFER, READER) is None
    for use in PadUse:
        assert usable(None, PIV, use, READER) is None
    assert usable(good, PIV, PadUse.PREFER, READER) == good
    assert usable(good, PIV, PadUse.ONLY, READER) == good
    assert usable(good, PIV, PadUse.OFF, READER) is None
    assert usable(liar, PIV, PadUse.PREFER, READER) is None
    assert usable(Pad(1, OTHER, longest=7), PIV, PadUse.PREFER, READER) is None
    with pytest.raises(PadLies) as lies:
        usable(liar, PIV, PadUse.ONLY, READER)
    assert lies.value.facts() == {"reader": READER, "usb": "046A:0010"}
    with pytest.raises(PadUnfit):
        usable(Pad(1, OTHER, longest=7), PIV, PadUse.ONLY, READER)
    assert offer(None, PadUse.ONLY) is None
    assert offer(good, PadUse.PREFER) == PinPad(30, keyboard=True)
    assert offer(good, PadUse.ONLY) == PinPad(30, keyboard=False)


@pytest.mark.parametrize("lines", [LYING, VARIABLE, WITHOUT_LC])
def test_every_line_of_the_lists_has_a_source(lines: tuple[Line, ...]) -> None:
    assert len({(line.vendor, line.product) for line in lines}) == len(lines)
    for line in lines:
        assert line.source
        assert line.name
        assert 0 < line.vendor <= 0xFFFF


def test_no_reader_is_on_both_lists() -> None:
    for line in LYING:
        assert line.product is not None
        usb = line.vendor, line.product
        assert pad_readers.listed(LYING, usb)
        assert not pad_readers.listed(VARIABLE, usb)
    assert not pad_readers.listed(LYING, None)
