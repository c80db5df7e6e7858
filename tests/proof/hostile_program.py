"""The program at a hostile reader with a hostile card: `… URL CA AUTHORITY MANNER [WORD …]`.

It is hca-bind's own entry; only the readers stand in for PC/SC's, because no real one can be
called as these are. MANNER `open` switches every neutralisation off: the tests must notice.
Without words, each line of the standard input is a JSON list of them, for a process of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from headless import PASSWORD, PIN, Breaker, Desk, Parts
from hostile import HARMLESS, HOSTILE, SHORT, hostile

from card.virtual.authority import Authority, Issued
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from card.virtual.readers import EmbeddedReaders
from tui.terminal import prepare_environment

CLEANERS = {  # module: the functions that take something out of a text
    "card.text": ("clean",),
    "card.certificate": ("clean",),
    "card.pkcs15.commands": ("clean",),
    "client.wire": ("clean",),
    "client.address": ("clean",),
    "screens.places": ("clean",),
    "screens.troubleshooting.catalogue": ("clean",),
    "tui.output": ("inert",),
    "tui.prompt": ("inert",),
    "tui.support": ("inert",),
}


@dataclass(frozen=True)
class PlainSerials:
    """The test CA; a certificate's serialNumber attribute, unlike a card's, is printable ASCII."""

    authority: Authority

    def issue(self, profile: Profile) -> Issued:
        return self.authority.issue(replace(profile, serial=Profile.serial))

    @property
    def issuing_der(self) -> bytes:
        return self.authority.issuing_der


def open_up() -> None:
    """No text is neutralised any more, where it enters or where it leaves."""
    for module, names in CLEANERS.items():
        for name in names:
            setattr(importlib.import_module(module), name, lambda text, _limit=0: text)
    painter = importlib.import_module("tui.painter")
    painter._drawn = lambda _: True


def alone(program: Callable[[list[str]], int], words: list[str]) -> NoReturn:
    """One program without a terminal to ask on; `PIN` and `PASSWORD` become descriptors of them."""
    os.setsid()
    secrets = {"PIN": PIN, "PASSWORD": PASSWORD}
    status = 70
    try:
        status = program([str(readable(secrets[w])) if w in secrets else w for w in words])
    finally:
        sys.stdout.flush()
        os._exit(status)


def readable(secret: bytes) -> int:
    descriptor, end = os.pipe()
    os.write(end, secret)
    os.close(end)
    return descriptor


def main() -> None:
    url, ca, folder, manner, *words = sys.argv[1:]
    prepare_environment()
    if manner == "open":
        open_up()
    planted = HARMLESS.card if manner == "harmless" else HOSTILE.card
    profile = Profile()
    certificate = replace(profile.certificate, holder=planted("Holder " + SHORT))
    label = planted(hostile("Label ", 300))
    profile = replace(profile, label=label, serial=planted(SHORT), certificate=certificate)
    card = VirtualCard(profile, PlainSerials(Authority.load_or_create(Path(folder))))
    desk = Desk(Path(os.devnull), url, Path(ca), card)
    reader = planted(hostile("Reader ", 300))

    import tui.backends
    from tui.main import run

    def backends(*_given: object, **_more: object) -> Parts:
        desk.breaker = Breaker(EmbeddedReaders({reader: card}))
        return Parts(desk)

    tui.backends.RealBackends = backends  # type: ignore[assignment, misc]
    if words:
        sys.exit(run(words))
    for line in sys.stdin:
        child = os.fork()  # nothing has started a thread yet
        if child == 0:
            alone(run, json.loads(line))
        os.waitpid(child, 0)
        sys.stdout.write("READY\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
