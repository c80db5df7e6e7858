"""The kiosk's rules without a terminal: when turns end, what secrets cost, which settings do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from card.pin import Pin
from card.port import HolderCertificate, PinRules, Slot, SlotState
from screens.language import Language
from screens.shell import Action
from screens.wizard import CardOnTable, Failure, Step, Wizard, Work
from tui.app import WizardApp
from tui.errors import KioskSettingsInvalid
from tui.kiosk.board import FREE_TRIES, Board
from tui.kiosk.password import SecretHash
from tui.kiosk.settings import EXAMPLE, KioskSettings, read
from tui.kiosk.supervisor import End
from tui.kiosk.turn import Turn

READER = "Reader 00 00"
EMPTY = Slot(READER, SlotState.EMPTY, changes=1)
FILLED = Slot(READER, SlotState.PRESENT, changes=2)
CHEAP = "$scrypt$ln=10,r=8,p=1"


class App:
    """What a turn needs of the program: it notes how it was ended."""

    is_headless = True

    def __init__(self) -> None:
        self.ended: int | None = None

    def exit(self, *, return_code: int) -> None:
        self.ended = return_code


def turn() -> tuple[Turn, App]:
    made, app = Turn(cast("KioskSettings", None), Board()), App()
    made.attach(cast("WizardApp", app))
    return made, app


def card() -> CardOnTable:
    certificate = cast("HolderCertificate", object())
    return CardOnTable(READER, "TEST", certificate, cast("PinRules", object()), 3)


CHOOSING = Wizard(step=Step.READER, slots=(FILLED,), reader=READER)
READ = replace(CHOOSING, step=Step.CARD, card=card())
FORM = replace(READ, step=Step.FORM)
SENDING = replace(FORM, busy=Work.REGISTERING)


def out(wizard: Wizard) -> Wizard:
    return replace(wizard, slots=(EMPTY,))


@pytest.mark.parametrize(
    ("states", "end"),
    [
        ([CHOOSING, out(CHOOSING)], None),  # no card was read yet
        ([CHOOSING, READ, FORM], None),
        ([CHOOSING, READ, out(READ)], End.CARD_OUT),
        ([CHOOSING, READ, FORM, out(FORM)], End.CARD_OUT),
        ([CHOOSING, READ, FORM, replace(FORM, slots=())], End.CARD_OUT),  # with its reader
        (  # out and in again between two looks
            [CHOOSING, READ, FORM, replace(FORM, slots=(replace(FILLED, changes=4),))],
            End.CARD_OUT,
        ),
        (  # nobody knows while the service is away
            [
                CHOOSING,
                READ,
                FORM,
                replace(FORM, slots=(), slots_failure=Failure("pcsc.service.stopped")),
                FORM,
            ],
            None,
        ),
        ([CHOOSING, READ, FORM, SENDING, out(SENDING)], None),  # its outcome is waited for
        ([CHOOSING, READ, FORM, SENDING, out(SENDING), out(FORM)], End.CARD_OUT),
        (
            [
                CHOOSING,
                READ,
                FORM,
                SENDING,
                out(SENDING),
                out(replace(FORM, step=Step.RECEIPT)),
            ],
            None,  # the receipt stays for its time
        ),
        (
            [
                CHOOSING,
                READ,
                FORM,
                SENDING,
                replace(FORM, step=Step.RECEIPT),
                out(replace(FORM, step=Step.RECEIPT)),
            ],
            End.CARD_OUT,
        ),
        ([CHOOSING, READ, Wizard(slots=(FILLED,))], End.FINISHED),  # back at the first screen
    ],
)
def test_a_turn_ends_with_its_card(states: list[Wizard], end: End | None) -> None:
    watch, app = turn()
    for old, new in zip([Wizard(), *states], states, strict=False):
        watch.changed(old, new)
    assert app.ended == end


def test_wrong_secrets_cost_more_and_more_time() -> None:
    board = Board()
    pauses = []
    for _ in range(12):
        board.failed()
        pauses.append(round(board.pause))
    assert pauses[:FREE_TRIES] == [0] * FREE_TRIES
    assert pauses[FREE_TRIES:] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600]
    board.beat()
    assert board.silence < 5
    assert round(board.pause) == 600, "a sign of life does not shorten it"


def secret(text: str) -> Pin:
    typed = Pin()
    for byte in text.encode():
        typed.append(byte)
    return typed


def test_a_secrets_hash_is_written_and_read() -> None:
    made = SecretHash.of(secret("管理 secret"))
    again = SecretHash.parse(str(made))
    assert again == made
    assert str(SecretHash.of(secret("管理 secret"))) != str(made), "each has its own salt"
    typed = secret("管理 secret")
    assert again.matches(typed)
    assert len(typed) == 0, "it is wiped"
    assert not again.matches(secret("管理 Secret"))


def test_rfc_7914s_vector() -> None:
    """RFC 7914 §12, the third one."""
    known = SecretHash.parse(
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
        "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofL"
        "VQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"
    )
    assert known.matches(secret("pleaseletmein"))
    assert not known.matches(secret("pleaseletmeout"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "$scrypt$ln=30,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43,  # would take all memory
        f"{CHEAP}$c2FsdHNhbHQ$AAAA",  # too short to mean anything
        f"{CHEAP}$c2FsdHNhbHQ",
    ],
)
def test_what_is_no_hash_of_ours(text: str) -> None:
    with pytest.raises(ValueError, match=r"scrypt|range"):
        SecretHash.parse(text)


def test_the_example_is_what_the_settings_are_when_left_out() -> None:
    import tomllib

    example = read(Path("kiosk.toml"), tomllib.loads(EXAMPLE))
    assert example == read(Path("kiosk.toml"), {"service": example.service})
    assert example.actions == frozenset(Action)
    assert (example.language, example.administrator) == (Language.ZH, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("service", None),
        ("service", "http://report.example.invalid"),
        ("actions", []),
        ("actions", ["quit"]),
        ("actions", "register"),
        ("language", "fr"),
        ("idle", 1),
        ("idle", True),
        ("idle", "90"),
        ("countdown", 90),
        ("receipt", 0),
        ("administrator", "letmein"),
        ("shell", "/bin/sh"),
    ],
)
def test_a_setting_that_cannot_be_is_named(key: str, value: object) -> None:
    table: dict[str, object] = {"service": "https://report.example.invalid", key: value}
    with pytest.raises(KioskSettingsInvalid) as caught:
        read(Path("kiosk.toml"), {name: each for name, each in table.items() if each is not None})
    assert caught.value.key in {key, "idle"}  # a long countdown leaves no time before it
