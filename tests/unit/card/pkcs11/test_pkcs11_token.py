"""Which slot is the reader's, and which certificate is the one to sign with."""

from __future__ import annotations

import pytest

from card import port
from card.errors import CardDataMissing, CardRemoved, CertificateMalformed, ModuleSeesNoCard
from card.pkcs11 import wire
from card.pkcs11.token import most_telling, signing_certificate, slots_of
from card.port import SlotState
from card.virtual.authority import Authority
from card.virtual.profile import Profile

READER = "ACS ACR39U ICC Reader 00 00"
OTHER = "ACS ACR39U ICC Reader 01 00"


def readers(*filled: str) -> list[port.Slot]:
    return [
        port.Slot(name, SlotState.PRESENT if name in filled else SlotState.EMPTY)
        for name in (READER, OTHER)
    ]


def test_the_slots_with_the_readers_name() -> None:
    """OpenSC lists a slot for every PIN of a card, all with the reader's name."""
    listed = [wire.Slot(0, READER), wire.Slot(1, READER + "   "), wire.Slot(4, OTHER)]
    assert slots_of(READER, readers(READER, OTHER), listed) == [0, 1]


def test_a_name_longer_than_the_field() -> None:
    name = "讀卡機" * 10
    cut = name.encode()[:64].decode(errors="ignore")
    assert slots_of(name, [], [wire.Slot(3, cut)]) == [3]


def test_names_of_the_modules_own_are_taken_for_a_card_that_is_alone() -> None:
    listed = [wire.Slot(7, "Slot A")]
    assert slots_of(READER, readers(READER), listed) == [7]
    assert slots_of(READER, readers(READER, OTHER), listed) == []


def test_a_slot_of_another_reader_is_never_taken() -> None:
    assert slots_of(READER, readers(READER), [wire.Slot(4, OTHER)]) == []


def issued(authority: Authority, toml: str = "") -> bytes:
    return authority.issue(Profile.parse(f'[key]\ntype = "EC"\n{toml}')).certificate


def test_the_holders_signing_certificate_is_chosen(authority: Authority) -> None:
    """As on an HCA card: the CA's, one for encryption, one for signing."""
    signing = wire.Certificate(b"\x01", issued(authority))
    encryption = wire.Certificate(
        b"\x00", issued(authority, "[certificate]\ndigital_signature = false")
    )
    issuing = wire.Certificate(b"\x10", authority.issuing_der)
    assert signing_certificate([issuing, encryption, signing]) == signing
    assert signing_certificate([issuing, encryption]) == encryption  # refused later, by its usage
    with pytest.raises(CardDataMissing):
        signing_certificate([issuing])


def test_a_certificate_that_does_not_parse(authority: Authority) -> None:
    broken = wire.Certificate(b"\x01", issued(authority, "[certificate]\nmalformed = true"))
    with pytest.raises(CertificateMalformed):
        signing_certificate([broken, wire.Certificate(b"\x10", authority.issuing_der)])
    good = wire.Certificate(b"\x02", issued(authority))
    assert signing_certificate([broken, good]) == good


def test_a_certificate_without_an_id_has_no_key(authority: Authority) -> None:
    with pytest.raises(CardDataMissing):
        signing_certificate([wire.Certificate(b"", issued(authority))])


def test_what_is_wrong_with_one_module_is_not_hidden_by_the_next() -> None:
    blind, removed = ModuleSeesNoCard("m", READER), CardRemoved(READER)
    assert most_telling([blind, removed, blind]) is removed
    assert most_telling([blind]) is blind
    assert most_telling([]) is None
