"""The terminal: is it fit for the full screen, and what must be set right before Textual starts."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from screens.language import N_

if TYPE_CHECKING:
    from textual.app import App

# TERM values whose terminals cannot place a cursor, and the absence of one.
LINE_ONLY = frozenset({"", "dumb", "unknown", "emacs", "cons25"})
CONSOLE_NOTE = N_(
    "This console has no Chinese characters. For Chinese, start kmscon; or start fbterm, and in "
    "it hca-bind --lang zh."
)
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)


def full_screen_possible() -> bool:
    """True when input and output are a terminal that can place a cursor."""
    return (
        sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in LINE_ONLY
    )


def bare_console() -> bool:
    """True on the Linux console, which has no Chinese glyphs and few line characters."""
    return os.environ.get("TERM", "").partition("-")[0] == "linux"


def prepare_environment() -> None:
    """Before Textual is imported: no devtools and debug logs, no animation, no kitty key reports.

    Kitty's all-keys reports lose an input method's text in some terminals (Textual 8.2.7 on). A
    size that some shell exported is not this terminal's, at the latest once its window was resized.
    """
    gc.disable()  # it would find nothing but modules; on again behind the first frame
    for name in [name for name in os.environ if name == "TEXTUAL" or name.startswith("TEXTUAL_")]:
        del os.environ[name]
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    os.environ["TEXTUAL_DISABLE_KITTY_KEY"] = "1"
    os.environ["TEXTUAL_ANIMATIONS"] = "none"


def end_cleanly(app: App[int]) -> None:
    """Make signals end the program with the terminal restored.

    Called on the running event loop. Exit status 128 + n, as shells report a signal.
    """
    if sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, partial(app.exit, None, 128 + number))
