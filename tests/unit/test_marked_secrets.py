"""The search for secrets finds what it looks for: a test of the tests that rely on it."""

from __future__ import annotations

import base64

import pytest
from marked_secrets import leaks

SECRETS = {"PIN": "Mk7zqZw9", "name": "標記姓名"}
DATA = [secret.encode() for secret in SECRETS.values()]
HIDDEN = [
    *SECRETS.values(),
    *(secret[::-1] for secret in SECRETS.values()),
    *(data.hex() for data in DATA),
    *(data.hex().upper() for data in DATA),
    *(data.hex(" ") for data in DATA),
    *(str(list(data)) for data in DATA),
    *(base64.b64encode(b"x" * n + data + b"yz").decode() for data in DATA for n in range(4)),
    *(base64.b64encode(secret.encode("utf-16-le")).decode() for secret in SECRETS.values()),
    *(secret.encode("utf-16-be").hex() for secret in SECRETS.values()),
    ascii("標記姓名"),
    repr("標記姓名".encode("big5")),
    "%E6%A8%99%E8%A8%98%E5%A7%93%E5%90%8D",
]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_hidden_secret_is_found(hidden: str) -> None:
    assert leaks(f"seconds 12 {hidden} card.pin.wrong", SECRETS)


def test_a_text_without_secrets_has_none() -> None:
    assert (
        leaks("[ OK ]  3 Card library: pyscard 2.3.1 (12 ms)\ncard.pin.wrong 測試", SECRETS) == []
    )
