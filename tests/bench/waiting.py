"""What a session costs while its person looks for the card, and how soon it sees the card."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from statistics import mean

from figure import Figure
from parts import card_in_reader
from terminal import Terminal
from world import BARE, BARE_NAME, WORDS, World, cpu_seconds, each, frame, memory, quiet

from card.pcsc import PcscReaders
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

MINUTE = 60.0
MANY = 30  # sessions side by side
HOST = 16 * 1024  # MiB
ONE_TIMES, MANY_TIMES = 1.35, 1.25  # of the bare app's memory, at most
SCREEN = 0.150  # seconds at most, from PC/SC's notice of a card to the screen
NOTICED = 0.300  # seconds at most, from a service that is back to the screen
CALM = 2.0  # seconds after which nothing of the way to the reader screen runs any more


def _bare(world: World) -> Terminal:
    screen = world.run(*BARE)
    frame(screen, "bare")
    return screen


def _quiet_one(start: Terminal) -> Terminal:
    quiet(start, CALM)
    return start


def minute(world: World, _runs: int) -> list[Figure]:
    """One minute of both at once, so that both have the same neighbours; not repeated."""
    with world.wizard_at_the_readers() as ours, _bare(world) as theirs:
        screens = [_quiet_one(ours), _quiet_one(theirs)]
        cpu = [cpu_seconds(screen.process.pid) for screen in screens]
        written = [len(screen.written) for screen in screens]
        time.sleep(MINUTE)
        share = [
            100 * (cpu_seconds(screen.process.pid) - before) / MINUTE
            for screen, before in zip(screens, cpu, strict=True)
        ]
        sent = [
            len(screen.written) - before for screen, before in zip(screens, written, strict=True)
        ]
    return [
        Figure("a minute of waiting", "bytes", BARE_NAME, (sent[0],), (sent[1],), most=0),
        Figure(
            "CPU while waiting",
            "% of a core",
            BARE_NAME,
            (share[0],),
            (share[1],),
            most_times=1.0,
        ),
    ]


def memories(world: World, runs: int) -> list[Figure]:
    """The proportional set of one session, and of each of many, waiting for a card."""
    starts: tuple[Callable[[], Terminal], ...] = (
        world.wizard_at_the_readers,
        partial(_bare, world),
    )
    alone: tuple[list[float], list[float]] = ([], [])
    for _ in range(max(2, runs // 5)):
        for start, sizes in zip(starts, alone, strict=True):
            with _quiet_one(start()) as screen:
                sizes.append(memory(screen.process.pid, "Pss"))
    many: list[list[float]] = []
    for start in starts:
        with ExitStack() as stack:
            screens = [stack.enter_context(start()) for _ in range(MANY)]
            quiet(screens[-1], CALM)
            many.append(each(screens, "Pss"))
    return [
        Figure(
            "memory of one session",
            "MiB",
            BARE_NAME,
            tuple(alone[0]),
            tuple(alone[1]),
            most_times=ONE_TIMES,
        ),
        Figure(
            f"memory of each of {MANY} sessions",
            "MiB",
            BARE_NAME,
            tuple(many[0]),
            tuple(many[1]),
            most_times=MANY_TIMES,
        ),
        Figure(
            "sessions that fit in 16 GiB",
            "sessions",
            BARE_NAME,
            (HOST // mean(many[0]),),
            (HOST // mean(many[1]),),
        ),
    ]


def insertion(world: World, runs: int) -> list[Figure]:
    """A card goes in and out: when PC/SC tells a bare client of it, and when the screen shows it.

    PC/SC's own part is not ours: pcscd asks a virtual reader, as many real ones, a few times a
    second. So the screen's clock starts when another client, that only waits, has been told.
    """
    card = VirtualCard(Profile.named("ok"), Authority.load_or_create(world.authority))
    inserted: tuple[list[float], list[float]] = ([], [])
    removed: tuple[list[float], list[float]] = ([], [])
    readers = PcscReaders()

    def timed(screen: Terminal, shown: str, change: Callable[[], object]) -> tuple[float, float]:
        """From PC/SC's notice to the screen, and from the change to the notice."""
        quiet(screen)
        told: list[float] = []

        def wait() -> None:
            readers.wait(readers.slots())
            told.append(time.perf_counter())

        client = threading.Thread(target=wait)
        client.start()
        time.sleep(0.2)  # until it blocks; what it is told does not depend on it
        start = time.perf_counter()
        change()
        screen.until(WORDS(shown))
        client.join()
        return max(0.0, screen.arrived - told[-1]), told[-1] - start

    def note(figures: tuple[list[float], list[float]], seconds: tuple[float, float]) -> None:
        figures[0].append(seconds[0])
        figures[1].append(seconds[1])

    try:
        with world.wizard_at_the_readers() as screen:
            for _ in range(runs):
                lying = card_in_reader(world.pcscd, card)
                note(inserted, timed(screen, "Your card is there.", lying.__enter__))
                out = partial(lying.__exit__, None, None, None)
                note(removed, timed(screen, "Insert your card into the reader, chip first.", out))
    finally:
        readers.close()
    return [
        Figure(
            "card noticed, to the screen",
            "s",
            "card inserted, to PC/SC's notice",
            tuple(inserted[0]),
            tuple(inserted[1]),
            most=SCREEN,
        ),
        Figure(
            "its removal noticed, to the screen",
            "s",
            "card removed, to PC/SC's notice",
            tuple(removed[0]),
            tuple(removed[1]),
            most=SCREEN,
        ),
        _service_back(world, min(runs, 5)),
    ]


def _service_back(world: World, runs: int) -> Figure:
    """pcscd ends and starts again under the reader screen: from its first answer to the readers."""
    waiting = WORDS("Insert your card into the reader, chip first.")
    to_screen: list[float] = []
    restart: list[float] = []
    with world.wizard_at_the_readers() as screen:
        for _ in range(runs):
            world.pcscd.stop()
            screen.until(lambda: not screen.shows(waiting))
            quiet(screen)
            start = time.perf_counter()
            with ThreadPoolExecutor() as beside:
                asking = beside.submit(_answered, world)
                world.pcscd.start()
                answered = asking.result()
            screen.until(waiting)
            to_screen.append(max(0.0, screen.arrived - answered))
            restart.append(answered - start)
    return Figure(
        "pcscd answers again, to the screen",
        "s",
        "pcscd started, to its first answer",
        tuple(to_screen),
        tuple(restart),
        most=NOTICED,
    )


def _answered(world: World) -> float:
    """When the daemon's socket first takes a connection."""
    while True:
        with socket.socket(socket.AF_UNIX) as line:
            if line.connect_ex(str(world.pcscd.socket)) == 0:
                return time.perf_counter()
        time.sleep(0.001)
