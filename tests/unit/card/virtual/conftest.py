"""One test CA for all unit tests of the virtual card: its two keys take a while to make."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

MakeCard = Callable[[str], VirtualCard]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture
def make_card(authority: Authority) -> MakeCard:
    """A card from TOML, under the session's CA."""
    return lambda toml: VirtualCard(Profile.parse(toml), authority)
