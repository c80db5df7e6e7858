"""A sandbox behind a relay, which can break or rewrite each of its answers."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headless import ACCOUNT, PASSWORD, Desk, new_card
from raw_server import identity
from relay import Relay

from card.virtual.authority import Authority
from client.sandbox.server import Sandbox


class Behind(Sandbox):
    """A sandbox that people reach at another address than its own."""

    public = ""

    @property
    def url(self) -> str:
        return self.public


@contextmanager
def behind_relay(folder: Path, authority: Authority) -> Iterator[tuple[Desk, Relay]]:
    """A sandbox that is reached through a relay, and a desk set to that."""
    folder.mkdir(exist_ok=True)
    server = identity(folder)
    with Relay(server.context) as relay:
        sandbox = Behind(folder / "service", trusted_card_roots=[authority.chain_pem])
        sandbox.public = relay.url
        with sandbox:
            relay.target = sandbox._port
            relay.onwards = ssl.create_default_context(cafile=str(sandbox.ca_file))
            sandbox.seed_account(ACCOUNT, PASSWORD)
            yield Desk(sandbox.database, relay.url, server.ca_file, new_card(authority)), relay
