"""What the card port promises, held by every way to a card: the same cases over each of them.

In every one of them the card's own count of the PINs that reached it is asserted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from backends import (
    MESSAGE,
    PIV,
    Backend,
    Embedded,
    EmbeddedPad,
    ThroughOpenSC,
    ThroughPad,
    ThroughPcsc,
    ThroughSoftHsm,
    pin_of,
)
from pad_reader import PadReader, pad_driver, pad_reader
from pcscd import Pcscd

from card.errors import (
    CardDataMissing,
    CardError,
    CardKindRefused,
    CardRemoved,
    CertificateExpired,
    CertificateMalformed,
    ModuleError,
    PinBlocked,
    PinSpent,
    PinTriesChanged,
    PinWrong,
    ReaderHeld,
)
from card.port import Card
from card.signing import signing_key
from card.virtual.authority import Authority

__all__ = ["pad_driver", "pad_reader"]

BACKENDS = (
    "embedded",
    "embedded-piv",
    "embedded-pad",
    "pcsc",
    "pcsc-piv",
    "pad",
    "opensc",
    "softhsm",
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(params=BACKENDS)
def backend(
    request: pytest.FixtureRequest,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Backend]:
    def pcscd() -> Pcscd:
        found: Pcscd = request.getfixturevalue("pcscd")
        return found

    def reader() -> PadReader:
        found: PadReader = request.getfixturevalue("pad_reader")
        return found

    monkeypatch.setenv("OPENSC_CONF", str(tmp_path / "opensc.conf"))
    with ExitStack() as stack:
        make: dict[str, Callable[[], Backend]] = {
            "embedded": lambda: Embedded(authority),
            "embedded-piv": lambda: Embedded(authority, PIV),
            "embedded-pad": lambda: EmbeddedPad(authority),
            "pad": lambda: ThroughPad(authority, stack, reader()),
            "pcsc": lambda: ThroughPcsc(authority, stack, pcscd()),
            "pcsc-piv": lambda: ThroughPcsc(authority, stack, pcscd(), PIV),
            "opensc": lambda: ThroughOpenSC(authority, stack, pcscd()),
            "softhsm": lambda: ThroughSoftHsm(authority, tmp_path, monkeypatch),
        }
        yield make[request.param]()


def signs(backend: Backend, card: Card, tries_shown: int | None) -> None:
    """The right PIN gives a signature under the card's own certificate."""
    signature = backend.sign(card, backend.right, tries_shown)
    assert signature.algorithm == "RS256"
    signing_key(card.certificate.der).signature(signature.value, MESSAGE)


def test_the_right_pin(backend: Backend) -> None:
    backend.insert("")
    with closing(backend.open()) as card:
        assert card.certificate.holder == "測試員甲"
        tries = card.tries_left()
        assert tries == (3 if backend.counts else None)
        assert backend.verifies == 0
        signs(backend, card, tries)
    assert backend.verifies == 1


def test_a_wrong_pin_and_then_the_right_one(backend: Backend) -> None:
    backend.insert("")
    with closing(backend.open()) as card:
        with pytest.raises(PinWrong) as caught:
            backend.sign(card, backend.wrong, card.tries_left())
        assert caught.value.tries_left == (2 if backend.counts else None)
        assert backend.verifies == 1
        signs(backend, card, card.tries_left())
    assert backend.verifies == 2


def test_the_same_pin_is_never_sent_twice(backend: Backend) -> None:
    backend.insert("")
    with closing(backend.open()) as card:
        pin = pin_of(backend.wrong)
        with pytest.raises(PinWrong):
            card.sign(pin, MESSAGE, card.tries_left())
        with pytest.raises(PinSpent):
            card.sign(pin, MESSAGE, card.tries_left())
    assert backend.verifies == 1


def test_the_last_try(backend: Backend) -> None:
    backend.insert("[pin]\ntries_left = 1\n")
    with closing(backend.open()) as card:
        tries = card.tries_left()
        assert tries in ((1,) if backend.counts else (1, None))
        if tries == 1:
            with pytest.raises(PinTriesChanged):
                backend.sign(card, backend.right, 3)
            assert backend.verifies == 0
        signs(backend, card, tries)
    assert backend.verifies == 1


def test_a_blocked_pin(backend: Backend) -> None:
    backend.insert("[pin]\ntries_left = 0\n")
    with closing(backend.open()) as card:
        tries = card.tries_left()
        assert tries in ((0,) if backend.counts else (0, None))
        with pytest.raises(PinBlocked):
            backend.sign(card, backend.right, tries)
    # A module that cannot tell that it is blocked finds out by the one entry.
    assert backend.verifies == (0 if tries == 0 else 1)


def test_removed_between_any_two_commands(backend: Backend) -> None:
    if isinstance(backend, ThroughPad):
        pytest.skip("but for VERIFY they are those of pcsc: see test_removed_while_signing")
    # A module that loses the card while it looks for it may not know that there was one.
    lost = (CardRemoved,) if backend.commands else (CardRemoved, ModuleError, CardDataMissing)
    profile = "" if isinstance(backend, ThroughOpenSC) else '[key]\ntype = "EC"\n'
    number = 1
    while True:
        backend.insert_leaving(profile, number)
        try:
            with closing(backend.open()) as card:
                backend.sign(card, backend.right, card.tries_left())
        except lost:
            assert backend.verifies <= 1
            number += backend.pace
            continue
        break
    # Past the signature only the end of the verified state is left; it may be lost.
    assert number >= 14
    assert backend.verifies == 1


@pytest.mark.parametrize("when", ["VERIFY", "signing"])
def test_removed_while_signing(backend: Backend, when: str) -> None:
    if isinstance(backend, ThroughSoftHsm):
        pytest.skip("a token in a file cannot be pulled out")
    at = when if when == "VERIFY" else backend.signs
    backend.insert(f'[[fault]]\nat = "{at}"\nanswer = "remove"\n')
    with closing(backend.open()) as card, pytest.raises(CardRemoved):
        backend.sign(card, backend.right, None)
    assert backend.verifies == 1


def test_held_by_another_program(backend: Backend) -> None:
    backend.insert("")
    backend.hold()
    if isinstance(backend, ThroughOpenSC):  # a module has no word for it
        with pytest.raises(CardError):
            backend.open()
    else:
        with pytest.raises(ReaderHeld):
            backend.open()
    assert backend.verifies == 0


def test_the_service_restarts_under_an_open_card(backend: Backend) -> None:
    backend.insert("")
    with closing(backend.open()) as card:
        tries = card.tries_left()
        backend.restart()
        if backend.commands:
            with pytest.raises(CardError):
                backend.sign(card, backend.right, tries)
            assert backend.verifies == 0
        else:  # a module that connects anew by itself sends the PIN no more than once either
            signs(backend, card, tries)
            assert backend.verifies == 1
    before = backend.verifies
    with closing(backend.open()) as card:
        signs(backend, card, card.tries_left())
    assert backend.verifies == before + 1


@pytest.mark.parametrize(
    ("profile", "error"),
    [
        ('[certificate]\ncategory = "HOP"\n', CardKindRefused),
        ("[certificate]\nnot_after = -1\n", CertificateExpired),
        ("[certificate]\nmalformed = true\n", CertificateMalformed),
    ],
    ids=["wrong card", "expired", "unparseable"],
)
def test_refused_before_any_pin(backend: Backend, profile: str, error: type[CardError]) -> None:
    backend.insert(profile)
    with pytest.raises(error):
        backend.open()
    assert backend.verifies == 0
