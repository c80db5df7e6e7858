"""The TLV reader: what it accepts, and that nothing makes it fail in another way than its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import tlv
from card.errors import CardDataMalformed
from card.virtual import der


@given(st.lists(st.tuples(st.integers(1, 0x1E), st.binary(max_size=300)), max_size=20))
def test_what_was_encoded_is_read(items: list[tuple[int, bytes]]) -> None:
    encoded = b"".join(der.tlv(tag, value) for tag, value in items)
    found = tlv.parse(encoded, "EF")
    assert [(item.tag, item.value) for item in found] == items
    assert b"".join(item.encoded for item in found) == encoded


@given(
    st.lists(st.tuples(st.integers(1, 0x1E), st.binary(max_size=40)), max_size=5),
    st.text("\x00\xff", max_size=40),
)
def test_padding_behind_the_last_object_is_ignored(
    items: list[tuple[int, bytes]], padding: str
) -> None:
    encoded = b"".join(der.tlv(tag, value) for tag, value in items)
    padded = encoded + padding.encode("latin-1")
    assert tlv.parse(padded, "EF") == tlv.parse(encoded, "EF")


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_malformed(data: bytes) -> None:
    try:
        found = tlv.parse(data, "EF")
    except CardDataMalformed:
        return
    assert sum(len(item.encoded) for item in found) <= len(data)


@given(st.binary(min_size=1, max_size=200), st.integers(0, 200))
def test_missing_says_how_much_a_cut_object_lacks(value: bytes, cut: int) -> None:
    whole = der.tlv(0x30, value)
    part = whole[: min(cut, len(whole))]
    lacks = tlv.missing(part, "EF", single=True)
    if len(part) == len(whole):
        assert lacks == 0
    elif part:
        assert lacks is not None
        assert 1 <= lacks <= len(whole) - len(part)
    else:
        assert lacks is None


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("3000", b""),
        ("30810100", b"\0"),  # longer than it must be, as some cards write it
        ("3082000100", b"\0"),
        ("308300000100", b"\0"),
    ],
)
def test_lengths(data: str, value: bytes) -> None:
    assert tlv.parse(bytes.fromhex(data), "EF")[0].value == value


def test_tags_of_two_and_three_bytes() -> None:
    found = tlv.parse(bytes.fromhex("5F200141"), "EF")
    assert found[0].tag == 0x5F20
    assert tlv.parse(bytes.fromhex("1F814201AA"), "EF")[0].tag == 0x1F8142


@pytest.mark.parametrize(
    "data",
    [
        "30",  # no length
        "3001",  # no value
        "3080 0000",  # indefinite
        "3085 0000000001 00",  # a length of five bytes
        "30840000000100",  # of four
        "3083010000",  # more than 65,535 bytes
        "30FF",
        "1F",
        "1F8181810100",  # a tag of four bytes
        "300000 3000",  # an object behind padding
        "3000FF01",
    ],
)
def test_malformed(data: str) -> None:
    with pytest.raises(CardDataMalformed):
        tlv.parse(bytes.fromhex(data), "EF")


def test_a_level_has_an_end() -> None:
    with pytest.raises(CardDataMalformed):
        tlv.parse(b"\x30\x00" * 257, "EF")


def test_a_thousand_levels_are_read_one_at_a_time() -> None:
    nested = b""
    for _ in range(1000):
        nested = der.sequence(nested)
    assert len(tlv.parse(nested, "EF")) == 1


@given(st.sets(st.integers(0, 62)))
def test_named_bits(bits: set[int]) -> None:
    encoded = tlv.parse(der.named_bits(*bits), "EF")[0]
    assert tlv.named_bits(encoded.value, "EF") == bits


@pytest.mark.parametrize("value", [b"", b"\x08\x00", b"\x01", bytes(10)])
def test_malformed_bits(value: bytes) -> None:
    with pytest.raises(CardDataMalformed):
        tlv.named_bits(value, "EF")


@given(st.integers(0, 0x7FFFFFFF))
def test_integers(number: int) -> None:
    assert tlv.integer(tlv.parse(der.integer(number), "EF")[0].value, "EF") == number


@pytest.mark.parametrize("value", [b"", bytes(5)])
def test_malformed_integers(value: bytes) -> None:
    with pytest.raises(CardDataMalformed):
        tlv.integer(value, "EF")
