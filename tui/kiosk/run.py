"""`hca-bind kiosk`, and what an administrator needs to set one up."""

from __future__ import annotations

import os
import sys
import syslog
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from screens.language import N_, Language, Words
from tui.errors import Cancelled, TerminalUnfit
from tui.kiosk.board import Board
from tui.kiosk.process import seal, start_scrubbed
from tui.kiosk.settings import KioskSettings, load
from tui.kiosk.supervisor import End, Supervisor
from tui.kiosk.tty import Tty
from tui.terminal import bare_console, full_screen_possible, prepare_environment

if TYPE_CHECKING:
    from tui.app import WizardApp

CONSOLE_NOTE = N_("(This console has no Chinese characters. An administrator can set up kmscon.)")
# For who comes back to a first screen: why the last turn ended. No word where its person ended it.
ENDED = {
    End.FINISHED: "",
    End.CANCELLED: "",
    End.IDLE: N_("The last turn ended because nobody pressed a key. What was typed is forgotten."),
    End.TIME_UP: N_("The last turn ended because its time was up. What was typed is forgotten."),
    End.CARD_OUT: N_(
        "The last turn ended when its card was taken out. What was typed is forgotten."
    ),
}
RESTARTED = N_("The program had to start anew. What was typed before is forgotten.")
SIGN_OUT_SECONDS = 3.0  # for a turn's last calls to card and service
TERM = "TERM"


def kiosk(path: Path) -> int:
    """Run the kiosk on this terminal until an administrator ends it; its exit status.

    Raises TerminalUnfit, and what reading the settings raises.
    """
    start_scrubbed()
    settings = load(path)
    if not full_screen_possible():
        raise TerminalUnfit
    seal(os.environ.get(TERM, ""), settings.pcsc_socket)
    prepare_environment()
    import card.pcsc  # noqa: F401 - once, here: each turn then begins at once
    import tui.app  # noqa: F401 - likewise

    board = Board()
    return Supervisor(partial(_turn, settings, board), board, Tty(sys.stdin.fileno())).run()


def _turn(settings: KioskSettings, board: Board, before: int | None) -> int:
    """One person's wizard, in a process of its own; its exit status. `before`: the last one's."""
    sys.excepthook = lambda *_: None  # a traceback is for nobody here
    threading.excepthook = lambda _: None
    from tui.engine import Engine

    app = wizard(settings, board, before)
    app.run(mouse=False)
    if app.unexpected is not None:
        syslog.syslog(syslog.LOG_ERR, f"a turn met a {app.unexpected}")
    if isinstance(app.engine, Engine):
        app.engine.let_go(SIGN_OUT_SECONDS)
    return app.return_code or 0


def wizard(settings: KioskSettings, board: Board, before: int | None) -> WizardApp:
    """The program for one person, who may wonder how the turn before ended."""
    from tui.app import WizardApp
    from tui.backends import RealBackends, SupplyOptions
    from tui.kiosk.left_card import LeftCards, look
    from tui.kiosk.turn import Turn
    from tui.policy import Policy

    bare = bare_console()
    backends = RealBackends(
        settings.service,
        settings.ca,
        supply=SupplyOptions(install=False),
        pads=settings.pin_pad,
        anchors=settings.anchors,
    )
    return WizardApp(
        backends,
        Language.EN if bare else settings.language,
        ascii_lines=bare,
        notes=(word_on(before), CONSOLE_NOTE if bare else ""),
        bilingual=not bare,
        policy=Policy(settings.actions, Turn(settings, board, LeftCards(look(backends.readers)))),
    )


def word_on(before: int | None) -> str:
    """The message id of what the first screen says of the turn before; "" where that is nothing."""
    if before is None:
        return ""
    return ENDED[End(before)] if before in [*ENDED] else RESTARTED


def password(words: Words, say: Callable[[str], object]) -> int:
    """Ask for a new administrator's secret twice and print the line for the settings."""
    from tui.kiosk.password import SecretHash
    from tui.prompt import Terminal

    _ = words
    terminal = Terminal()
    made = SecretHash.of(terminal.ask_secret(_("New secret of the administrator:"), False))
    if not made.matches(terminal.ask_secret(_("Once more:"), False)):
        terminal.say(_("The two are not the same."))
        raise Cancelled
    say(f'administrator = "{made}"')
    return 0


def install(words: Words, say: Callable[[str], object], path: Path) -> int:
    """Print a systemd unit for this program; 1 when it could not run as it is.

    What systemd has against it goes to standard error, and what the account cannot run.
    """
    from tui.kiosk.unit import complaints, out_of_reach, unit

    _ = words
    text = unit(path)
    say(text.rstrip("\n"))
    found = complaints(text) or []
    if file := out_of_reach():
        found.append(
            _(
                "The kiosk's account cannot run {path}: install hca-bind where everybody can.",
                path=file,
            )
        )
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0
