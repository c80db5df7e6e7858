"""The PIN field: what goes in, what does not, and that nothing of it comes out again."""

from __future__ import annotations

import asyncio

import pytest
from textual import events
from textual.app import App, ComposeResult

from card.pin import CAPACITY, Pin
from screens.messages import SecretEntered
from screens.secret_field import BURST_SECONDS, Refused, SecretField

MARK = "Zq7-mark"  # stands for a PIN

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FieldApp(App[None]):
    """One field, and what it said."""

    def __init__(self, password: bool = False) -> None:
        super().__init__()
        self.password = password
        self.hints: list[Refused | None] = []
        self.taken: list[Pin] = []

    def compose(self) -> ComposeResult:
        yield SecretField(id="pin", password=self.password)

    def on_secret_field_hint(self, event: SecretField.Hint) -> None:
        self.hints.append(event.why)

    def on_secret_entered(self, event: SecretEntered) -> None:
        self.taken.append(event.secret)

    @property
    def field(self) -> SecretField:
        return self.query_one(SecretField)


async def type_slowly(app: FieldApp, text: str) -> None:
    """One key at a time, with a person's pause between them."""
    for character in text:
        app.field.post_message(events.Key(character, character))
        await asyncio.sleep(BURST_SECONDS * 1.5)


def shown(app: FieldApp) -> str:
    return app.field.render().plain


async def test_typed_characters_show_as_stars_and_leave_as_bytes() -> None:
    app = FieldApp()
    async with app.run_test() as pilot:
        await type_slowly(app, MARK)
        await pilot.pause()
        assert shown(app) == "*" * len(MARK) + "_"
        await pilot.press("enter")
        assert len(app.taken) == 1
        with app.taken[0].spend() as view:
            assert bytes(view) == MARK.encode()
        assert shown(app) == "_"


async def test_backspace_and_ctrl_u() -> None:
    app = FieldApp(password=True)
    async with app.run_test() as pilot:
        await type_slowly(app, "ab密")
        await pilot.press("backspace")
        assert shown(app) == "**_"
        await pilot.press("enter")
        with app.taken[0].spend() as view:
            assert bytes(view) == b"ab", "a whole character went, not one of its bytes"
        await type_slowly(app, "abc")
        await pilot.press("ctrl+u")
        assert not app.field.filled


async def test_enter_on_an_empty_field_sends_nothing() -> None:
    app = FieldApp()
    async with app.run_test() as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert app.taken == []
        assert app.hints == [Refused.EMPTY]


@pytest.mark.parametrize(
    ("character", "why"),
    [("１", Refused.FULL_WIDTH), ("Ａ", Refused.FULL_WIDTH), ("注", Refused.NOT_ASCII)],
)
async def test_full_width_is_refused_not_converted(character: str, why: Refused) -> None:
    app = FieldApp()
    async with app.run_test() as pilot:
        await type_slowly(app, "12")
        await type_slowly(app, character)
        await pilot.pause()
        assert app.hints[-1] is why
        assert not app.field.filled, "what stood there before is gone too: type it anew"


async def test_a_pasted_block_does_not_go_in() -> None:
    app = FieldApp()
    async with app.run_test() as pilot:
        await type_slowly(app, "12")
        app.field.post_message(events.Paste(MARK))
        await pilot.pause()
        assert app.hints[-1] is Refused.PASTED
        assert not app.field.filled


async def test_an_unbracketed_burst_is_a_paste() -> None:
    app = FieldApp()
    async with app.run_test() as pilot:
        for character in MARK:
            app.field.post_message(events.Key(character, character))
        await pilot.pause()
        assert Refused.PASTED in app.hints
        await pilot.press("enter")
        assert app.taken == [] or len(app.taken[0]) < 6, "never a whole PIN out of a burst"


async def test_the_buffer_has_an_end() -> None:
    app = FieldApp()
    async with app.run_test() as pilot:
        for _ in range(CAPACITY):
            app.field._secret.append(0x31)
        await type_slowly(app, "1")
        await pilot.pause()
        assert app.hints[-1] is Refused.FULL


async def test_neither_field_nor_message_shows_it() -> None:
    app = FieldApp()
    async with app.run_test() as pilot:
        await type_slowly(app, MARK)
        await pilot.pause()
        message = SecretEntered(app.field.take())
        for thing in (app.field, message, message.secret, vars(message)):
            assert MARK not in repr(thing)
            assert MARK not in str(thing)


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
async def test_a_password_may_be_pasted(line_end: str) -> None:
    """From a password manager: its one line, as it is; nothing is sent by that."""
    app = FieldApp(password=True)
    async with app.run_test() as pilot:
        await type_slowly(app, "密")
        app.field.post_message(events.Paste(f"Invented-1 \x07密{line_end}second line{line_end}"))
        await pilot.pause()
        assert app.hints[-1] is None
        assert app.taken == []
        await pilot.press("enter")
        with app.taken[0].spend() as view:
            assert bytes(view) == "密Invented-1 密".encode()


async def test_a_password_may_come_in_a_burst() -> None:
    """As a slow line delivers what was typed, or a terminal that does not bracket a paste."""
    app = FieldApp(password=True)
    async with app.run_test() as pilot:
        for character in MARK:
            app.field.post_message(events.Key(character, character))
        await pilot.press("enter")
        with app.taken[0].spend() as view:
            assert bytes(view) == MARK.encode()
