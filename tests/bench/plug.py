"""How soon a session shows that a reader was plugged in or pulled out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from figure import Figure
from pcscd import DEADLINE
from smartcard import scard
from terminal import Terminal
from usb_port import pcscd_with_a_port
from waiting import NOTICED
from world import WORDS, World, quiet

from card.pcsc import PNP
from screens.troubleshooting.remedy import words_for

AGAIN = 10  # ms; between looking and waiting pcsc-lite before 2.4 may lose a notice
BLOCKED = 0.2  # seconds until the other client waits; what it is told does not depend on it


def _told(context: int, *, there: bool) -> float:
    """When PC/SC tells a client that only waits that there is a reader, or none any more."""
    end = time.monotonic() + DEADLINE
    while bool(scard.SCardListReaders(context, [])[1]) is not there:
        assert time.monotonic() < end, "PC/SC tells of no change"
        scard.SCardGetStatusChange(context, AGAIN, [(PNP, scard.SCARD_STATE_UNAWARE)])
    return time.perf_counter()


def measure(world: World, runs: int) -> list[Figure]:
    """From that client's notice to the screen, beside what PC/SC itself needs for it."""
    if not world.pcscd.private:
        print("plug: left out, no mount namespace can be made here", file=sys.stderr)
        return []
    none = words_for("card.reader.none", {}, WORDS).title
    insert = WORDS("Insert your card into the reader, chip first.")
    to_screen: dict[bool, list[float]] = {True: [], False: []}
    to_notice: dict[bool, list[float]] = {True: [], False: []}

    def timed(
        screen: Terminal, context: int, shown: str, change: Callable[[], None], *, there: bool
    ) -> None:
        quiet(screen)
        with ThreadPoolExecutor() as beside:
            client = beside.submit(_told, context, there=there)
            time.sleep(BLOCKED)
            start = time.perf_counter()
            change()
            screen.until(shown)
            told = client.result()
        to_screen[there].append(max(0.0, screen.arrived - told))
        to_notice[there].append(told - start)

    try:
        with pcscd_with_a_port(world.pcscd, world.home / "usb") as port:
            _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
            port.plug()
            with world.wizard_at_the_readers() as screen:
                for _ in range(runs):
                    timed(screen, context, none, port.unplug, there=False)
                    timed(screen, context, insert, port.plug, there=True)
            scard.SCardReleaseContext(context)
    finally:
        world.pcscd.start()
    return [
        Figure(
            f"reader's {what} noticed, to the screen",
            "s",
            f"reader {done}, to PC/SC's notice",
            tuple(to_screen[there]),
            tuple(to_notice[there]),
            most=NOTICED,
        )
        for there, what, done in (
            (True, "arrival", "plugged in"),
            (False, "leaving", "pulled out"),
        )
    ]
