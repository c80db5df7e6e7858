"""Fixtures for the tests that start real daemons."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import Service, service
from pcscd import pcscd, pcscd_home

from card.virtual.authority import Authority

__all__ = ["pcscd", "pcscd_home"]


@pytest.fixture(scope="session")
def authority_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the test CA is kept that the cards and the service of these tests share."""
    folder = tmp_path_factory.mktemp("authority")
    Authority.load_or_create(folder)
    return folder


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, authority_folder: Path) -> Iterator[Service]:
    """One `hca-bind sandbox` for the tests of a module."""
    with service(tmp_path_factory.mktemp("service"), authority_folder) as running:
        yield running
