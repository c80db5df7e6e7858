"""The test CA and the two desks of these tests: one straight at the sandbox, one behind a relay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from behind import behind_relay
from headless import ACCOUNT, PASSWORD, Desk, new_card
from relay import Relay

from card.virtual.authority import Authority
from client.sandbox.server import Sandbox


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("service")
    with Sandbox(folder, trusted_card_roots=[authority.chain_pem]) as sandbox:
        sandbox.seed_account(ACCOUNT, PASSWORD)
        yield Desk(sandbox.database, sandbox.url, sandbox.ca_file, new_card(authority))


@pytest.fixture(scope="module")
def relayed(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[Desk, Relay]]:
    with behind_relay(tmp_path_factory.mktemp("relay"), authority) as both:
        yield both
