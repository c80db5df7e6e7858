"""The PIN rules of the design, each with the faults that would break it in careless code."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted import READER, MakeScripted, ScriptedReaders, carries_pin, pin_of

from card.errors import (
    CardAnswerMalformed,
    CardError,
    CardMute,
    CardRemoved,
    CardReset,
    PcscServiceStopped,
    PinBlocked,
    PinCharacters,
    PinLength,
    PinRefused,
    PinSpent,
    PinTriesChanged,
    PinWrong,
    ReaderGone,
    SignatureMismatch,
    SignRefused,
)
from card.opening import open_card
from card.port import Card, Exchange

RIGHT, WRONG = b"Test-123", b"wrong-99"
MESSAGE = b"m" * 64
PADDED = '[pin]\npadded = true\n[key]\ntype = "EC"\n'
DIGITS = '[pin]\nvalue = "123456"\ndigits_only = true\n[key]\ntype = "EC"\n'
OPENING = 9  # commands before sign(), on this card; the last one asks for the tries


def opened(readers: ScriptedReaders) -> Card:
    return open_card(readers, READER)


def verify_answers(readers: ScriptedReaders, answer: bytes | CardError) -> None:
    readers.script = lambda _number, command: answer if carries_pin(command) else None


def test_one_entry_is_one_verify(make_scripted: MakeScripted) -> None:
    readers = make_scripted()
    card = opened(readers)
    assert readers.verifies == 0
    signature = card.sign(pin_of(RIGHT), MESSAGE, card.tries_left())
    assert signature.algorithm == "ES256"
    assert readers.verifies == readers.card.verify_count == 1


@pytest.mark.parametrize(
    ("sw", "error", "tries"),
    [
        (0x63C2, PinWrong, 2),
        (0x63C1, PinWrong, 1),
        (0x6300, PinWrong, None),
        (0x63C0, PinBlocked, None),
        (0x6983, PinBlocked, None),
        (0x6984, PinBlocked, None),
        (0x6982, PinRefused, None),
        (0x6985, PinRefused, None),
        (0x6700, PinRefused, None),
        (0x6A80, PinRefused, None),
        (0x6A88, PinRefused, None),
        (0x6C06, PinRefused, None),
        (0x6C00, PinRefused, None),
        (0x6110, PinRefused, None),
        (0x6100, PinRefused, None),
        (0x9001, PinRefused, None),
        (0x9100, PinRefused, None),
        (0x6400, PinRefused, None),
        (0x6D00, PinRefused, None),
        (0x6E00, PinRefused, None),
    ],
)
def test_no_status_word_sends_a_second_verify(
    make_scripted: MakeScripted, sw: int, error: type[CardError], tries: int | None
) -> None:
    readers = make_scripted()
    card = opened(readers)
    verify_answers(readers, sw.to_bytes(2, "big"))
    with pytest.raises(error) as caught:
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert readers.verifies == 1
    assert [c[1] for c in readers.commands if c[1] in (0x22, 0x2A, 0xC0)] == []
    facts = caught.value.facts()
    assert facts.get("tries_left") == tries
    assert facts.get("sw") == (sw if error is PinRefused else None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sw=st.integers(0x6000, 0x9FFF).filter(lambda sw: sw >> 12 in (6, 9) and sw != 0x9000))
def test_only_9000_is_success(shared: tuple[ScriptedReaders, Card], sw: int) -> None:
    readers, card = shared
    before = readers.verifies
    verify_answers(readers, sw.to_bytes(2, "big"))
    with pytest.raises((PinWrong, PinBlocked, PinRefused)):
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert readers.verifies == before + 1


@pytest.fixture
def shared(make_scripted: MakeScripted) -> tuple[ScriptedReaders, Card]:
    readers = make_scripted()
    return readers, opened(readers)


TROUBLES = [
    CardRemoved(READER),
    CardReset(READER),
    CardMute(READER),
    ReaderGone(READER),
    PcscServiceStopped(),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: error.code)
@pytest.mark.parametrize("when", range(OPENING, OPENING + 5))
def test_trouble_at_any_command_of_sign_never_repeats_verify(
    make_scripted: MakeScripted, when: int, trouble: CardError
) -> None:
    readers = make_scripted()
    card = opened(readers)
    tries = card.tries_left()
    assert len(readers.commands) == OPENING
    readers.script = lambda number, _command: trouble if number == when else None
    pin = pin_of(RIGHT)
    with pytest.raises(type(trouble)):
        card.sign(pin, MESSAGE, tries)
    assert readers.verifies == (0 if when < OPENING + 2 else 1)
    assert len(pin) == 0
    with pytest.raises(PinSpent):
        card.sign(pin, MESSAGE, tries)
    assert readers.verifies <= 1


@pytest.mark.parametrize("answer", [b"", b"\x90", b"\x00\x00", b"x" * 65539 + b"\x90\x00"])
def test_a_malformed_answer_to_verify_is_no_success(
    make_scripted: MakeScripted, answer: bytes
) -> None:
    readers = make_scripted()
    card = opened(readers)
    verify_answers(readers, answer)
    with pytest.raises(CardAnswerMalformed):
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert readers.verifies == 1


def test_a_wrong_pin_costs_one_try_and_tells_what_is_left(make_scripted: MakeScripted) -> None:
    readers = make_scripted()
    card = opened(readers)
    for left in (2, 1):
        with pytest.raises(PinWrong) as caught:
            card.sign(pin_of(WRONG), MESSAGE, card.tries_left())
        assert caught.value.tries_left == left == card.tries_left()
    with pytest.raises(PinBlocked):
        card.sign(pin_of(WRONG), MESSAGE, 1)
    assert card.tries_left() == 0
    assert readers.verifies == 3


def test_a_card_that_was_unblocked_meanwhile_is_asked_again(make_scripted: MakeScripted) -> None:
    readers = make_scripted('[pin]\ntries_left = 0\n[key]\ntype = "EC"\n')
    card = opened(readers)
    readers.card.tries_left = 3
    assert card.tries_left() == 3


def test_a_blocked_pin_is_not_sent(make_scripted: MakeScripted) -> None:
    readers = make_scripted('[pin]\ntries_left = 0\n[key]\ntype = "EC"\n')
    card = opened(readers)
    assert card.tries_left() == 0
    with pytest.raises(PinBlocked):
        card.sign(pin_of(RIGHT), MESSAGE, 0)
    assert readers.verifies == 0


@pytest.mark.parametrize("answer", [0x63C2, 0x63C1])
def test_fewer_tries_than_were_shown_send_nothing(make_scripted: MakeScripted, answer: int) -> None:
    readers = make_scripted()
    card = opened(readers)
    readers.script = lambda _number, c: answer.to_bytes(2, "big") if c[1] == 0x20 else None
    with pytest.raises(PinTriesChanged) as caught:
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert (caught.value.shown, caught.value.tries_left) == (3, answer & 0xF)
    assert readers.verifies == 0


def test_tries_that_became_unknown_are_not_taken_for_enough(make_scripted: MakeScripted) -> None:
    readers = make_scripted()
    card = opened(readers)
    readers.script = lambda _number, c: b"\x90\x00" if c[1] == 0x20 and len(c) == 4 else None
    with pytest.raises(PinTriesChanged):
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert readers.verifies == 0


@pytest.mark.parametrize("sw", [0x9000, 0x6A88, 0x6D00, 0x6700, 0x6C08, 0x6108, 0x6300])
def test_unknown_tries_are_none_and_cost_nothing(make_scripted: MakeScripted, sw: int) -> None:
    readers = make_scripted()
    readers.script = lambda _number, c: sw.to_bytes(2, "big") if c[1] == 0x20 else None
    card = opened(readers)
    assert card.tries_left() is None
    assert [c for c in readers.commands if c[1] == 0x20] == [b"\x00\x20\x00\x81"]
    assert card.tries_left() is None
    assert [c for c in readers.commands if c[1] == 0x20] == [b"\x00\x20\x00\x81"] * 2
    assert readers.card.tries_left == 3


def test_unknown_tries_that_were_shown_as_unknown_may_be_spent(
    make_scripted: MakeScripted,
) -> None:
    readers = make_scripted()
    readers.script = lambda _number, c: b"\x6a\x86" if c[1] == 0x20 and len(c) == 4 else None
    card = opened(readers)
    assert card.sign(pin_of(RIGHT), MESSAGE, card.tries_left()).algorithm == "ES256"
    assert readers.verifies == 1


@pytest.mark.parametrize(
    ("toml", "typed", "error"),
    [
        (None, b"", PinLength),
        (None, b"12345", PinLength),
        (None, b"123456789", PinLength),
        (None, b"1" * 64, PinLength),
        (None, b"12 456", PinCharacters),
        (None, b"12345\x00", PinCharacters),
        (None, b"12345\x7f", PinCharacters),
        (None, "１２".encode(), PinCharacters),
        (DIGITS, b"12345a", PinCharacters),
        (DIGITS, b"12345", PinLength),
        (PADDED, b"123456789", PinLength),
    ],
)
def test_what_cannot_be_the_pin_never_reaches_the_card(
    make_scripted: MakeScripted, toml: str | None, typed: bytes, error: type[CardError]
) -> None:
    readers = make_scripted(toml) if toml else make_scripted()
    card = opened(readers)
    commands = len(readers.commands)
    pin = pin_of(typed)
    with pytest.raises(error) as caught:
        card.sign(pin, MESSAGE, 3)
    assert len(readers.commands) == commands
    assert len(pin) == 0
    assert set(caught.value.facts()) <= {"minimum", "maximum"}


def test_a_padded_pin_is_filled_to_the_stored_length(make_scripted: MakeScripted) -> None:
    readers = make_scripted('[pin]\nvalue = "Abc-12"\npadded = true\n[key]\ntype = "EC"\n')
    card = opened(readers)
    card.sign(pin_of(b"Abc-12"), MESSAGE, 3)
    (verify,) = filter(carries_pin, readers.commands)
    assert verify == b"\x00\x20\x00\x81\x08Abc-12\xff\xff"


def test_the_bytes_of_verify_are_wiped_and_the_trace_has_none(
    make_scripted: MakeScripted,
) -> None:
    readers = make_scripted()
    trace: list[Exchange] = []
    card = open_card(readers, READER, tracer=trace.append)
    pin = pin_of(RIGHT)
    card.sign(pin, MESSAGE, card.tries_left())
    assert any(RIGHT in command for command in readers.commands)  # it was there
    assert all(not any(buffer) for buffer in readers.buffers)
    assert len(readers.buffers) == len(readers.commands)
    assert len(trace) == len(readers.commands)
    (secret,) = [exchange for exchange in trace if exchange.lc is None]
    assert (secret.ins, secret.p1, secret.p2, secret.sw) == (0x20, 0x00, 0x81, 0x9000)
    assert "Test" not in repr(trace)


def test_no_error_and_no_repr_carries_the_pin(make_scripted: MakeScripted) -> None:
    readers = make_scripted()
    card = opened(readers)
    verify_answers(readers, b"\x6f\x00")
    with pytest.raises(PinRefused) as caught:
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    walked = repr(caught.value) + repr(caught.value.facts()) + str(caught.value.args)
    frame = caught.tb
    while frame is not None:
        for value in frame.tb_frame.f_locals.values():
            if isinstance(value, bytes | bytearray):
                assert RIGHT not in value
            if not isinstance(value, ScriptedReaders):
                walked += repr(value)
        frame = frame.tb_next
    assert "Test-123" not in walked


def test_everything_from_asking_the_tries_to_forgetting_is_one_transaction(
    make_scripted: MakeScripted,
) -> None:
    readers = make_scripted()
    card = opened(readers)
    tries = card.tries_left()
    before, transactions = len(readers.commands), readers.transactions
    card.sign(pin_of(RIGHT), MESSAGE, tries)
    assert all(readers.in_transaction[before:])
    assert readers.transactions == transactions + 1
    assert [c[1] for c in readers.commands[before:]] == [0xA4, 0x20, 0x20, 0x22, 0x2A, 0xA4]


def test_the_application_is_selected_before_every_verify(make_scripted: MakeScripted) -> None:
    """Another program may have selected its own application since, with a PIN of its own."""
    readers = make_scripted()
    card = opened(readers)
    assert card.tries_left() == 3
    readers.card.transmit(b"\x00\xa4\x00\x00\x02\x3f\x00")  # a stranger's SELECT MF
    card.sign(pin_of(RIGHT), MESSAGE, 3)
    readers.card.transmit(b"\x00\xa4\x00\x00\x02\x3f\x00")
    readers.script = lambda _number, c: b"\x6a\x82" if c[1] == 0xA4 else None
    with pytest.raises(CardError):
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert readers.verifies == 1


@pytest.mark.parametrize("fault", ["none", "mse", "pso", "verify"])
def test_nobody_inherits_the_verified_state(make_scripted: MakeScripted, fault: str) -> None:
    readers = make_scripted()
    card = opened(readers)
    ins = {"mse": 0x22, "pso": 0x2A}.get(fault)

    def script(_number: int, command: bytes) -> bytes | None:
        if fault == "verify" and carries_pin(command):
            readers.card.transmit(command)  # obeyed, and the answer lost
            return b""
        return b"\x69\x85" if command[1] == ins else None

    readers.script = script
    if fault == "none":
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    else:
        with pytest.raises((SignRefused, CardAnswerMalformed)):
            card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert readers.card.transmit(b"\x00\x20\x00\x81") == b"\x63\xc3"  # not 9000: verify again
    assert readers.verifies == 1


@pytest.mark.parametrize(
    ("ins", "answer", "error"),
    [
        (0x22, b"\x6a\x88", SignRefused),
        (0x2A, b"\x69\x82", SignRefused),
        (0x2A, b"\x6c\x40", SignRefused),
        (0x2A, b"\x90\x00", SignatureMismatch),
        (0x2A, bytes(64) + b"\x90\x00", SignatureMismatch),
        (0x2A, b"\x30\x06\x02\x01\x01\x02\x01\x01\x90\x00", SignatureMismatch),
    ],
)
def test_a_refused_or_false_signature_is_not_returned(
    make_scripted: MakeScripted, ins: int, answer: bytes, error: type[CardError]
) -> None:
    readers = make_scripted()
    card = opened(readers)
    readers.script = lambda _number, command: answer if command[1] == ins else None
    with pytest.raises(error):
        card.sign(pin_of(RIGHT), MESSAGE, 3)
    assert sum(command[1] == ins for command in readers.commands) == 1
    assert readers.verifies == 1
