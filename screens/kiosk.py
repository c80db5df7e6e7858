"""The screens that only a kiosk has: a card that was left, is anybody there, the way out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from screens.frame import FramedScreen
from screens.messages import SecretEntered
from screens.prose import Prose
from screens.secret_field import SecretField

if TYPE_CHECKING:
    from card.pin import Pin


class LeftCardScreen(FramedScreen):
    """Stands over everything until the card of the person before is out; says nothing of it."""

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action == "language" and super().check_action(action, parameters)

    def show(self) -> None:
        _ = self.words
        self.frame(_("Please take the card out"), [("F3", _("中文"))])
        self.query_one("#text", Prose).update(
            "\n"
            + _("A card was left in the reader. Take it out; then you can begin.")
            + "\n\n"
            + _("It is not yours? Please hand it to the staff here.")
        )


class CountdownScreen(FramedScreen):
    """Covers what the person left on the screen; the program takes it away at the first key."""

    def __init__(self) -> None:
        super().__init__()
        self._left = (0, False)

    def body(self) -> ComposeResult:
        yield Prose(id="text")

    def count(self, seconds: int, at_most: bool) -> None:
        """`at_most`: whoever is there, so much is left of their turn."""
        if (seconds, at_most) != self._left:
            self._left = seconds, at_most
            if self.ready:
                self.show()

    def show(self) -> None:
        _ = self.words
        seconds, at_most = self._left
        self.frame(
            _("Your time is nearly up") if at_most else _("Is anybody there?"),
            [(_("Any key"), _("Go on"))],
        )
        self.query_one("#text", Prose).update(
            "\n"
            + _("In {seconds} s everything that was typed here is forgotten.", seconds=seconds)
            + "\n\n"
            + _("Press any key to go on where you were.")
        )


class AdministratorScreen(FramedScreen):
    """Asks for the secret that ends the kiosk. It stays here: a wizard below asks for PINs."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False)]

    def __init__(self, opens: Callable[[Pin], bool], pause: Callable[[], float]) -> None:
        """`opens` takes its time, and a secret; `pause` gives the seconds until it looks at one."""
        super().__init__()
        self._opens = opens
        self._pause = pause
        self._wrong = False
        self._waits: Timer | None = None

    def body(self) -> ComposeResult:
        yield Prose(id="ask")
        yield SecretField(id="secret", password=True)
        yield Prose(id="answer")

    def show(self) -> None:
        _ = self.words
        self.frame(_("Administrator"), [("Esc", _("Close")), ("F3", _("中文"))])
        seconds = max(0, math.ceil(self._pause()))
        field = self.query_one(SecretField)
        field.display = not seconds
        if seconds:
            ask = _("Too many wrong ones. Another can be typed in {seconds} s.", seconds=seconds)
            self._waits = self._waits or self.set_timer(1.0, self._look_again)
        else:
            ask = _("The administrator's secret, then Enter:")
            field.focus()
        self.query_one("#ask", Prose).update(f"\n{ask}")
        self.query_one("#answer", Prose).update("!! " + _("That is not it.") if self._wrong else "")

    def _look_again(self) -> None:
        self._waits = None
        self.show()

    async def on_secret_entered(self, event: SecretEntered) -> None:
        event.stop()
        self._wrong = not await asyncio.to_thread(self._opens, event.secret)
        self.show()

    def action_close(self) -> None:
        self.dismiss(None)

    def action_help(self) -> None:
        """Nothing: who needs this knows it."""

    def action_remedy(self) -> None:
        """Nothing: one thing at a time."""

    def action_report(self) -> None:
        """Nothing."""

    def action_doctor(self) -> None:
        """Nothing."""
