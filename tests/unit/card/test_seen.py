"""Cards that were seen before: known where they lie, known when they come back, never mistaken."""

from __future__ import annotations

import pytest
from scripted import READER, MakeScripted, ScriptedReaders, pin_of

from card.errors import CertificateExpired, PinBlocked, PinTriesChanged, PinWrong
from card.opening import open_card
from card.port import Card
from card.seen import Seen
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

EC = '[key]\ntype = "EC"\n'
MESSAGE = b"m" * 64
SIGNING = [0xA4, 0x20, 0x20, 0x22, 0x2A, 0xA4]  # SELECT, tries, VERIFY, MSE, PSO, SELECT
RIGHT, WRONG = b"Test-123", b"wrong-99"


def sent(readers: ScriptedReaders, since: int) -> list[int]:
    return [command[1] for command in readers.commands[since:]]


def bound(readers: ScriptedReaders, seen: Seen) -> Card:
    """A card that lies still in its reader and has signed once in this run."""
    readers.stay = "since nine o'clock"
    card = open_card(readers, READER, seen=seen)
    card.sign(pin_of(RIGHT), MESSAGE, card.tries_left())
    card.close()
    return card


# --- where it lies --------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])
def test_the_next_binding_takes_six_commands(make_scripted: MakeScripted, times: int) -> None:
    readers, seen = make_scripted(), Seen()
    first = bound(readers, seen)
    for _ in range(times):
        before = len(readers.commands)
        again = open_card(readers, READER, seen=seen)
        assert (again.certificate, again.pin_rules) == (first.certificate, first.pin_rules)
        assert again.tries_left() == 3
        assert sent(readers, before) == []  # the card's word from before the right PIN
        again.sign(pin_of(RIGHT), MESSAGE, 3)
        assert sent(readers, before) == SIGNING
    assert readers.verifies == 1 + times


def test_piv_too_is_not_read_anew(make_scripted: MakeScripted) -> None:
    readers, seen = make_scripted('kind = "piv"\n[pin]\nvalue = "123456"\n'), Seen()
    readers.stay = 1
    card = open_card(readers, READER, seen=seen)
    card.sign(pin_of(b"123456"), MESSAGE, card.tries_left())
    before = len(readers.commands)
    again = open_card(readers, READER, seen=seen)
    assert again.certificate == card.certificate
    again.sign(pin_of(b"123456"), MESSAGE, again.tries_left())
    # SELECT, tries, VERIFY, GENERAL AUTHENTICATE and its rest, the end of what was verified
    assert sent(readers, before) == [0xA4, 0x20, 0x20, 0x87, 0xC0, 0x20]


def test_a_card_that_was_moved_is_looked_at(make_scripted: MakeScripted) -> None:
    readers, seen = make_scripted(), Seen()
    bound(readers, seen)
    for moved in ("since ten o'clock", None):
        readers.stay = moved
        before = len(readers.commands)
        open_card(readers, READER, seen=seen)
        assert sent(readers, before) == [0xA4, 0xA4, 0xB0, 0x20]


def test_where_nobody_counts_every_card_is_looked_at(make_scripted: MakeScripted) -> None:
    readers, seen = make_scripted(), Seen()
    for _ in range(2):
        before = len(readers.commands)
        open_card(readers, READER, seen=seen)
        assert len(readers.commands) > before


def test_tries_that_another_program_spent_meanwhile_stop_the_pin(
    make_scripted: MakeScripted,
) -> None:
    readers, seen = make_scripted(), Seen()
    bound(readers, seen)
    readers.card.tries_left = 1
    again = open_card(readers, READER, seen=seen)
    with pytest.raises(PinTriesChanged) as caught:
        again.sign(pin_of(RIGHT), MESSAGE, again.tries_left())
    assert (caught.value.shown, caught.value.tries_left) == (3, 1)
    assert readers.verifies == 1
    assert again.tries_left() == 1  # asked


@pytest.mark.parametrize("few", [1, 2])
def test_few_tries_are_not_remembered_beyond_the_right_pin(
    make_scripted: MakeScripted, few: int
) -> None:
    """The right PIN gave them all back; to warn of the last one would be a false alarm."""
    readers, seen = make_scripted(f"[pin]\ntries_left = {few}\n"), Seen()
    bound(readers, seen)
    before = len(readers.commands)
    assert open_card(readers, READER, seen=seen).tries_left() == 3
    assert sent(readers, before) == [0xA4, 0x20]


def test_a_blocked_card_is_asked_again(make_scripted: MakeScripted) -> None:
    """It may have been unblocked elsewhere while it lay there."""
    readers, seen = make_scripted("[pin]\ntries_left = 1\n"), Seen()
    readers.stay = 1
    card = open_card(readers, READER, seen=seen)
    with pytest.raises(PinBlocked):
        card.sign(pin_of(WRONG), MESSAGE, card.tries_left())
    readers.card.tries_left = 3
    assert open_card(readers, READER, seen=seen).tries_left() == 3


def test_a_reader_without_extended_length_is_remembered(make_scripted: MakeScripted) -> None:
    """After VERIFY it is too late to find out: the signature would fail and the PIN be wasted."""
    readers, seen = make_scripted("[key]\nsize = 3072\n"), Seen()
    readers.script = lambda _n, c: b"\x67\x00" if len(c) > 5 and not c[4] else None
    for stay in (1, 1, 2):
        readers.stay = stay
        card = open_card(readers, READER, seen=seen)
        assert card.sign(pin_of(RIGHT), MESSAGE, card.tries_left()).algorithm == "RS256"


# --- when it comes back ---------------------------------------------------------------------------


def test_a_card_that_comes_back_is_not_read_anew(make_scripted: MakeScripted) -> None:
    readers = make_scripted()
    seen = Seen()
    first = open_card(readers, READER, seen=seen)
    read = len(readers.commands)
    readers.card.reset()
    again = open_card(readers, READER, seen=seen)
    # SELECT, SELECT and the end of the certificate, the tries
    assert [c[1] for c in readers.commands[read:]] == [0xA4, 0xA4, 0xB0, 0x20]
    assert again.certificate == first.certificate
    assert again.sign(pin_of(b"Test-123"), MESSAGE, again.tries_left()).algorithm == "ES256"
    signing = [0xA4, 0x20, 0x20, 0x22, 0x2A, 0xA4]
    assert [c[1] for c in readers.commands[read + 4 :]] == signing
    seen = Seen()
    before = len(readers.commands)
    open_card(readers, READER, seen=seen)
    assert len(readers.commands) - before == read


def test_another_card_is_never_taken_for_one_that_was_seen(make_scripted: MakeScripted) -> None:
    seen = Seen()
    for serial, holder in (("TEST01", "測試員甲"), ("TEST02", "測試員乙")):
        toml = f'serial = "{serial}"\n[certificate]\nholder = "{holder}"\n{EC}'
        assert open_card(make_scripted(toml), READER, seen=seen).certificate.holder == holder


def test_one_serial_number_on_two_cards_shows_nobody_else_s_name(
    make_scripted: MakeScripted,
) -> None:
    seen = Seen()
    cards = [
        make_scripted(f'serial = "TEST01"\n[certificate]\nholder = "{holder}"\n{EC}')
        for holder in ("測試員甲", "測試員乙")
    ]
    counts = []
    for readers, holder in zip([*cards, *cards], ["測試員甲", "測試員乙"] * 2, strict=True):
        readers.card.reset()
        before = len(readers.commands)
        assert open_card(readers, READER, seen=seen).certificate.holder == holder
        counts.append(len(readers.commands) - before)
    # The second card's certificate is read once; each is known when it comes back.
    assert counts == [9, 10, 5, 4]


@pytest.mark.parametrize(("extended", "budget"), [("true", 16), ("false", 19)])
def test_a_second_card_of_the_same_make_stays_within_the_budget(
    authority: Authority, extended: str, budget: int
) -> None:
    seen = Seen()
    for _ in range(2):
        profile = Profile.parse(f"extended_length = {extended}")
        readers = ScriptedReaders(VirtualCard(profile, authority))
        card = open_card(readers, READER, seen=seen)
        card.sign(pin_of(b"Test-123"), MESSAGE, card.tries_left())
        assert len(readers.commands) <= budget


def test_a_certificate_that_was_renewed_is_read_anew(make_scripted: MakeScripted) -> None:
    seen = Seen()
    toml = "[certificate]\nnot_after = -1\n" + EC
    with pytest.raises(CertificateExpired):
        open_card(make_scripted(toml), READER, seen=seen)
    assert open_card(make_scripted(), READER, seen=seen).certificate.holder == "測試員甲"


def test_after_a_wrong_pin_a_binding_takes_six_commands(make_scripted: MakeScripted) -> None:
    """The tries stand in the answer to VERIFY; they are asked again before the next one."""
    readers = make_scripted()
    card = open_card(readers, READER)
    with pytest.raises(PinWrong):
        card.sign(pin_of(b"wrong-99"), MESSAGE, card.tries_left())
    before = len(readers.commands)
    card.sign(pin_of(b"Test-123"), MESSAGE, card.tries_left())
    assert [c[1] for c in readers.commands[before:]] == [0xA4, 0x20, 0x20, 0x22, 0x2A, 0xA4]
    assert card.tries_left() == 3  # asked: after the right one no more than two were certain
    assert [c[1] for c in readers.commands[before + 6 :]] == [0xA4, 0x20]
    assert readers.verifies == 2
