"""The way that a person takes to the PIN, key by key, on a real terminal."""

from __future__ import annotations

from parts import ACCOUNT
from terminal import Terminal

from screens.language import Words

HOLDER = "測試員甲"


def to_the_pin(
    screen: Terminal,
    _: Words,
    choice: str = "1",
    *,
    holder: str = HOLDER,
    asks: str = "Your card's PIN, then Enter:",
) -> None:
    """From the welcome screen through components, reader and card, as the manual's steps 1 to 3.

    `choice`: the line of the welcome screen; `asks`: what the PIN step begins with.
    """
    screen.until(_("What would you like to do?"))
    screen.type(choice)
    screen.until(_("Everything is there. Press Enter to go on."))
    screen.press("enter")
    screen.until(_("Your card is there."))
    screen.press("enter")
    screen.until(_("Which category of card is it?"))
    assert screen.shows(holder)
    assert screen.shows("醫事憑證管理中心")
    screen.type("1")
    if choice == "2":
        screen.until(_("Bind it to which account? (your account name)"))
        screen.type(ACCOUNT)
        screen.press("enter")
    screen.until(_(asks))
