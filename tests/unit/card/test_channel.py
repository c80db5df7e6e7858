"""What the channel may repeat, and what it may not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from card.apdu import PIN_INSTRUCTIONS, Command, Ins
from card.atr import Capabilities
from card.channel import Channel
from card.errors import CardAnswerMalformed, CardRemoved
from card.port import Exchange

EXTENDED = Capabilities(extended_length=True)


class Answers:
    """A connection that gives the answers in order and keeps the commands."""

    reader = "Scripted 00 00"
    atr = b""
    stay = None

    def __init__(self, *answers: str) -> None:
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.commands: list[str] = []

    def transmit(self, command: bytes | bytearray) -> bytes:
        self.commands.append(bytes(command).hex().upper())
        if not self.answers:
            raise CardRemoved(self.reader)
        return self.answers.pop(0)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def close(self) -> None: ...


def test_get_response_collects_an_answer_in_parts() -> None:
    card = Answers("0102 6102", "0304 6101", "05 9000")
    response = Channel(card, Capabilities()).send(Command(Ins.SELECT, 4, 0, b"\xa0", le=256))
    assert (response.data, response.sw) == (bytes(range(1, 6)), 0x9000)
    assert card.commands[1:] == ["00C0000002", "00C0000001"]


def test_61_00_means_256_or_more() -> None:
    card = Answers("6100", "01 9000")
    Channel(card, Capabilities()).send(Command(Ins.READ_BINARY, 0, 0, le=256))
    assert card.commands[1] == "00C0000000"


def test_a_wrong_le_is_corrected_for_a_read() -> None:
    card = Answers("6C10", "00" * 16 + "9000")
    response = Channel(card, Capabilities()).send(Command(Ins.READ_BINARY, 0, 0, le=256))
    assert response.sw == 0x9000
    assert card.commands == ["00B0000000", "00B0000010"]


def test_a_wrong_le_is_corrected_only_once() -> None:
    card = Answers("6C10", "6C10", "9000")
    assert Channel(card, Capabilities()).send(Command(Ins.SELECT, 0, 0, le=256)).sw == 0x6C10
    assert len(card.commands) == 2


@pytest.mark.parametrize("ins", sorted(PIN_INSTRUCTIONS))
@pytest.mark.parametrize("answer", ["6C08", "6108", "6100", "6700"])
@pytest.mark.parametrize("data", [b"", b"123456"])
def test_a_pin_instruction_is_one_transmission(ins: Ins, answer: str, data: bytes) -> None:
    card = Answers(answer, "9000", "9000")
    response = Channel(card, EXTENDED).send(Command(ins, 0, 0x81, data))
    assert response.sw == int(answer, 16)
    assert len(card.commands) == 1


@pytest.mark.parametrize("ins", [Ins.PERFORM_SECURITY_OPERATION, Ins.MANAGE_SECURITY_ENVIRONMENT])
def test_a_signature_is_not_made_twice(ins: Ins) -> None:
    card = Answers("6C80", "9000")
    assert Channel(card, Capabilities()).send(Command(ins, 0, 0, b"\1", le=256)).sw == 0x6C80
    assert len(card.commands) == 1


def test_a_signature_in_parts_is_collected() -> None:
    card = Answers("6110", "00" * 16 + "9000")
    command = Command(Ins.PERFORM_SECURITY_OPERATION, 0x9E, 0x9A, b"\1", le=256)
    assert len(Channel(card, Capabilities()).send(command).data) == 16


def test_endless_promises_end() -> None:
    card = Answers("61FF", "61FF", "61FF")
    with pytest.raises(CardAnswerMalformed):
        Channel(card, Capabilities()).send(Command(Ins.READ_BINARY, 0, 0, le=256))
    assert len(card.commands) == 2


def test_endless_data_ends() -> None:
    card = Answers(*["00" * 255 + "61FF"] * 300)
    with pytest.raises(CardAnswerMalformed):
        Channel(card, Capabilities()).send(Command(Ins.READ_BINARY, 0, 0, le=256))
    assert len(card.commands) < 260


@pytest.mark.parametrize(("le", "given"), [(None, 257), (16, 17), (256, 257)])
def test_more_than_was_asked_for_is_malformed(le: int | None, given: int) -> None:
    card = Answers("00" * given + "9000")
    with pytest.raises(CardAnswerMalformed):
        Channel(card, Capabilities()).send(Command(Ins.READ_BINARY, 0, 0, le=le))


def test_long_data_goes_in_a_chain_where_the_card_has_no_extended_length() -> None:
    card = Answers("9000", "9000", "01 9000")
    command = Command(Ins.PERFORM_SECURITY_OPERATION, 0x9E, 0x9A, bytes(600), le=256)
    assert Channel(card, Capabilities()).send(command).data == b"\1"
    heads = [(sent[:10], len(sent) // 2) for sent in card.commands]
    assert heads == [("102A9E9AFF", 260), ("102A9E9AFF", 260), ("002A9E9A5A", 96)]
    assert card.commands[-1].endswith("00")


def test_a_broken_chain_is_not_continued() -> None:
    card = Answers("6884", "9000")
    command = Command(Ins.PERFORM_SECURITY_OPERATION, 0x9E, 0x9A, bytes(600), le=256)
    assert Channel(card, Capabilities()).send(command).sw == 0x6884
    assert len(card.commands) == 1


def test_long_data_goes_whole_where_the_card_has_extended_length() -> None:
    card = Answers("9000")
    Channel(card, EXTENDED).send(Command(Ins.PERFORM_SECURITY_OPERATION, 0, 0, bytes(600), le=256))
    assert card.commands[0].startswith("002A0000000258")


def test_an_le_that_cannot_be_asked_for_is_refused() -> None:
    card = Answers("9000")
    with pytest.raises(ValueError, match="extended length"):
        Channel(card, Capabilities()).send(Command(Ins.READ_BINARY, 0, 0, le=512))
    assert card.commands == []


def test_the_trace_has_numbers_only_even_of_a_command_without_an_answer() -> None:
    trace: list[Exchange] = []
    card = Answers("9000", "63C2")
    channel = Channel(card, Capabilities(), trace.append)
    channel.send(Command(Ins.SELECT, 4, 0, b"\xa0\x00", le=256))
    channel.send(Command(Ins.VERIFY, 0, 0x81, b"123456"))
    with pytest.raises(CardRemoved):
        channel.send(Command(Ins.VERIFY, 0, 0x81))
    assert [(e.ins, e.lc, e.le, e.sw) for e in trace] == [
        (0xA4, 2, 256, 0x9000),
        (0x20, None, None, 0x63C2),
        (0x20, 0, None, 0),
    ]
    assert all(isinstance(v, int | float | None) for e in trace for v in vars(e).values())
