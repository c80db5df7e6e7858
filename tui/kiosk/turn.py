"""One person's turn: when it ends by itself, and who else may end it.

It begins when no card of somebody else's lies in a reader. It ends when nobody presses a key for a
while, counted down on the screen at last; when it has lasted as long as one may; when the card that
was read is taken out; and when the wizard is back at its first screen.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events
from textual.geometry import Size

from screens.kiosk import AdministratorScreen, CountdownScreen, LeftCardScreen
from screens.wizard import Step, Wizard, Work
from tui.kiosk.left_card import LeftCards, unknown
from tui.kiosk.supervisor import HELD, End

if TYPE_CHECKING:
    from card.pin import Pin
    from card.port import Slot
    from tui.app import WizardApp
    from tui.kiosk.board import Board
    from tui.kiosk.settings import KioskSettings

SENDING = frozenset({Work.REGISTERING, Work.BINDING})
WAITED_FOR = SENDING | {Work.ENTERING}  # somebody is there, though no key comes from here
ENDING_SECONDS = 5.0  # from the end of a turn to the end of its process, sign-out included
UNTOUCHED_SECONDS = 600.0  # a first screen that may only seem untouched: a paste without its end
# Keys that come closer together are a key held down, a paste or a machine: hands rest now and then.
REST_SECONDS = 0.2
ADMINISTRATOR_KEY = "ctrl+right_square_bracket"


class Turn:
    """Watches a wizard's keys and states; ends the program for it."""

    def __init__(
        self,
        settings: KioskSettings,
        board: Board,
        left: LeftCards,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._left = left
        self._board = board
        self._clock = clock
        self._began = clock()
        self._last_key: float | None = None  # by somebody's hand; None: nobody has begun
        self._last_byte = -math.inf  # by whatever
        self._ends = math.inf  # the latest end, from the first key on
        self._warned = False  # of that end
        self._counted: CountdownScreen | None = None
        self._read: Slot | None = None  # where this person's card lies, as it was when it was read
        self._taken = False  # while a binding is under way

    def over(self, status: int) -> None:
        """The program ends: give its threads and the driver a moment, and no more."""
        timer = threading.Timer(ENDING_SECONDS, os._exit, (status,))
        timer.daemon = True
        timer.start()

    def attach(self, app: WizardApp) -> None:
        """Before the program runs, and before any other method here."""
        self._app = app

    def begin(self) -> None:
        """On the running event loop, after Textual's own signal handlers were set."""
        if not self._app.is_headless:
            for number in HELD:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        self._app.set_interval(1.0, self.tick)
        self._cover()
        self._app.engine.watch_readers()

    # --- keys ---

    def takes(self, event: events.Event) -> bool:
        """True for what the wizard shall not see."""
        if isinstance(event, events.MouseEvent):
            return True
        if isinstance(event, events.Resize):
            return event.size != self._size()
        if not isinstance(event, (events.Key, events.Paste)):
            return False
        if not self._left:
            self._count_key(isinstance(event, events.Key))
            if self._counting:
                if self._last_key == self._last_byte:
                    self._stop_counting()
                return True
        if isinstance(event, events.Key) and event.key == ADMINISTRATOR_KEY:
            if self._settings.administrator and not isinstance(
                self._app.screen, AdministratorScreen
            ):
                self._app.push_screen(AdministratorScreen(self._opens, lambda: self._board.pause))
            return True
        return False

    def _count_key(self, one_key: bool) -> None:
        """Somebody is there, unless keys come as no hand presses them; see REST_SECONDS."""
        now = self._clock()
        if self._last_key is None:
            self._last_key, self._ends = now, now + self._settings.turn
        elif one_key and now - self._last_byte >= REST_SECONDS:
            self._last_key = now
        self._last_byte = now

    def _size(self) -> Size:
        """The kernel's word on the terminal's size; what a keyboard can send may say anything."""
        if self._app.is_headless:
            return self._app.size
        try:
            columns, lines = os.get_terminal_size(sys.__stdin__.fileno() if sys.__stdin__ else 0)
        except OSError:
            return self._app.size
        return Size(columns, lines) if columns and lines else self._app.size

    @property
    def _counting(self) -> bool:
        return self._counted is not None and self._counted in self._app.screen_stack

    def _stop_counting(self) -> None:
        if self._counted is not None and self._app.screen is self._counted:
            self._app.pop_screen()
        self._counted = None

    # --- time ---

    def tick(self) -> None:
        """Each second: a sign of life, and how long nobody has pressed a key."""
        self._board.beat()
        self._cover()
        if (size := self._size()) != self._app.size:
            self._app.post_message(events.Resize(size, size))
        if self._last_key is None:
            if self._clock() - self._began > UNTOUCHED_SECONDS:
                self._end(End.FINISHED)
            return
        now = self._clock()
        if self._app.wizard.busy in WAITED_FOR:
            self._last_key = now
            return
        receipt = self._app.wizard.step is Step.RECEIPT
        limit = self._settings.receipt if receipt else self._settings.idle
        unused, rest = self._last_key + limit - now, self._ends - now
        if min(unused, rest) <= 0:
            self._end(End.IDLE if unused <= 0 else End.TIME_UP)
        elif unused <= self._settings.countdown:
            self._count_down(unused, at_most=False)
        elif rest <= self._settings.countdown and (self._counting or not self._warned):
            self._warned = True  # once: what is left of the time is the person's
            self._count_down(rest, at_most=True)

    def _count_down(self, left: float, at_most: bool) -> None:
        """`at_most`: the turn has lasted long enough, whoever is there."""
        if not self._counting or self._counted is None:
            self._counted = CountdownScreen()
            self._app.push_screen(self._counted)
        self._counted.count(math.ceil(left), at_most)

    # --- the card ---

    def changed(self, old: Wizard, new: Wizard) -> bool:
        """True when this state ends the turn, so that it need not be shown any more."""
        self._left.see(new)
        self._cover()
        if new.step is Step.WELCOME and old.step is not Step.WELCOME:
            return self._end(End.FINISHED)
        if new.step is not old.step and old.busy is not None and self._last_key is not None:
            self._last_key = self._clock()  # what was waited for is there
            if new.step is Step.RECEIPT:
                self._ends = max(self._ends, self._last_key + self._settings.receipt)
        if new.card is not None and new.card is not old.card:
            self._read = _slot(new, new.card.reader)
            self._taken = False
        elif self._card_out(new) and not self._card_out(old):
            self._taken = True
        if self._taken and new.busy not in SENDING:
            if new.step is Step.RECEIPT and old.busy in SENDING:
                self._taken = (
                    False  # pulled early, but it is done: the receipt is shown for a while
                )
            else:
                return self._end(End.CARD_OUT)
        return False

    def _card_out(self, wizard: Wizard) -> bool:
        """The card that was read is not there any more, or was away in between."""
        if self._read is None or unknown(wizard):
            return False
        now = _slot(wizard, self._read.reader)
        return now is None or not now.filled or now.changes != self._read.changes

    def _cover(self) -> None:
        """Nothing but a request to take the card out, while one lies there from before."""
        if not self._left:
            if isinstance(self._app.screen, LeftCardScreen):  # else the administrator's is above it
                self._app.pop_screen()
        elif not any(isinstance(each, LeftCardScreen) for each in self._app.screen_stack):
            self._app.push_screen(LeftCardScreen())

    # --- the administrator ---

    def _opens(self, secret: Pin) -> bool:
        """On a worker thread. A right secret ends the kiosk, a wrong one costs time."""
        stored = self._settings.administrator
        if stored is None or self._board.pause > 0:
            secret.wipe()
            return False
        if stored.matches(secret):
            self._app.call_from_thread(self._end, End.ADMINISTRATOR)
            return True
        self._board.failed()
        return False

    def _end(self, end: End) -> bool:
        self._app.exit(return_code=end)
        return True


def _slot(wizard: Wizard, reader: str) -> Slot | None:
    return next((slot for slot in wizard.slots if slot.reader == reader), None)
