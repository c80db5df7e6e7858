"""One invented authority and one card of its, for all tests of what is said about it."""

from __future__ import annotations

import pytest
from cryptography import x509
from status_answers import Ca


@pytest.fixture(scope="session")
def ca() -> Ca:
    return Ca()


@pytest.fixture(scope="session")
def leaf(ca: Ca) -> x509.Certificate:
    return ca.issue()
