"""Every PC/SC return code has its error, while connecting and while a card is in use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.errors import CardError
from card.pcsc_codes import Code, failure

READER = "Virtual PCD 00 00"


@pytest.mark.parametrize(
    ("status", "connecting", "in_use"),
    [
        (0x8010001D, "pcsc.service.missing", "pcsc.service.missing"),
        (0x8010001E, "pcsc.service.stopped", "pcsc.service.stopped"),
        (0x8010006A, "pcsc.service.denied", "pcsc.service.stopped"),
        (0x80100003, "pcsc.failed", "pcsc.service.stopped"),
        (0x80100013, "pcsc.failed", "pcsc.service.stopped"),
        (0x80100009, "card.reader.unknown", "card.reader.gone"),
        (0x80100017, "card.reader.gone", "card.reader.gone"),
        (0x80100011, "pcsc.failed", "card.reader.gone"),
        (0x8010000B, "card.reader.held", "card.reader.held"),
        (0x8010000C, "card.absent", "card.removed"),
        (0x80100069, "card.absent", "card.removed"),
        (0x80100066, "card.mute", "card.mute"),
        (0x80100067, "card.mute", "card.mute"),
        (0x80100068, "card.reset", "card.reset"),
        (0x80100002, "card.cancelled", "card.cancelled"),
        (0x8010000A, "pcsc.failed", "pcsc.failed"),
        (0x8010000F, "pcsc.failed", "pcsc.failed"),
        (0x80100010, "pcsc.failed", "pcsc.failed"),
        (0x8010001F, "pcsc.failed", "pcsc.failed"),
    ],
)
def test_codes(status: int, connecting: str, in_use: str) -> None:
    assert failure(status, READER).code == connecting
    assert failure(status, READER, in_use=True).code == in_use


def test_every_named_code_but_success_is_an_error() -> None:
    for code in Code:
        if code is not Code.OK:
            assert isinstance(failure(code, READER), CardError)


@given(st.integers(1, 0xFFFFFFFF), st.booleans())
def test_an_unknown_code_keeps_its_number(status: int, in_use: bool) -> None:
    error = failure(status, READER, in_use)
    assert error.facts() in ({}, {"reader": READER}, {"status": status})
    if status not in set(Code):
        assert error.facts() == {"status": status}


def test_the_numbers_are_pcscs_own() -> None:
    scard = pytest.importorskip("smartcard.scard")
    names = {
        Code.NO_SERVICE: "SCARD_E_NO_SERVICE",
        Code.SERVICE_STOPPED: "SCARD_E_SERVICE_STOPPED",
        Code.SECURITY_VIOLATION: "SCARD_W_SECURITY_VIOLATION",
        Code.SHARING_VIOLATION: "SCARD_E_SHARING_VIOLATION",
        Code.UNKNOWN_READER: "SCARD_E_UNKNOWN_READER",
        Code.READER_UNAVAILABLE: "SCARD_E_READER_UNAVAILABLE",
        Code.NO_READERS: "SCARD_E_NO_READERS_AVAILABLE",
        Code.NO_SMARTCARD: "SCARD_E_NO_SMARTCARD",
        Code.REMOVED_CARD: "SCARD_W_REMOVED_CARD",
        Code.RESET_CARD: "SCARD_W_RESET_CARD",
        Code.UNRESPONSIVE_CARD: "SCARD_W_UNRESPONSIVE_CARD",
        Code.UNPOWERED_CARD: "SCARD_W_UNPOWERED_CARD",
        Code.NOT_TRANSACTED: "SCARD_E_NOT_TRANSACTED",
        Code.CANCELLED: "SCARD_E_CANCELLED",
        Code.TIMEOUT: "SCARD_E_TIMEOUT",
        Code.INVALID_HANDLE: "SCARD_E_INVALID_HANDLE",
        Code.INVALID_VALUE: "SCARD_E_INVALID_VALUE",
        Code.COMM_ERROR: "SCARD_F_COMM_ERROR",
        Code.INTERNAL_ERROR: "SCARD_F_INTERNAL_ERROR",
        Code.INVALID_PARAMETER: "SCARD_E_INVALID_PARAMETER",
        Code.UNSUPPORTED_FEATURE: "SCARD_E_UNSUPPORTED_FEATURE",
        Code.OK: "SCARD_S_SUCCESS",
    }
    assert set(names) == set(Code)
    for code, name in names.items():
        assert getattr(scard, name) & 0xFFFFFFFF == code
