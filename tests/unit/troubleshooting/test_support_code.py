"""The support code: what goes in comes out, and no slip on the phone goes unnoticed."""

from __future__ import annotations

import random
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screens.language import Language
from screens.troubleshooting.catalogue import entry
from screens.troubleshooting.support_code import (
    ALPHABET,
    REGISTRY,
    STEPS,
    Attachment,
    Backend,
    Fault,
    SupportCodeInvalid,
    SupportFacts,
    decode,
    encode,
    registry,
)
from screens.wizard import Step

ZH, EN = Language.ZH, Language.EN
FACTS = st.builds(
    SupportFacts,
    code=st.sampled_from(sorted(registry())),
    step=st.none() | st.sampled_from(STEPS),
    tries_left=st.none() | st.integers(0, 13),
    readers=st.integers(0, 3),
    cards=st.integers(0, 3),
    attachment=st.sampled_from(Attachment),
    backend=st.sampled_from(Backend),
    language=st.sampled_from(Language),
    version=st.tuples(st.integers(0, 31), st.integers(0, 255), st.integers(0, 127)),
)
# Codes that people may have read out or written down already: they mean this for ever.
ISSUED = {
    "4411-54G0-1006": SupportFacts(
        "card.pin.wrong", Step.PIN, 2, 1, 1, Attachment.LOCAL, Backend.PKCS15, ZH, (0, 1, 0)
    ),
    "44GQ-G880-100H": SupportFacts(
        "card.reader.none",
        Step.READER,
        attachment=Attachment.FORWARDED,
        language=EN,
        version=(0, 1, 0),
    ),
    "49RF-G808-20RN": SupportFacts(
        "pcsc.service.stopped", Step.COMPONENTS, attachment=Attachment.FORWARDED, version=(1, 2, 3)
    ),
    "4ADS-SD8G-02RE": SupportFacts(
        "service.card.bound",
        Step.SIGN_IN,
        3,
        2,
        1,
        Attachment.REDIRECTED,
        Backend.PIV,
        EN,
        (2, 0, 11),
    ),
    "4350-EHG0-1002": SupportFacts(
        "card.pin.blocked",
        Step.PIN,
        0,
        3,
        2,
        Attachment.REMOTE_CLEAR,
        Backend.PKCS11,
        ZH,
        (0, 1, 0),
    ),
    "413Z-FPFZ-ZZRQ": SupportFacts(
        "app.unexpected", None, 14, 3, 3, Attachment.EMBEDDED, Backend.VIRTUAL, EN, (31, 255, 127)
    ),
}


def fault(text: str) -> Fault | None:
    try:
        decode(text)
    except SupportCodeInvalid as invalid:
        return invalid.fault
    return None


@given(FACTS)
def test_what_goes_in_comes_out(facts: SupportFacts) -> None:
    code = encode(facts)
    assert len(code) == 14
    assert code[4] == code[9] == "-"
    assert decode(code) == facts


@given(FACTS)
def test_it_is_read_as_people_write_it(facts: SupportFacts) -> None:
    code = encode(facts)
    wide = "".join(chr(ord(c) + 0xFEE0) for c in code)
    careless = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    for text in (
        code.replace("-", ""),
        code.lower(),
        careless,
        wide,
        f"  {code}\n",
        code.replace("-", "—"),
        code.replace("1", "i"),
    ):
        assert decode(text) == facts


def samples() -> list[str]:
    chance = random.Random(32)  # noqa: S311 - samples, not secrets
    return [
        encode(
            SupportFacts(
                code=chance.choice(sorted(registry())),
                step=chance.choice([None, *STEPS]),
                tries_left=chance.choice([None, *range(14)]),
                readers=chance.randrange(4),
                cards=chance.randrange(4),
                attachment=chance.choice(list(Attachment)),
                backend=chance.choice(list(Backend)),
                language=chance.choice(list(Language)),
                version=(chance.randrange(32), chance.randrange(256), chance.randrange(128)),
            )
        ).replace("-", "")
        for _ in range(40)
    ]


def test_every_single_wrong_character_is_noticed() -> None:
    for code in samples():
        for place, right in enumerate(code):
            for wrong in ALPHABET.replace(right, ""):
                assert fault(code[:place] + wrong + code[place + 1 :]) is Fault.CHECK


def test_every_swap_of_two_characters_is_noticed() -> None:
    for code in samples():
        for left in range(len(code)):
            for right in range(left + 1, len(code)):
                swapped = list(code)
                swapped[left], swapped[right] = swapped[right], swapped[left]
                if swapped != list(code):
                    assert fault("".join(swapped)) is Fault.CHECK


def test_the_check_is_sound_for_every_code_there_can_be() -> None:
    """The check is linear over GF(32), so these few sums prove the two tests above for all codes.

    A wrong character adds d·w[i] to the sum, a swap (c[i]-c[j])·(w[i]-w[j]): neither is ever zero.
    """
    from screens.troubleshooting.support_code import LENGTH, _sum, _times

    weights = [_sum([0] * place + [1] + [0] * (LENGTH - place - 1)) for place in range(LENGTH)]
    assert all(_times(weight, d) for weight in weights for d in range(1, 32))
    assert len(set(weights)) == LENGTH
    for place, weight in enumerate(weights):
        for symbol in range(32):
            one = [0] * place + [symbol] + [0] * (LENGTH - place - 1)
            assert _sum(one) == _times(symbol, weight)


def test_what_is_not_a_code_says_why() -> None:
    code = encode(SupportFacts("card.pin.wrong"))
    assert fault("") is Fault.LENGTH
    assert fault(code[:-1]) is Fault.LENGTH
    assert fault(code + "0") is Fault.LENGTH
    assert fault(code.replace(code[0], "U", 1)) is Fault.CHARACTER
    assert fault("驗 PIN 失敗") is Fault.CHARACTER
    assert fault("0000-0000-0000") is Fault.LAYOUT  # adds up to zero, but no layout is 0


@given(st.text(max_size=40))
def test_any_text_is_a_code_or_a_typed_error(text: str) -> None:
    fault(text)


def test_numbers_too_large_come_back_as_the_largest() -> None:
    facts = SupportFacts("app.unexpected", None, 99, 7, 5, version=(99, 999, 999))
    assert decode(encode(facts)) == SupportFacts(
        "app.unexpected", None, 14, 3, 3, version=(31, 255, 127)
    )


def test_every_code_has_a_number_of_its_own() -> None:
    data = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    numbers = list(data["numbers"].values())
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & set(data["retired"])
    assert all(0 < number < min(data["next"], 1024) for number in (*numbers, *data["retired"]))
    for code in data["numbers"]:
        assert entry(code).id == code


@pytest.mark.parametrize(("code", "facts"), ISSUED.items())
def test_codes_once_issued_never_change_their_meaning(code: str, facts: SupportFacts) -> None:
    assert encode(facts) == code
    assert decode(code) == facts
