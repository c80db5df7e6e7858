"""The test CA and the two desks of these tests: one straight at the sandbox, one behind a relay."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from headless import ACCOUNT, PASSWORD, Desk, new_card
from raw_server import identity
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


class Behind(Sandbox):
    """A sandbox that people reach at another address than its own."""

    public = ""

    @property
    def url(self) -> str:
        return self.public


@pytest.fixture(scope="module")
def relayed(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[Desk, Relay]]:
    folder: Path = tmp_path_factory.mktemp("relay")
    server = identity(folder)
    with Relay(server.context) as relay:
        sandbox = Behind(folder / "service", trusted_card_roots=[authority.chain_pem])
        sandbox.public = relay.url
        with sandbox:
            relay.target = sandbox._port
            relay.onwards = ssl.create_default_context(cafile=str(sandbox.ca_file))
            sandbox.seed_account(ACCOUNT, PASSWORD)
            yield Desk(sandbox.database, relay.url, server.ca_file, new_card(authority)), relay
