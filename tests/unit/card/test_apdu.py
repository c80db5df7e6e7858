"""Command and response APDUs against vectors worked out from ISO 7816-3 §12.1, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.apdu import SW, Command, Response, tries_left
from card.errors import CardAnswerMalformed


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        (Command(0x20, 0x00, 0x81), "00200081"),  # case 1
        (Command(0xB0, 0x00, 0x00, le=256), "00B0000000"),  # case 2 short
        (Command(0xB0, 0x01, 0x02, le=255), "00B00102FF"),
        (Command(0xB0, 0x00, 0x00, le=257), "00B00000000101"),  # case 2 extended
        (Command(0xB0, 0x00, 0x00, le=65536), "00B00000000000"),
        (Command(0x22, 0x41, 0xB6, b"\x84\x01\x01"), "002241B603840101"),  # case 3
        (Command(0xA4, 0x04, 0x00, b"\xa0\x00", le=256), "00A4040002A00000"),  # case 4
        (Command(0x2A, 0x9E, 0x9A, b"\xaa", le=512), "002A9E9A000001AA0200"),
        (Command(0x2A, 0x9E, 0x9A, b"\xaa", le=256, cla=0x10), "102A9E9A01AA00"),
    ],
)
def test_encoding(command: Command, wire: str) -> None:
    assert command.encode().hex().upper() == wire


def test_long_data_takes_extended_length_and_keeps_le_in_two_bytes() -> None:
    command = Command(0x2A, 0x9E, 0x9A, bytes(256), le=256)
    assert command.encode() == bytes.fromhex("002A9E9A000100") + bytes(256) + b"\x01\x00"


@pytest.mark.parametrize(
    "command",
    [
        Command(0x20, 0, 0, bytes(65536)),
        Command(0xB0, 0, 0, le=0),
        Command(0xB0, 0, 0, le=65537),
        Command(0xB0, 0, 0, le=-1),
    ],
)
def test_what_no_length_field_can_say_is_refused(command: Command) -> None:
    with pytest.raises(ValueError, match="out of range"):
        command.encode()


@given(
    data=st.binary(max_size=400),
    le=st.none() | st.integers(1, 65536),
)
def test_the_virtual_cards_own_parser_reads_what_was_encoded(data: bytes, le: int | None) -> None:
    from card.virtual.command import parse

    parsed = parse(bytes(Command(0x2A, 1, 2, data, le=le).encode()))
    assert parsed is not None
    assert (parsed.ins, parsed.p1, parsed.p2, parsed.data) == (0x2A, 1, 2, data)
    assert parsed.ne == (le or 0)


def test_a_pin_stays_out_of_the_repr() -> None:
    command = Command(0x20, 0x00, 0x81, b"Test-123")
    assert "Test" not in repr(command)
    assert "Test" not in repr(Response(b"Test-123", SW.OK))


@given(data=st.binary(max_size=300), sw=st.integers(0x6000, 0x6FFF) | st.integers(0x9000, 0x9FFF))
def test_a_response_is_data_and_status_word(data: bytes, sw: int) -> None:
    response = Response.parse(data + sw.to_bytes(2, "big"))
    assert (response.data, response.sw) == (data, sw)


@pytest.mark.parametrize("answer", [b"", b"\x90", b"\x00\x00", b"data\x12\x34", bytes(65539)])
def test_an_answer_without_a_status_word_is_malformed(answer: bytes) -> None:
    with pytest.raises(CardAnswerMalformed):
        Response.parse(answer)


@pytest.mark.parametrize(
    ("sw", "tries"),
    [
        (0x63C0, 0),
        (0x63C3, 3),
        (0x63CF, 15),
        (0x6983, 0),
        (0x6984, 0),
        (0x9000, None),
        (0x6300, None),
        (0x63D3, None),
        (0x6982, None),
    ],
)
def test_tries_left(sw: int, tries: int | None) -> None:
    assert tries_left(sw) == tries
