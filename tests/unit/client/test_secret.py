"""Secrets in JSON: right, and gone afterwards."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.secret import encode, wipe


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()), st.text())
def test_it_is_the_json_of_its_members(
    plain: dict[str, str], secrets: dict[str, str], name: str
) -> None:
    inner = {**plain, **{key: bytearray(value.encode()) for key, value in secrets.items()}}
    encoded = encode({"first": "1", name: inner})
    assert json.loads(encoded) == {"first": "1", name: {**plain, **secrets}}


def test_the_callers_secret_is_left_to_the_caller() -> None:
    secret = bytearray(b'se"cret')
    encoded = encode({"password": secret})
    assert secret == b'se"cret'
    assert b'se\\"cret' in encoded


def test_wiping_leaves_only_zeros_in_the_same_buffer() -> None:
    buffer = encode({"password": bytearray(b"secret")})
    view = memoryview(buffer)
    wipe(buffer)
    assert bytes(view) == bytes(len(buffer))


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode({"account": "\ud800"})
