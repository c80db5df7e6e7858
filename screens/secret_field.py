"""A field for a PIN or a password, over a wiped buffer instead of a string.

Textual's password Input keeps its value as str, puts it into messages and copies it to the
clipboard (also by OSC 52 to the far end of an SSH line), so it cannot be used here.
"""

from __future__ import annotations

import unicodedata
from enum import Enum
from time import monotonic
from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from card.pin import Pin
from screens.messages import SecretEntered

BURST_SECONDS = 0.03  # characters closer together than this were not typed one by one
BURST_LENGTH = 6  # as many in one burst are a pasted block, not fingers on a slow line


class Refused(Enum):
    """Why a key or a block did not go in."""

    FULL_WIDTH = "full-width"  # １２３ from an input method
    NOT_ASCII = "not-ascii"
    PASTED = "pasted"
    FULL = "full"
    EMPTY = "empty"  # Enter, and nothing to send


class SecretField(Widget, can_focus=True):
    """Shows one `*` a character. Nothing is copied, echoed, logged or carried in a repr."""

    DEFAULT_CSS = "SecretField { height: 1; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "enter", show=False),
        Binding("backspace,ctrl+h", "backspace", show=False),
        Binding("ctrl+u", "clear", show=False),
    ]

    class Hint(Message):
        """Something was not taken; None when the last hint no longer holds."""

        def __init__(self, why: Refused | None) -> None:
            self.why = why
            super().__init__()

    def __init__(self, id: str | None = None, password: bool = False, submits: bool = True) -> None:
        """`submits`: Enter hands the buffer over; otherwise Enter is the screen's.

        `password`: any characters, and they may be pasted, as a password manager does it
        (NIST SP 800-63B §5.1.1.2). A PIN is typed: a wrong block would cost a try.
        """
        super().__init__(id=id)
        self._submits = submits
        self._secret = Pin()
        self._shown = 0
        self._password = password
        self._last_key = 0.0
        self._burst = 0

    @property
    def filled(self) -> bool:
        return self._shown > 0

    def render(self) -> Content:
        cursor = Content.styled("_", "bold") if self.has_focus else Content("")
        return Content("*" * min(self._shown, max(1, self.size.width - 2))) + cursor

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_unmount(self) -> None:
        self._secret.wipe()

    def clear(self) -> None:
        """Wipe what was typed."""
        self._secret.wipe()
        self._shown = 0
        self.refresh()

    def take(self) -> Pin:
        """Hand the buffer over, to be spent and wiped by its taker; the field starts anew."""
        secret, self._secret = self._secret, Pin()
        self._shown = 0
        self.refresh()
        return secret

    def on_key(self, event: events.Key) -> None:
        character = event.character
        if character is None or not event.is_printable:
            return
        event.stop()
        event.prevent_default()
        self._add(character)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        if not self._password:
            self.clear()
            self.post_message(self.Hint(Refused.PASTED))
            return
        for character in "".join(event.text.splitlines()[:1]):  # terminals send \r for \n
            if character.isprintable():
                self._add(character)

    def _add(self, character: str) -> None:
        if why := self._refusal(character):
            if why is not Refused.FULL:
                self.clear()
            self.post_message(self.Hint(why))
            return
        for byte in character.encode():
            self._secret.append(byte)
        self._shown += 1
        self.post_message(self.Hint(None))
        self.refresh()

    def _refusal(self, character: str) -> Refused | None:
        fits = self._secret.room >= len(character.encode())
        if self._password:
            return None if fits else Refused.FULL
        now = monotonic()
        self._burst = self._burst + 1 if now - self._last_key < BURST_SECONDS else 1
        self._last_key = now
        if self._burst >= BURST_LENGTH:
            return Refused.PASTED
        if not character.isascii():
            wide = unicodedata.east_asian_width(character) == "F"
            return Refused.FULL_WIDTH if wide else Refused.NOT_ASCII
        return None if fits else Refused.FULL

    def copy_into(self, target: bytearray) -> None:
        """Append the bytes to `target`, whose owner wipes it."""
        self._secret.copy_into(target)

    def action_enter(self) -> None:
        if not self._submits:
            raise SkipAction
        if self.filled:
            self.post_message(SecretEntered(self.take()))
        else:
            self.post_message(self.Hint(Refused.EMPTY))

    def action_backspace(self) -> None:
        if self._shown:
            self._secret.backspace()
            self._shown -= 1
            self.refresh()

    def action_clear(self) -> None:
        self.clear()
