"""What a download writes to the terminal, beside curl's own meter."""

from __future__ import annotations

import time

from figure import Figure
from parts import HCA_BIND
from terminal import Terminal
from world import WORDS, World

PROGRESS = 200  # bytes a second at most
SECONDS = 3.0  # of a download, in its middle
SLOW = "50k"  # bytes a second for curl


def _rate(screen: Terminal) -> float:
    """Bytes a second, from now on."""
    before, start = len(screen.written), time.perf_counter()
    time.sleep(SECONDS)
    return (len(screen.written) - before) / (time.perf_counter() - start)


def measure(world: World, runs: int) -> list[Figure]:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(max(2, runs // 7)):
        with world.run(HCA_BIND, "demo", "--scenario", "component-slow") as screen:
            screen.until(WORDS("What would you like to do?"))
            screen.press("1")
            screen.until(WORDS("This can be had from here:"))
            screen.press("enter")
            screen.until("KiB/s")
            ours.append(_rate(screen))
        file = world.home / "file"
        file.write_bytes(bytes(1024 * 1024))
        with world.run(
            *("curl", "--limit-rate", SLOW, "--output", "/dev/null", file.as_uri())
        ) as screen:
            screen.until("Total")
            theirs.append(_rate(screen))
    return [
        Figure(
            "a second of a download",
            "bytes",
            "curl's meter",
            tuple(ours),
            tuple(theirs),
            most=PROGRESS,
        )
    ]
