"""A binding through an SSH forward: its round trips and its time, beside OpenSC's pkcs11-tool.

Both are measured where the program meets the forwarded socket. A round trip begins with the first
byte that is asked and ends with the last that is answered before the next question; the time is
what the program waits for the reader in all of them. The whole commands are timed too, though a
binding also speaks with the service, and Python alone starts in the time of many small programs.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from apdus import ACCOUNT, PASSWORD, bind, inserted, opensc_environment, output
from figure import Figure
from pcscd import Pcscd
from sshd import Forward, host

from card.pcsc_daemon import VARIABLE
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from client.sandbox.server import Sandbox

ROUND_TRIPS = (0, 40, 150)  # milliseconds
SIGNING = "pkcs11-tool --login --sign"
REFERENCE = f"pkcs11-tool --read-object and {SIGNING}"
MOST_TIMES = 0.35  # what was promised of the reference's time
RUNS = 3  # at most, where there is a delay: the slow ones take half a minute
MOST = 65536


@dataclass(frozen=True)
class Spent:
    """What one command cost: round trips, seconds in them, seconds in all."""

    trips: int
    waiting: float
    whole: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.trips + other.trips, self.waiting + other.waiting, self.whole + other.whole
        )


class Meter:
    """Counts what goes through."""

    def __init__(self) -> None:
        self.trips = 0
        self.waiting = 0.0
        self._asking = False
        self._last = 0.0

    def saw(self, asking: bool) -> None:
        now = time.monotonic()
        if not asking or self._asking:
            self.waiting += now - self._last
        else:
            self.trips += 1
        self._asking, self._last = asking, now

    def spent(self, job: Callable[[], None]) -> Spent:
        trips, waiting, start = self.trips, self.waiting, time.monotonic()
        job()
        return Spent(self.trips - trips, self.waiting - waiting, time.monotonic() - start)


@contextmanager
def metered(path: Path, daemon: Path) -> Iterator[Meter]:
    """A socket at `path` that leads to the daemon's, and counts."""
    meter = Meter()
    ends: dict[socket.socket, socket.socket] = {}
    with (
        socket.socket(socket.AF_UNIX) as listener,
        selectors.DefaultSelector() as ready,
        contextlib.ExitStack() as stack,
    ):
        listener.bind(str(path))
        listener.listen()
        stop, stopped = socket.socketpair()
        stack.callback(stop.close)
        stack.callback(stopped.close)
        for each in (listener, stopped):
            ready.register(each, selectors.EVENT_READ)

        def pass_on(end: socket.socket, asking: bool) -> None:
            other = ends.get(end)
            if other is None:
                return
            data = b""
            with contextlib.suppress(OSError):
                data = end.recv(MOST)
            if data:
                meter.saw(asking)
                with contextlib.suppress(OSError):
                    other.sendall(data)
                return
            for each in (end, other):
                ready.unregister(each)
                ends.pop(each)
                each.close()

        def run() -> None:
            while True:
                for key, _ in ready.select():
                    if key.fileobj is stopped:
                        return
                    if key.fileobj is listener:
                        near, _ = listener.accept()
                        far = socket.socket(socket.AF_UNIX)
                        far.connect(str(daemon))
                        ends[near], ends[far] = far, near
                        ready.register(near, selectors.EVENT_READ, data=True)
                        ready.register(far, selectors.EVENT_READ, data=False)
                    else:
                        pass_on(key.fileobj, key.data)  # type: ignore[arg-type]

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield meter
        finally:
            stop.send(b"!")
            thread.join()


def _read_with_opensc(folder: Path, environment: Mapping[str, str]) -> None:
    """The first half of what a script would do instead: read the certificate."""
    output(
        environment,
        *("pkcs11-tool", "--read-object", "--type", "cert", "--id", "01"),
        *("--output-file", str(folder / "certificate")),
    )


def _sign_with_opensc(folder: Path, pin: bytes, environment: Mapping[str, str]) -> None:
    """The second: sign a message, without a word of who signs."""
    (folder / "message").write_bytes(bytes(32))
    output(
        environment,
        *("pkcs11-tool", "--login", "--pin", pin.decode(), "--sign", "--id", "01"),
        *("--mechanism", "SHA256-RSA-PKCS", "--input-file", str(folder / "message")),
        *("--output-file", str(folder / "signature")),
    )


def measure(runs: int) -> list[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        authority = Authority.create()
        card = VirtualCard(Profile.named("ok"), authority)
        sandbox = stack.enter_context(
            Sandbox(folder / "service", trusted_card_roots=[authority.chain_pem])
        )
        sandbox.seed_account(ACCOUNT, PASSWORD)
        daemon = Pcscd(folder)
        stack.callback(daemon.stop)
        daemon.start()
        stack.enter_context(inserted(card, daemon))
        far = stack.enter_context(host())
        forward = stack.enter_context(Forward(far, folder / "comm", daemon.socket))
        meter = stack.enter_context(metered(folder / "metered", forward.path))
        environment = opensc_environment(folder, card, os.environ)
        environment[VARIABLE] = str(folder / "metered")
        pin = card.profile.pin.value

        figures: list[Figure] = []
        for milliseconds in ROUND_TRIPS:
            far.relay.delay = milliseconds / 2000
            ours, theirs, signing = [], [], []
            for _ in range(min(runs, RUNS) if milliseconds else runs):
                ours.append(meter.spent(lambda: bind(sandbox, pin, environment)))
                signing.append(meter.spent(lambda: _sign_with_opensc(folder, pin, environment)))
                read = meter.spent(lambda: _read_with_opensc(folder, environment))
                theirs.append(read + signing[-1])
            if not figures:
                trips = ([each.trips for each in side] for side in (ours, theirs))
                figures.append(_figure("forwarded: one binding", "round trips", *trips))
            name = f"forwarded at {milliseconds} ms"
            waiting = ([each.waiting for each in side] for side in (ours, theirs))
            figure = _figure(f"{name}: waiting for the reader", "seconds", *waiting)
            figures.append(replace(figure, most_times=MOST_TIMES))
            alone = tuple(each.waiting for each in signing)
            figure = replace(figure, reference_name=SIGNING, reference_samples=alone)
            figures.append(replace(figure, most_times=MOST_TIMES))
            whole = ([each.whole for each in side] for side in (ours, theirs))
            figures.append(_figure(f"{name}: the whole command", "seconds", *whole))
        return figures


def _figure(name: str, unit: str, ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    return Figure(name, unit, REFERENCE, tuple(ours), tuple(theirs))
