"""Fixtures for the tests of the wizard without a terminal."""

import pytest
from person import authority_folder

__all__ = ["authority_folder"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Textual runs on asyncio."""
    return "asyncio"
