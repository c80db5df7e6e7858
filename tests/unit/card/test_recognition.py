"""Cards told by their answer to reset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.atr import Capabilities, capabilities, historical_bytes
from card.recognition import Family, by_atr


def atr_with(historical: bytes) -> bytes:
    """T=1 with two TD bytes, as the cards in question have it."""
    return bytes((0x3B, 0x80 | len(historical), 0x81, 0x31, 0xFE, 0x45)) + historical + b"\x00"


@pytest.mark.parametrize(
    ("atr", "family"),
    [
        ("3BF91800008131FE4550565F4A3244303831B6", Family.HPC),
        ("3BEE00008131FE4580318066409093060F17830F9000F3", Family.NHI),
        ("3BFC1800008131FE458073C8211366020403550002D2", Family.NHI),
        ("3B8B80010031C1640840213000900057", Family.MOICA),
        ("3B00", None),
        ("", None),
        ("3BF91800008131FE4550565F4A3244303831B7", None),
    ],
)
def test_by_the_whole_atr(atr: str, family: Family | None) -> None:
    assert by_atr(bytes.fromhex(atr)) is family


@pytest.mark.parametrize(
    ("historical", "family"),
    [
        (b"PVJCOP4SID", Family.NHI),
        (b"SLJ52Gxxyy", Family.NHI),
        (b"SLJ52GxxyyyzR", Family.NHI),
        (b"JCOP21v231GDT", Family.NHI),
        (b"THCC10TECOGDHN2", Family.NHI),
        (b"THCC10TECOGDIN1", Family.NHI),
        (b"CHTMOICA", Family.MOICA),
        (b"CHTGPKIJ", Family.MOICA),
        (b"CHTMOICAX", None),
        (b"XCHTMOICA", None),
        (b"JCOP21v231", None),
        (b"", None),
    ],
)
def test_by_historical_bytes(historical: bytes, family: Family | None) -> None:
    assert by_atr(atr_with(historical)) is family


@given(st.binary(max_size=40))
def test_any_bytes_are_an_atr(atr: bytes) -> None:
    assert len(historical_bytes(atr)) <= 15
    assert isinstance(capabilities(atr), Capabilities)
    by_atr(atr)


@given(st.binary(max_size=15))
def test_historical_bytes_behind_interface_bytes(historical: bytes) -> None:
    assert historical_bytes(atr_with(historical)) == historical
    assert historical_bytes(bytes((0x3B, len(historical))) + historical) == historical


@pytest.mark.parametrize(
    ("historical", "expected"),
    [
        ("8073B421C0", Capabilities(short_file_ids=True, chaining=True, extended_length=True)),
        ("8073B42180", Capabilities(short_file_ids=True, chaining=True)),
        ("8073000040", Capabilities(extended_length=True)),
        ("807104", Capabilities(short_file_ids=True)),
        ("80720421", Capabilities(short_file_ids=True)),
        ("0073B421C0009000", Capabilities(True, True, True)),
        ("8031C073B421C0", Capabilities(True, True, True)),  # card service data first
        ("8073B421", Capabilities()),  # cut short
        ("4173B421C0", Capabilities()),  # a proprietary category
        ("00009000", Capabilities()),
        ("80", Capabilities()),
        ("", Capabilities()),
    ],
)
def test_capabilities(historical: str, expected: Capabilities) -> None:
    assert capabilities(atr_with(bytes.fromhex(historical))) == expected
