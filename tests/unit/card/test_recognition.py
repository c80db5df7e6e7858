"""Cards told by their answer to reset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.atr import Capabilities, capabilities, historical_bytes
from card.recognition import MARKS, Kind, Mark, applications, by_atr, by_subject_type


def atr_with(historical: bytes) -> bytes:
    """T=1 with two TD bytes, as the cards in question have it."""
    return bytes((0x3B, 0x80 | len(historical), 0x81, 0x31, 0xFE, 0x45)) + historical + b"\x00"


@pytest.mark.parametrize(
    ("atr", "family"),
    [
        ("3BF91800008131FE4550565F4A3244303831B6", Kind.HPC),
        ("3BEE00008131FE4580318066409093060F17830F9000F3", Kind.NHI),
        ("3BFC1800008131FE458073C8211366020403550002D2", Kind.NHI),
        ("3B8B80010031C1640840213000900057", Kind.MOICA),
        ("3B00", None),
        ("", None),
        ("3BF91800008131FE4550565F4A3244303831B7", None),
    ],
)
def test_by_the_whole_atr(atr: str, family: Kind | None) -> None:
    assert by_atr(bytes.fromhex(atr)) is family


@pytest.mark.parametrize(
    ("historical", "family"),
    [
        (b"PVJCOP4SID", Kind.NHI),
        (b"SLJ52Gxxyy", Kind.NHI),
        (b"SLJ52GxxyyyzR", Kind.NHI),
        (b"JCOP21v231GDT", Kind.NHI),
        (b"THCC10TECOGDHN2", Kind.NHI),
        (b"THCC10TECOGDIN1", Kind.NHI),
        (b"CHTMOICA", Kind.MOICA),
        (b"CHTGPKIJ", Kind.MOICA),
        (b"CHTMOICAX", None),
        (b"XCHTMOICA", None),
        (b"JCOP21v231", None),
        (b"", None),
    ],
)
def test_by_historical_bytes(historical: bytes, family: Kind | None) -> None:
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
        ("8073B421C0", Capabilities(short_file_ids=True, extended_length=True)),
        ("8073B42180", Capabilities(short_file_ids=True)),
        ("8073000040", Capabilities(extended_length=True)),
        ("807104", Capabilities(short_file_ids=True)),
        ("80720421", Capabilities(short_file_ids=True)),
        ("0073B421C0009000", Capabilities(True, True)),
        ("8031C073B421C0", Capabilities(True, True)),  # card service data first
        ("8073B421", Capabilities()),  # cut short
        ("4173B421C0", Capabilities()),  # a proprietary category
        ("00009000", Capabilities()),
        ("80", Capabilities()),
        ("", Capabilities()),
    ],
)
def test_capabilities(historical: str, expected: Capabilities) -> None:
    assert capabilities(atr_with(bytes.fromhex(historical))) == expected


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: f"{mark.kind} by {mark.source}")
def test_each_line_of_the_table_is_one_mark_with_its_source(mark: Mark) -> None:
    ways = (mark.atr, mark.historical, mark.application, mark.subject_type)
    assert len([way for way in ways if way]) == 1
    assert mark.source


def test_the_table_knows_every_kind_that_can_be_told_by_a_mark() -> None:
    """The others are what is left: a module's card, none that anything knows, no ATR at all."""
    left = {Kind.OTHER, Kind.UNKNOWN, Kind.MUTE}
    assert {mark.kind for mark in MARKS} == set(Kind) - left


def test_by_application_and_by_subject_type() -> None:
    assert applications(Kind.PKCS15)[0] == b"\xa0\x00\x00\x00\x63PKCS-15"
    assert applications(Kind.PIV) == (bytes.fromhex("A00000030800001000"),)
    assert applications(Kind.NHI) == ()
    assert by_subject_type(bytes.fromhex("6086760164030107")) is Kind.HPC
    assert by_subject_type(bytes.fromhex("6086760164030199")) is by_subject_type(b"") is None
