"""Profiles: the shipped ones, the defaults, and every way to write one wrongly."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.errors import ProfileInvalid
from card.port import CardCategory
from card.virtual.profile import Fault, Kind, Place, Profile, Trouble


def test_the_shipped_profiles() -> None:
    assert Profile.names() == (
        "blocked",
        "digits",
        "expired",
        "foreign",
        "hop-card",
        "last-try",
        "malformed-certificate",
        "moica-card",
        "mute",
        "nhi-card",
        "not-yet-valid",
        "ok",
        "on-hold",
        "piv",
        "revoked",
        "wrong-pin-history",
    )
    profiles = {name: Profile.named(name) for name in Profile.names()}
    tries = {name: profile.pin.tries_left for name, profile in profiles.items()}
    assert (tries["wrong-pin-history"], tries["last-try"], tries["blocked"]) == (2, 1, 0)
    now = datetime.now(UTC)
    assert profiles["expired"].certificate.validity()[1] < now
    assert profiles["not-yet-valid"].certificate.validity()[0] > now
    not_before, not_after = profiles["ok"].certificate.validity()
    assert not_before < now < not_after
    assert profiles["hop-card"].certificate.category is CardCategory.HOP
    assert profiles["moica-card"].certificate.category is CardCategory.NATURAL_PERSON
    assert profiles["mute"].kind is Kind.MUTE


def test_the_default_profile_writes_out_the_defaults() -> None:
    assert Profile.named("ok") == Profile.parse("") == Profile()


def test_a_whole_profile() -> None:
    profile = Profile.parse(
        """
        kind = "pkcs15"
        serial = "X1"
        [pin]
        value = "1234"
        minimum = 4
        maximum = 4
        tries = 5
        digits_only = true
        [certificate]
        category = "none"
        not_before = 2020-01-31
        not_after = 2021-01-31
        [[fault]]
        at = "READ BINARY"
        answer = "6A82"
        [[fault]]
        at = "#12"
        answer = "remove"
        count = 3
        """
    )
    assert (profile.pin.value, profile.pin.tries, profile.pin.tries_left) == (b"1234", 5, 5)
    assert profile.certificate.category is None
    not_before, not_after = profile.certificate.validity()
    assert (not_before, not_after - not_before) == (
        datetime(2020, 1, 31, tzinfo=UTC),
        timedelta(days=366),
    )
    assert profile.faults == (
        Fault(Place(0xB0), b"\x6a\x82"),
        Fault(Place(number=12), Trouble.REMOVE, count=3),
    )


@pytest.mark.parametrize(
    ("toml", "field"),
    [
        ("kind =", "file"),
        ("kind = 1", "kind"),
        ('kind = "plastic"', "kind"),
        ('colour = "blue"', "colour"),
        ('label = ""', "label"),
        ('serial = "a\\u001b[2J"', "serial"),
        ('atr = "3G"', "atr"),
        ('atr = "3B"', "atr"),
        (f'atr = "{"3B" * 34}"', "atr"),
        ("extended_length = 1", "extended_length"),
        ("response_limit = 0", "response_limit"),
        ("pin = 5", "pin"),
        ("[pin]\nvalue = 123456", "pin.value"),
        ('[pin]\nvalue = "12345"', "pin.value"),
        ('[pin]\nvalue = "Test-1234"', "pin.value"),
        ('[pin]\nvalue = "Test-123"\ndigits_only = true', "pin.value"),
        ("[pin]\ntries = 16", "pin.tries"),
        ("[pin]\ntries = true", "pin.tries"),
        ("[pin]\ntries_left = 4", "pin.tries_left"),
        ("[pin]\nminimum = 9", "pin.minimum"),
        ("[pin]\nlength = 6", "pin.length"),
        ('[key]\ntype = "DSA"', "key.type"),
        ("[key]\nsize = 512", "key.size"),
        ('[certificate]\ncategory = "HPX"', "certificate.category"),
        ('[certificate]\nnot_after = "2030-01-01"', "certificate.not_after"),
        ("[certificate]\nnot_after = 2030-01-01T00:00:00Z", "certificate.not_after"),
        ("[certificate]\nnot_before = 99999999", "certificate.not_before"),
        ("[certificate]\nnot_before = 10\nnot_after = 5", "certificate.not_after"),
        ("fault = 1", "fault"),
        ("fault = [1]", "fault"),
        ('[[fault]]\nanswer = "6F00"', "fault.at"),
        ('[[fault]]\nat = "VERIFY"', "fault.answer"),
        ('[[fault]]\nat = "VERIFIE"\nanswer = "6F00"', "fault.at"),
        ('[[fault]]\nat = "#0"\nanswer = "6F00"', "fault.at"),
        ('[[fault]]\nat = 256\nanswer = "6F00"', "fault.at"),
        ('[[fault]]\nat = 32\nanswer = "explode"', "fault.answer"),
        ('[[fault]]\nat = 32\nanswer = "mute"\ncount = 0', "fault.count"),
        ('[[fault]]\nat = 32\nanswer = "mute"\nwhen = 1', "fault.when"),
    ],
)
def test_a_wrong_profile_names_the_key(toml: str, field: str) -> None:
    with pytest.raises(ProfileInvalid) as caught:
        Profile.parse(toml)
    assert caught.value.field == field


_VALUES = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.integers(-(1 << 63), 1 << 63).map(str),
    st.sampled_from(("2026-01-31", "{}", "[[]]", "nan", '"HPC"', '"#7"', '"6F00"', '"3B00"')),
)
_KEYS = st.sampled_from(
    ("kind", "atr", "label", "pin.tries", "pin.value", "key.size", "certificate.not_after", "fault")
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_any_values_make_a_profile_or_are_refused(values: dict[str, str]) -> None:
    toml = "\n".join(f"{key} = {value}" for key, value in values.items())
    with contextlib.suppress(ProfileInvalid):
        assert isinstance(Profile.parse(toml), Profile)


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "card.toml"
    file.write_text('serial = "X2"', encoding="utf-8")
    assert Profile.load(file).serial == "X2"
    file.write_bytes(b'serial = "\xa4\xa4"')  # Big5
    for path in (file, tmp_path / "none.toml", tmp_path):
        with pytest.raises(ProfileInvalid) as caught:
            Profile.load(path)
        assert caught.value.field == "file"
    for name in ("none", "../profile", ""):
        with pytest.raises(ProfileInvalid):
            Profile.named(name)


def test_a_profile_never_shows_its_pin() -> None:
    assert "Test-123" not in repr(Profile())
