"""The kiosk's rules without a terminal: when turns end, what secrets cost, which settings do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from textual import events
from textual.geometry import Size

from card.pin import Pin
from card.port import HolderCertificate, PadUse, PinRules, Slot, SlotState, Via
from screens.kiosk import CountdownScreen, LeftCardScreen
from screens.language import Language, Words
from screens.shell import Action
from screens.wizard import CardOnTable, Failure, Step, Wizard, Work
from tui.app import WizardApp
from tui.errors import KioskFileOpen, KioskSettingsInvalid
from tui.kiosk.board import FREE_TRIES, Board
from tui.kiosk.left_card import LeftCards
from tui.kiosk.password import SecretHash
from tui.kiosk.run import word_on
from tui.kiosk.settings import EXAMPLE, read
from tui.kiosk.supervisor import End
from tui.kiosk.turn import Turn

READER = "Reader 00 00"
EMPTY = Slot(READER, SlotState.EMPTY, changes=1)
FILLED = Slot(READER, SlotState.PRESENT, changes=2)
CHEAP = "$scrypt$ln=10,r=8,p=1"


SETTINGS = read(Path("kiosk.toml"), {"service": "https://report.example.invalid"})


class App:
    """What a turn needs of the program: it notes how it was ended, and what it has to show."""

    is_headless = True
    size = Size(80, 24)

    def __init__(self) -> None:
        self.ended: int | None = None
        self.wizard = Wizard()
        self.screen_stack: list[object] = ["the wizard's"]

    @property
    def screen(self) -> object:
        return self.screen_stack[-1]

    def push_screen(self, screen: object) -> None:
        self.screen_stack.append(screen)

    def pop_screen(self) -> None:
        self.screen_stack.pop()

    def exit(self, *, return_code: int) -> None:
        self.ended = return_code


class Person:
    """Presses keys by a clock of the test's own; the turn looks at the time each second."""

    def __init__(self, left: LeftCards | None = None) -> None:
        self.now = 1000.0
        self.app = App()
        self.turn = Turn(SETTINGS, Board(), left or LeftCards(()), lambda: self.now)
        self.turn.attach(cast("WizardApp", self.app))

    def waits(self, seconds: float, step: float = 1.0, key: str | None = None) -> int:
        """Until the turn has ended, at most `seconds`; how many of them went by."""
        start, told = self.now, self.now
        while self.app.ended is None and self.now < start + seconds:
            self.now += step
            if key is not None:
                self.presses(key)
            if self.now >= told + 1:
                told = self.now
                self.turn.tick()
        return round(self.now - start)

    def presses(self, key: str) -> bool:
        """False when the wizard does not see it."""
        return not self.turn.takes(events.Key(key, key))

    @property
    def counted_down(self) -> bool:
        return isinstance(self.app.screen, CountdownScreen)


def turn() -> tuple[Turn, App]:
    person = Person()
    return person.turn, person.app


def card() -> CardOnTable:
    certificate = cast("HolderCertificate", object())
    return CardOnTable(READER, "TEST", certificate, cast("PinRules", object()), Via.PKCS15, 3)


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


# --- the clock -----------------------------------------------------------------------------------


def test_nobody_there_ends_a_turn_and_a_key_goes_on() -> None:
    person = Person()
    assert person.waits(300) == 300, "nobody has begun"
    assert person.presses("1")
    assert person.waits(SETTINGS.idle - SETTINGS.countdown - 1)
    assert not person.counted_down
    person.waits(2)
    assert person.counted_down
    assert not person.presses("x"), "it only says that somebody is there"
    assert not person.counted_down
    assert person.presses("x")
    assert person.waits(300) == SETTINGS.idle
    assert person.app.ended == End.IDLE


@pytest.mark.parametrize("between", [0.01, 0.09])
def test_keys_that_no_hand_presses_do_not_hold_the_end_off(between: float) -> None:
    """A paste without an end, or a book that lies on a key."""
    person = Person()
    assert person.presses("1")
    assert person.waits(3000, between, key="x") <= SETTINGS.idle + 1
    assert person.app.ended == End.IDLE


def test_pasted_blocks_do_not_hold_the_end_off() -> None:
    person = Person()
    person.presses("1")
    while person.app.ended is None:
        person.waits(1)
        person.turn.takes(events.Paste("x"))
    assert person.now - 1000 <= SETTINGS.idle + 1


def test_a_turn_has_a_longest_time_and_says_so_once() -> None:
    person = Person()
    person.presses("1")
    before = SETTINGS.turn - SETTINGS.countdown
    assert person.waits(before - 1, key="x") == before - 1
    assert not person.counted_down
    person.waits(1)
    assert person.counted_down
    person.presses("x")
    assert not person.counted_down
    assert person.waits(300, key="x") == SETTINGS.countdown
    assert person.app.ended == End.TIME_UP


def test_what_is_being_sent_is_waited_for_and_its_receipt_is_shown() -> None:
    person = Person()
    person.presses("1")
    person.waits(SETTINGS.turn - 5, key="x")
    person.app.wizard = SENDING
    person.waits(200)
    assert person.app.ended is None
    person.app.wizard = replace(FORM, step=Step.RECEIPT)
    person.turn.changed(SENDING, person.app.wizard)
    assert person.waits(300) == SETTINGS.receipt
    assert person.app.ended in {End.IDLE, End.TIME_UP}


def test_who_types_at_the_reader_is_there_though_no_key_comes() -> None:
    person = Person()
    person.presses("1")
    person.app.wizard = replace(READ, step=Step.PIN, busy=Work.ENTERING)
    person.waits(SETTINGS.idle + 100)
    assert person.app.ended is None
    assert not person.counted_down
    person.app.wizard = replace(READ, step=Step.PIN)
    assert person.waits(300) == SETTINGS.idle
    assert person.app.ended == End.IDLE


# --- a card from before --------------------------------------------------------------------------


AWAY = Wizard(slots_failure=Failure("pcsc.service.stopped"))
NONE = Wizard(slots_failure=Failure("card.reader.none"))


@pytest.mark.parametrize(
    ("before", "states", "left"),
    [
        ((), [], False),
        ((FILLED,), [], True),
        ((FILLED,), [Wizard()], True),  # not looked yet
        ((FILLED,), [Wizard(slots=(FILLED,))], True),
        ((FILLED,), [Wizard(slots=(replace(FILLED, state=SlotState.HELD),))], True),
        ((FILLED,), [Wizard(slots=(EMPTY,))], False),
        ((FILLED,), [Wizard(slots=(replace(FILLED, changes=4),))], False),  # out, another in
        ((FILLED,), [NONE], False),  # unplugged
        ((FILLED,), [AWAY], False),  # nobody knows; the wizard can do without cards meanwhile
        ((FILLED,), [AWAY, Wizard(slots=(replace(FILLED, changes=1),))], True),
        ((EMPTY,), [Wizard(slots=(FILLED,))], False),  # this person's own
        (None, [], False),
        (None, [Wizard(), Wizard(slots=(FILLED,))], True),
        (None, [AWAY, Wizard(slots=(FILLED,))], True),
        (None, [Wizard(slots=(EMPTY,)), Wizard(slots=(FILLED,))], False),
    ],
)
def test_a_card_from_before_has_to_come_out(
    before: tuple[Slot, ...] | None, states: list[Wizard], left: bool
) -> None:
    cards = LeftCards(before)
    for state in states:
        cards.see(state)
    assert bool(cards) is left


def test_the_cover_waits_for_the_screen_above_it() -> None:
    """The administrator's way out was open when the card was taken out."""
    person = Person(LeftCards((FILLED,)))
    person.turn.changed(Wizard(), Wizard(slots=(FILLED,)))
    assert isinstance(person.app.screen, LeftCardScreen)
    person.app.push_screen("the administrator's")
    person.turn.changed(Wizard(slots=(FILLED,)), Wizard(slots=(EMPTY,)))
    assert len(person.app.screen_stack) == 3
    person.app.pop_screen()
    person.turn.tick()
    assert person.app.screen_stack == ["the wizard's"]


def test_why_a_turn_ended_is_said_where_its_person_did_not_end_it() -> None:
    assert word_on(None) == word_on(End.FINISHED) == word_on(End.CANCELLED) == ""
    assert word_on(-9) == word_on(70) == word_on(128 + 15) != ""
    said = {word_on(end) for end in (End.IDLE, End.TIME_UP, End.CARD_OUT, -9)}
    assert len(said) == 4
    assert all(Words(Language.ZH)(each) != each for each in said), "in both languages"


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
    assert example.pin_pad is PadUse.PREFER


def test_whom_a_kiosk_trusts_is_settled_by_nobody_else(tmp_path: Path) -> None:
    """A CA file that the kiosk's own account could write is as bad as settings that it could."""
    file = tmp_path / "hca.pem"
    file.touch()
    with pytest.raises(KioskFileOpen):
        read(Path("kiosk.toml"), {"service": "https://a.invalid", "anchors": [str(file)]})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("service", None),
        ("service", "http://report.example.invalid"),
        ("actions", []),
        ("actions", ["quit"]),
        ("actions", "register"),
        ("language", "fr"),
        ("pin_pad", "sometimes"),
        ("pin_pad", True),
        ("idle", 1),
        ("idle", True),
        ("idle", "90"),
        ("countdown", 90),
        ("receipt", 0),
        ("turn", 60),
        ("administrator", "letmein"),
        ("anchors", "/etc/hca-bind/hca.pem"),
        ("anchors", [1]),
        ("shell", "/bin/sh"),
    ],
)
def test_a_setting_that_cannot_be_is_named(key: str, value: object) -> None:
    table: dict[str, object] = {"service": "https://report.example.invalid", key: value}
    with pytest.raises(KioskSettingsInvalid) as caught:
        read(Path("kiosk.toml"), {name: each for name, each in table.items() if each is not None})
    assert caught.value.key in {key, "idle"}  # a long countdown leaves no time before it
