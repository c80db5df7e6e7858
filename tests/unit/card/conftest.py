"""One test CA for all unit tests of cards, and cards of its making in a scripted reader."""

from __future__ import annotations

import pytest
from scripted import MakeScripted, ScriptedReaders

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture
def make_scripted(authority: Authority) -> MakeScripted:
    """A virtual card from TOML, in a reader whose answers a test may replace; EC keys are quick."""
    return lambda toml='[key]\ntype = "EC"\n': ScriptedReaders(
        VirtualCard(Profile.parse(toml), authority)
    )
