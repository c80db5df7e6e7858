"""How many APDUs one binding costs, counted by the card: hca-bind's own and OpenSC's."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from figure import Figure
from parts import opensc_configuration
from pcscd import Pcscd, wait_until

from card.errors import PinWrong
from card.opening import open_card
from card.pin import Pin
from card.port import Card
from card.seen import Seen
from card.virtual import vpcd
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from card.virtual.readers import EmbeddedReaders
from client.sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]
MOST = 24  # what was promised of one binding
# From the card inserted to the token made, and for the next entry while it stays in.
MOST_SHORT, MOST_EXTENDED, MOST_SEEN = 19, 16, 6
READER, MESSAGE = "Bench 00 00", bytes(64)
SECONDS = 60
ACCOUNT, PASSWORD = "bench-nurse", b"Bench-password-1"


@contextmanager
def descriptor(content: bytes) -> Iterator[int]:
    """The reading end of a pipe that holds `content`."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    try:
        yield reading
    finally:
        os.close(reading)


@contextmanager
def inserted(card: VirtualCard, daemon: Pcscd) -> Iterator[None]:
    """The card in the daemon's first reader."""
    stop = threading.Event()
    serve = threading.Thread(target=vpcd.serve, args=(card, "127.0.0.1", daemon.ports[0], stop))
    serve.start()
    try:
        wait_until(lambda: "  Yes  " in output(daemon.environment, "opensc-tool", "-l"), "a card")
        yield
    finally:
        stop.set()
        serve.join(SECONDS)


def opensc_environment(
    folder: Path, card: VirtualCard, environment: Mapping[str, str]
) -> dict[str, str]:
    """`environment` for OpenSC's programs: a driver for this card, and nothing cached."""
    configuration = folder / "opensc.conf"
    configuration.write_text(opensc_configuration(card))
    return {**environment, "HOME": str(folder), "OPENSC_CONF": str(configuration)}


def output(environment: Mapping[str, str], *command: str, keep: Sequence[int] = ()) -> str:
    """What a program prints. RuntimeError, with its complaint, when it fails."""
    done = subprocess.run(
        command,
        env=environment,
        pass_fds=keep,
        capture_output=True,
        timeout=SECONDS,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def bind(sandbox: Sandbox, pin: bytes, environment: Mapping[str, str]) -> None:
    """綁定新憑證 IC 卡, from the reader to the receipt."""
    with descriptor(pin + b"\n") as first, descriptor(PASSWORD + b"\n") as second:
        output(
            environment,
            *(str(ROOT / ".venv/bin/hca-bind"), "bind", "--purpose", "rebind"),
            *("--service", sandbox.url, "--ca", str(sandbox.ca_file), "--account", ACCOUNT),
            *("--pin-fd", str(first), "--password-fd", str(second), "--json"),
            keep=(first, second),
        )


def _sign(card: Card, pin: bytes) -> None:
    """Tries shown, one entry, one signature."""
    entered = Pin()
    for byte in pin:
        entered.append(byte)
    card.sign(entered, MESSAGE, card.tries_left())


def _token(profile: Profile, authority: Authority) -> int:
    """The commands of a card that nobody has seen before."""
    card = VirtualCard(profile, authority)
    _sign(open_card(EmbeddedReaders({READER: card}), READER), profile.pin.value)
    return card.transmitted


def _token_again(profile: Profile, authority: Authority) -> tuple[int, int]:
    """The commands of the entry after a wrong PIN, and of a card put in once more."""
    card = VirtualCard(profile, authority)
    readers, seen = EmbeddedReaders({READER: card}), Seen()
    opened = open_card(readers, READER, seen=seen)
    try:
        _sign(opened, b"wrong-99")
    except PinWrong:
        before = card.transmitted
    _sign(opened, profile.pin.value)
    after_wrong = card.transmitted - before
    readers.insert(READER, card)
    before = card.transmitted
    _sign(open_card(readers, READER, seen=seen), profile.pin.value)
    return after_wrong, card.transmitted - before


def _with_pkcs11_tool(folder: Path, pin: bytes, environment: Mapping[str, str]) -> None:
    """OpenSC's module: log in, find the key, sign."""
    (folder / "message").write_bytes(MESSAGE)
    output(
        environment,
        *("pkcs11-tool", "--login", "--pin", pin.decode(), "--sign", "--id", "01"),
        *("--mechanism", "SHA256-RSA-PKCS", "--input-file", str(folder / "message")),
        *("--output-file", str(folder / "signature")),
    )


def _with_opensc(folder: Path, pin: bytes, environment: Mapping[str, str]) -> None:
    """What a script would do instead: read the certificate and sign a digest."""
    (folder / "digest").write_bytes(bytes(32))
    output(environment, "pkcs15-tool", "--read-certificate", "01")
    output(
        environment,
        *("pkcs15-crypt", "--sign", "--key", "01", "--pkcs1", "--sha-256", "--pin", pin.decode()),
        *("--raw", "--input", str(folder / "digest"), "--output", str(folder / "signature")),
    )


def measure(runs: int) -> list[Figure]:
    """Counts do not vary by chance: two runs of each show it, however many were asked for."""
    ours: list[int] = []
    theirs: list[int] = []
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
        environment = opensc_environment(folder, card, daemon.environment)
        pin = card.profile.pin.value

        def spent(job: Callable[[], None]) -> int:
            before = card.transmitted
            job()
            return card.transmitted - before

        for _ in range(min(runs, 2)):
            ours.append(spent(lambda: bind(sandbox, pin, environment)))
            theirs.append(spent(lambda: _with_opensc(folder, pin, environment)))
        module = (spent(lambda: _with_pkcs11_tool(folder, pin, environment)),)
    long, short = Profile(), Profile(extended_length=False)
    after_wrong, again = _token_again(long, authority)
    reference = "pkcs11-tool --login --sign"
    return [
        Figure(
            "one token, extended length",
            "APDUs",
            reference,
            (_token(long, authority),),
            module,
            most=MOST_EXTENDED,
        ),
        Figure(
            "one token, short length",
            "APDUs",
            reference,
            (_token(short, authority),),
            module,
            most=MOST_SHORT,
        ),
        Figure(
            "the entry after a wrong PIN",
            "APDUs",
            reference,
            (after_wrong,),
            module,
            most=MOST_SEEN,
        ),
        Figure(
            "one token, card put in again",
            "APDUs",
            reference,
            (again,),
            module,
        ),
        Figure(
            "one binding",
            "APDUs",
            "pkcs15-tool --read-certificate and pkcs15-crypt --sign",
            tuple(ours),
            tuple(theirs),
            most=MOST,
        ),
    ]
