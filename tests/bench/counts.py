"""How many APDUs and round trips to the PC/SC service a binding costs, from screen to receipt.

A round trip is what is felt when pcscd sits on a thin client behind a slow line: each time that
the program waits for an answer of pcscd's. Reading the certificate, verifying and signing are in
it, and all that the wizard asks while it waits for reader and card.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import binding
from apdus import opensc_environment
from figure import Figure
from parts import PIN, card_in_reader
from passthrough import metered
from terminal import Terminal
from world import World

from card.pcsc_daemon import VARIABLE
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

MOST = 24  # APDUs that were promised of one binding
SECONDS = 60
AGAIN = "the next binding of the same run"  # with the card left in the reader
MOST_AGAIN = 6  # APDUs that were promised of that
REFERENCE = "pkcs15-tool --read-certificate, then pkcs15-crypt --sign"
FLOWS: dict[str, Callable[[Terminal, int], object]] = {
    "a new account": binding.register,
    "a new card": binding.rebind,
}


def measure(world: World, runs: int) -> list[Figure]:
    """Counts do not vary by chance: two runs of each show it, however many were asked for."""
    authority = Authority.load_or_create(world.authority)
    path = world.home / "metered"
    spent: dict[str, list[tuple[int, int]]] = {name: [] for name in (*FLOWS, AGAIN, REFERENCE)}
    with metered(path, world.pcscd.socket) as meter:
        for _ in range(min(runs, 2)):
            for name, costs in spent.items():
                card = VirtualCard(Profile.named("ok"), authority)  # each binds a card of its own
                with card_in_reader(world.pcscd, card):
                    before = card.transmitted, meter.trips
                    if name != REFERENCE:
                        with world.wizard(**{VARIABLE: str(path)}) as screen:
                            FLOWS.get(name, binding.rebind)(screen, world.sandbox.process.pid)
                            if name == AGAIN:
                                before = card.transmitted, meter.trips
                                screen.press("enter")
                                binding.rebind(screen, world.sandbox.process.pid)
                    else:
                        environment = opensc_environment(world.home, card, world.environment)
                        _with_opensc(world, {**environment, VARIABLE: str(path)})
                    costs.append((card.transmitted - before[0], meter.trips - before[1]))
    return [
        Figure(
            name,
            what,
            REFERENCE,
            tuple(cost[index] for cost in spent[name]),
            tuple(cost[index] for cost in spent[REFERENCE]),
            most=most,
        )
        for name in (*FLOWS, AGAIN)
        for index, (what, most) in enumerate(
            (("APDUs", MOST_AGAIN if name == AGAIN else MOST), ("PC/SC round trips", None))
        )
    ]


def _with_opensc(world: World, environment: dict[str, str]) -> None:
    """What a script would do instead: read the certificate and sign a digest."""
    digest = world.home / "digest"
    digest.write_bytes(bytes(32))
    sign = ["pkcs15-crypt", "--sign", "--key", "01", "--pkcs1", "--sha-256", "--pin", PIN]
    sign += ["--raw", "--input", str(digest), "--output", str(world.home / "signature")]
    for command in (["pkcs15-tool", "--read-certificate", "01"], sign):
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=SECONDS)
