"""Linux's own console, without a Chinese glyph: what the wizard sends there, byte by byte."""

from __future__ import annotations

import os
import re

from parts import HCA_BIND, PIN
from terminal import Terminal
from test_binding import FORM

from screens.language import Language, Words

_ = Words(Language.EN)
CONSOLE = {**os.environ, "TERM": "linux", "LANG": "C.UTF-8"}
SGR = re.compile(rb"\x1b\[([0-9;]*)m")
ATTRIBUTES = {0, 1, 2, 4, 7, 22, 24, 27, 39, 49}  # of console_codes(4)
EIGHT_COLOURS = {*range(30, 38), *range(40, 48)}


def console(*words: str) -> Terminal:
    return Terminal([HCA_BIND, "demo", *words], CONSOLE)


def fit_for_the_console(sent: bytes) -> None:
    """No byte that it would draw as a block, no colour that it has not."""
    assert sent.isascii(), re.findall(rb".{20}[\x80-\xff]+", sent)
    used = {int(each or 0) for found in SGR.findall(sent) for each in found.split(b";")}
    assert used <= ATTRIBUTES | EIGHT_COLOURS


def test_a_binding_on_the_bare_console() -> None:
    """English, in ASCII, and no offer of a language that it cannot draw."""
    with console() as screen:
        screen.until(_("What would you like to do?"))
        assert screen.shows("kmscon")
        assert screen.shows("fbterm")
        screen.press("f3")  # does nothing here
        screen.press("1")
        screen.until(_("Everything is there. Press Enter to go on."))
        screen.press("f1")
        screen.until("Help: Check")
        screen.press("esc")
        screen.until(_("Everything is there. Press Enter to go on."))
        screen.press("enter")
        screen.until(_("Your card is there."))
        screen.press("enter")
        screen.until(_("Which category of card is it?"))
        assert screen.shows("????????"), "the holder's name, which no glyph is there for"
        screen.press("1")
        screen.until(_("Your card's PIN, then Enter:"))
        screen.type("Wrong-99")
        screen.press("enter")
        screen.until(_("What to do"))
        screen.press("f2")
        screen.until(_("Close"))
        screen.press("esc")
        screen.until(_("Your card's PIN, then Enter:"))
        screen.type(PIN)
        screen.press("enter")
        screen.until(_("You may take the card out now."))
        screen.press("enter")
        screen.until(_("Your account application. * must be filled in."))
        for text in FORM:
            screen.type(text)
            screen.type("\t")
        screen.type(" ")
        screen.press("ctrl+s")
        screen.until(_("Keep the receipt's number. You can now sign in with this card."))
        screen.press("f10")
        assert screen.ends() == 0
    fit_for_the_console(bytes(screen.written))


def test_a_trouble_on_the_bare_console() -> None:
    """Its texts quote Chinese words; they are drawn as what they are here, unreadable."""
    with console("--scenario", "no-reader") as screen:
        screen.until(_("What would you like to do?"))
        screen.press("1")
        screen.until(_("Everything is there. Press Enter to go on."))
        screen.press("enter")
        screen.until("[2 Reader]")
        screen.press("f2")
        screen.until(_("Close"))
        screen.press("esc")
        screen.until("[2 Reader]")
        screen.press("f10")
        screen.until(_("Leave?"))
        screen.press("enter")
        assert screen.ends() == 4
    fit_for_the_console(bytes(screen.written))


def test_chinese_is_there_for_who_asks_for_it() -> None:
    """In fbterm, which calls itself linux too, but draws every glyph."""
    with console("--lang", "zh") as screen:
        screen.until(Words(Language.ZH)("What would you like to do?"))
        assert not screen.shows("kmscon")
        assert "─" not in screen.text
