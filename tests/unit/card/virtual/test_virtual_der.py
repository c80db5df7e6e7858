"""DER against X.690's own examples and against a decoder written the other way round."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.virtual import der


@given(st.binary(max_size=70_000))
def test_length_is_definite_and_shortest(value: bytes) -> None:
    encoded = der.octets(value)
    if len(value) < 0x80:
        size, header = encoded[1], 2
    else:
        count = encoded[1] & 0x7F
        size, header = int.from_bytes(encoded[2 : 2 + count], "big"), 2 + count
        assert encoded[2] != 0
    assert (encoded[0], size, encoded[header:]) == (0x04, len(value), value)


@given(st.integers(min_value=0, max_value=1 << 2048))
def test_integer_is_positive_and_shortest(value: int) -> None:
    content = der.integer(value)[2:] if value < 1 << 1000 else None
    if content is None:
        assert der.integer(value)[0] == 0x02
        return
    assert int.from_bytes(content, "big", signed=True) == value
    assert len(content) == 1 or content[0] or content[1] & 0x80


@pytest.mark.parametrize(
    ("dotted", "encoded"),
    [
        ("2.999.3", "0603883703"),  # X.690 §8.19.5
        ("1.2.840.113549.1.1.1", "06092A864886F70D010101"),
        ("2.16.886.1.100.2.1", "0607608676016402" + "01"),
    ],
)
def test_object_identifier(dotted: str, encoded: str) -> None:
    assert der.oid(dotted) == bytes.fromhex(encoded)


@pytest.mark.parametrize(
    ("numbers", "encoded"),
    [((), "030100"), ((0,), "03020780"), ((2,), "03020520"), ((1, 9), "0303064040")],
)
def test_named_bits_drop_trailing_zeros(numbers: tuple[int, ...], encoded: str) -> None:
    assert der.named_bits(*numbers) == bytes.fromhex(encoded)
