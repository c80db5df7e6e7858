"""PIV cards: what is read, how the PIN and the signature go, and what bad data ends in."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import READER, MakeScripted, ScriptedReaders, carries_pin, pin_of

from card.errors import (
    CardDataMalformed,
    CardDataMissing,
    CardError,
    CardUnknown,
    KeyUnsupported,
    PinBlocked,
    PinCharacters,
    PinLength,
    PinRefused,
    PinTriesChanged,
    PinWrong,
    SignatureMismatch,
    SignRefused,
)
from card.opening import open_card
from card.piv.application import certificate_in, primary_pin
from card.port import Card, PinRules
from card.virtual import der

PIV = 'kind = "piv"\n'
EC = '[key]\ntype = "EC"\n'
RIGHT, WRONG = b"123456", b"654321"
MESSAGE = b"m" * 64
GET_DATA, AUTHENTICATE = 0xCB, 0x87


@pytest.fixture
def piv(make_scripted: MakeScripted) -> ScriptedReaders:
    return make_scripted(PIV + EC)


def opened(readers: ScriptedReaders) -> Card:
    return open_card(readers, READER, accepted={"HPC"})


@pytest.mark.parametrize("toml", ["", "extended_length = false\n"])
@pytest.mark.parametrize(("key", "made"), [("", ("RS256", 256)), (EC, ("ES256", 64))])
@pytest.mark.parametrize("compressed", ["false", "true"])
def test_one_entry_is_one_verify_and_a_signature(
    make_scripted: MakeScripted, toml: str, key: str, made: tuple[str, int], compressed: str
) -> None:
    readers = make_scripted(f"{PIV}{toml}{key}[certificate]\ncompressed = {compressed}\n")
    card = opened(readers)
    assert card.certificate.holder == "測試員甲"
    assert readers.verifies == 0
    signature = card.sign(pin_of(RIGHT), MESSAGE, card.tries_left())
    assert (signature.algorithm, len(signature.value)) == made
    assert readers.verifies == readers.card.verify_count == 1
    (verify,) = filter(carries_pin, readers.commands)
    assert verify == b"\x00\x20\x00\x80\x08123456\xff\xff"
    assert len(readers.commands) <= 19
    assert all(readers.in_transaction)


def test_the_global_pin_where_the_card_says_so(make_scripted: MakeScripted) -> None:
    readers = make_scripted(
        f'{PIV}{EC}[pin]\nvalue = "Abc-123"\nshared = true\ndigits_only = false\n'
    )
    card = opened(readers)
    assert card.pin_rules == PinRules(6, 8, digits_only=False)
    card.sign(pin_of(b"Abc-123"), MESSAGE, card.tries_left())
    (verify,) = filter(carries_pin, readers.commands)
    assert verify[:4] == b"\x00\x20\x00\x00"


def test_a_card_without_a_discovery_object_has_the_applications_pin(piv: ScriptedReaders) -> None:
    piv.script = lambda _n, c: b"\x6a\x82" if c[1] == GET_DATA and c[-2] == 0x7E else None
    card = opened(piv)
    assert card.tries_left() == 3
    card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert piv.verifies == 1


@pytest.mark.parametrize(
    ("policy", "reference"),
    [("4010", 0x80), ("6010", 0x80), ("6020", 0x00), ("4020", 0x80), ("4000", 0x80)],
)
def test_the_pin_usage_policy(policy: str, reference: int) -> None:
    value = der.tlv(0x4F, bytes(11)) + b"\x5f\x2f\x02" + bytes.fromhex(policy)
    assert primary_pin(der.tlv(0x7E, value)) == reference


@pytest.mark.parametrize("data", ["7E035F2F00", "7E045F2F0140", "7E", "7E0A4F"])
def test_a_malformed_discovery_object(data: str) -> None:
    with pytest.raises(CardDataMalformed):
        primary_pin(bytes.fromhex(data))


def container(certificate: bytes, information: bytes = b"\x01") -> bytes:
    return der.tlv(0x53, der.tlv(0x70, certificate), der.tlv(0x71, information), der.tlv(0xFE))


def test_a_compressed_certificate_is_unpacked_and_bounded() -> None:
    plain = b"certificate" * 100
    for packed in (gzip.compress(plain), zlib.compress(plain)):
        assert certificate_in(container(packed)) == plain
    assert certificate_in(container(plain, b"\x00")) == plain
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(CardDataMalformed):
        certificate_in(container(bomb[:40_000]))
    for broken in (b"no gzip at all", gzip.compress(plain)[:-9]):
        with pytest.raises(CardDataMalformed):
            certificate_in(container(broken))


def test_an_empty_container_is_a_missing_certificate() -> None:
    for data in (der.tlv(0x53), der.tlv(0x53, der.tlv(0x70), der.tlv(0xFE))):
        with pytest.raises(CardDataMissing):
            certificate_in(data)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_typed_error_or_a_certificate(data: bytes) -> None:
    for parse in (certificate_in, primary_pin):
        try:
            parse(data)
        except (CardDataMalformed, CardDataMissing):
            continue


def test_a_card_with_no_certificate(piv: ScriptedReaders) -> None:
    piv.script = lambda _n, c: b"\x6a\x82" if c[1] == GET_DATA and c[-2] == 0x05 else None
    with pytest.raises(CardDataMissing):
        opened(piv)
    assert piv.closed == 1


def test_a_card_without_piv_is_unknown(make_scripted: MakeScripted) -> None:
    readers = make_scripted('kind = "foreign"\n')
    with pytest.raises(CardUnknown):
        opened(readers)
    assert {command[1] for command in readers.commands} == {0xA4}


def test_a_wrong_pin_costs_one_try(piv: ScriptedReaders) -> None:
    card = opened(piv)
    for left in (2, 1):
        with pytest.raises(PinWrong) as caught:
            card.sign(pin_of(WRONG), MESSAGE, card.tries_left())
        assert caught.value.tries_left == left == card.tries_left()
    with pytest.raises(PinBlocked):
        card.sign(pin_of(WRONG), MESSAGE, 1)
    with pytest.raises(PinBlocked):
        card.sign(pin_of(RIGHT), MESSAGE, 0)
    assert piv.verifies == 3


def test_fewer_tries_than_were_shown_send_nothing(piv: ScriptedReaders) -> None:
    card = opened(piv)
    piv.script = lambda _n, c: b"\x63\xc2" if c[1] == 0x20 else None
    with pytest.raises(PinTriesChanged):
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert piv.verifies == 0


@pytest.mark.parametrize(
    ("typed", "error"),
    [(b"12345", PinLength), (b"123456789", PinLength), (b"12345a", PinCharacters)],
)
def test_what_cannot_be_the_pin_never_reaches_the_card(
    piv: ScriptedReaders, typed: bytes, error: type[CardError]
) -> None:
    card = opened(piv)
    sent = len(piv.commands)
    with pytest.raises(error):
        card.sign(pin_of(typed), MESSAGE, 3)
    assert len(piv.commands) == sent


@pytest.mark.parametrize("sw", [0x6982, 0x6A80, 0x6C08, 0x6110, 0x9001, 0x6700])
def test_no_status_word_sends_a_second_verify(piv: ScriptedReaders, sw: int) -> None:
    card = opened(piv)
    piv.script = lambda _n, c: sw.to_bytes(2, "big") if carries_pin(c) else None
    with pytest.raises(PinRefused):
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert piv.verifies == 1
    assert not [c for c in piv.commands if c[1] == AUTHENTICATE]


@pytest.mark.parametrize("knows_the_form", [True, False])
def test_nobody_inherits_the_verified_state(piv: ScriptedReaders, knows_the_form: bool) -> None:
    """VERIFY with P1 FF ends it; an older card has another application selected."""
    card = opened(piv)
    if not knows_the_form:
        piv.script = lambda _n, c: b"\x6a\x86" if c[1:3] == b"\x20\xff" else None
    card.sign(pin_of(RIGHT), MESSAGE, 3)
    if knows_the_form:
        assert piv.card.transmit(b"\x00\x20\x00\x80") == b"\x63\xc3"
    else:
        assert piv.commands[-1].startswith(b"\x00\xa4\x04\x00\x08\xa0\x00\x00\x01\x51")
    assert piv.verifies == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("6982", SignRefused),
        ("9000", SignatureMismatch),
        ("7C0282009000", SignatureMismatch),
        ("7C04820230009000", SignatureMismatch),
        ("30FF9000", SignatureMismatch),
    ],
)
def test_a_refused_or_false_signature_is_not_returned(
    piv: ScriptedReaders, answer: str, error: type[CardError]
) -> None:
    card = opened(piv)
    piv.script = lambda _n, c: bytes.fromhex(answer) if c[1] == AUTHENTICATE else None
    with pytest.raises(error):
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert piv.verifies == 1


def test_a_size_of_key_that_piv_does_not_have(make_scripted: MakeScripted) -> None:
    with pytest.raises(KeyUnsupported):
        opened(make_scripted(PIV + "[key]\nsize = 4096\n"))
