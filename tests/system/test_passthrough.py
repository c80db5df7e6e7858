"""A reader on a thin client: real sshd, real pcscd reached only through the forward, 80 ms away.

The thin client's side is `hca-bind-connect`, run by dash and by busybox's sh; the host's side is
what that starts there. A relay holds every byte back, and cuts the line.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from parts import ACCOUNT, HCA_BIND, PASSWORD, PIN, Service, pins_sent, trace
from pcscd import DEADLINE
from sshd import Forward, host
from terminal import Terminal
from test_binding import FORM, MOST_APDUS, prove, receipt_on
from test_pcsc_daemon import peer
from thin_client import (
    BREAK,
    BUSYBOX,
    DASH,
    DELAY,
    NO_TMUX,
    SHOW,
    WITH_A_TERMINAL,
    ThinClient,
    card,
    client,
    far,
    reconnected,
    user,
)
from wizard_walk import HOLDER, to_the_pin

from card.pcsc_daemon import VARIABLE, library_protocol
from screens.language import Language, Words
from screens.steps.step_screen import WORK_NAMES
from screens.troubleshooting.catalogue import entry
from screens.wizard import Work

SLOW = 2.0  # seconds each way, to stop in the middle of something
BROKEN = entry("pcsc.socket.stale").title.zh
SERVICE_STOPPED = 0x8010001E
# As another user, who cannot even read this program's files: loaded first, then changed.
AS_USER = """
import os, subprocess, sys, tempfile
from card.errors import CardError
from card.pcsc import PcscReaders
from card.pcsc_context import load
load()
user = int(sys.argv[1])
os.setgroups([]); os.setgid(user); os.setuid(user)
try:
    print(*(slot.reader for slot in PcscReaders().slots()), sep=",")
except CardError as error:
    print(error.code)
"""
_ = Words(Language.ZH)
__all__ = ["card", "client", "far"]


def form(screen: Terminal, account: str) -> None:
    """The account application, up to its consent."""
    screen.until(_("Your account application. * must be filled in."))
    for text in (account, *FORM[1:]):
        screen.type(text)
        screen.type("\t")


def send(screen: Terminal) -> str:
    """The consent, and the receipt's number."""
    screen.type(" ")
    screen.press("ctrl+s")
    receipt = receipt_on(screen, _)
    screen.press("f10")
    assert screen.ends() == 0
    return receipt


# --- both flows, started by the script -----------------------------------------------------------


@WITH_A_TERMINAL
@pytest.mark.usefixtures("card")
def test_a_new_account_with_dash(client: ThinClient, sandbox: Service, tmp_path: Path) -> None:
    file = tmp_path / "trace"
    with client.run(DASH, "-n", "host", *sandbox.options, "--trace", str(file)) as screen:
        screen.until(_("What would you like to do?"))
        assert NO_TMUX.encode() in screen.written
        client.host.relay.cut()
        screen.until(NO_TMUX)
        client.host.relay.restore()
        screen.until(_("What would you like to do?"))
        (socket,) = client.sockets
        assert socket.stat().st_mode & 0o777 == 0o600
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        to_the_pin(screen, _)
        prove(screen, _, sandbox)
        form(screen, FORM[0])
        receipt = send(screen)
    assert sandbox.bindings(FORM[0]) == [(receipt, "register", HOLDER)]
    rows = trace(file)
    assert pins_sent(rows) == 1
    assert len(rows) <= MOST_APDUS
    assert list((client.home / ".hca-bind").iterdir()) == []  # the script took its socket away


@WITH_A_TERMINAL
@pytest.mark.usefixtures("card")
def test_a_new_card_with_busybox_in_tmux(
    client: ThinClient, sandbox: Service, tmp_path: Path
) -> None:
    """The line breaks while the PIN is half typed: the script and the wizard come back.

    Once both ends notice, and once the host's end does not.
    """
    file, relay = tmp_path / "trace", client.host.relay
    with client.run(BUSYBOX, "host", *sandbox.options, "--trace", str(file)) as screen:
        to_the_pin(screen, _, "2")
        for break_off in (relay.cut, client.go_silent):
            screen.type(PIN[:4])
            break_off()
            screen.until(BREAK)
            screen.send(PIN[4:].encode())  # somebody types on; it is neither shown nor kept
            relay.restore()
            screen.until(_("Your card's PIN, then Enter:"))
            assert screen.shows(_("bind this card to the account {account}", account=ACCOUNT))
        prove(screen, _, sandbox)  # the whole PIN: of what was typed before nothing is left
        screen.until(_("Your account's password (not the PIN), then Enter:"))
        screen.type(PASSWORD[:-1])
        reconnected(screen, relay)
        screen.until(_("Your account's password (not the PIN), then Enter:"))
        screen.type(PASSWORD[-1])
        screen.press("enter")
        screen.until(_("Signed in. Press Enter: bind the new card to this account."))
        reconnected(screen, relay)
        screen.until(_("Signed in. Press Enter: bind the new card to this account."))
        screen.press("enter")
        receipt = receipt_on(screen, _)
        screen.press("f10")
        assert screen.ends() == 0
    assert sandbox.bindings(ACCOUNT) == [(receipt, "rebind", HOLDER)]
    assert pins_sent(trace(file)) == 1
    assert PIN.encode() not in screen.written
    assert PIN[4:].encode() not in screen.written


@WITH_A_TERMINAL
@pytest.mark.usefixtures("card")
def test_the_line_breaks_at_every_step(client: ThinClient, sandbox: Service) -> None:
    """In tmux: the step and what was typed in it are there again."""
    account, relay = "wang.lines", client.host.relay
    with client.run(DASH, "host", *sandbox.options) as screen:
        screen.until(_("What would you like to do?"))
        screen.type("1")
        for text in ("Everything is there. Press Enter to go on.", "Your card is there."):
            screen.until(_(text))
            reconnected(screen, relay)
            screen.until(_(text))
            screen.press("enter")
        screen.until(_("Which category of card is it?"))
        reconnected(screen, relay)
        screen.until(_("Which category of card is it?"))
        screen.type("1")
        screen.until(_("Your card's PIN, then Enter:"))
        screen.type(PIN)
        screen.press("enter")
        screen.until(_("You may take the card out now."))
        reconnected(screen, relay)
        screen.until(_("You may take the card out now."))
        screen.press("enter")
        screen.until(_("Your account application. * must be filled in."))
        screen.type(account[:-1])
        reconnected(screen, relay)
        screen.until(account[:-1])
        screen.type(account[-1] + "\t")
        for text in FORM[1:]:
            screen.type(text)
            screen.type("\t")
        screen.type(" ")
        screen.press("ctrl+s")
        receipt = receipt_on(screen, _)
        reconnected(screen, relay)
        assert receipt_on(screen, _) == receipt
        screen.press("f10")
        assert screen.ends() == 0
    assert sandbox.bindings(account) == [(receipt, "register", HOLDER)]


# --- the forward alone, cut at every step --------------------------------------------------------


@dataclass(frozen=True)
class Wizard:
    """The wizard on the host, with its reader behind a forward of its own."""

    screen: Terminal
    forward: Forward
    trace: Path

    def break_off(self, back: str | Callable[[], bool]) -> None:
        """Cut the forward, see that it is noticed and named, restore it, and wait for `back`."""
        self.forward.cut()
        self.screen.until(BROKEN)
        self.forward.open()
        self.screen.until(back)
        assert not self.screen.shows(BROKEN)

    def at_rest(self) -> bool:
        """Nothing is wrong, and no card is being read."""
        return not self.screen.shows(BROKEN) and not self.screen.shows(_(WORK_NAMES[Work.READING]))


@contextmanager
def wizard(client: ThinClient, sandbox: Service, folder: Path) -> Iterator[Wizard]:
    folder.chmod(0o700)
    file = folder / "trace"
    command = [HCA_BIND, "--lang", "zh", *sandbox.options, "--trace", str(file)]
    with (
        Forward(client.host, folder / "comm", client.pcscd.socket) as forward,
        Terminal(command, {**os.environ, VARIABLE: str(forward.path)}) as screen,
    ):
        screen.until(_("What would you like to do?"))
        yield Wizard(screen, forward, file)


@pytest.mark.usefixtures("card")
def test_the_forward_cut_at_every_step(
    client: ThinClient, sandbox: Service, tmp_path: Path
) -> None:
    """Noticed, named and picked up again; what was typed stays, except the PIN."""
    account = "wang.cut"
    with wizard(client, sandbox, tmp_path) as here:
        screen = here.screen
        here.forward.cut()
        screen.type("1")
        screen.until(BROKEN)  # the component check
        here.forward.open()
        screen.until(_("Everything is there. Press Enter to go on."))
        assert screen.shows(_("on the thin client, forwarded through SSH"))

        screen.press("enter")
        screen.until(_("Your card is there."))
        assert screen.shows(_("on the thin client, forwarded through SSH"))
        here.break_off(_("Your card is there."))

        screen.press("enter")
        screen.until(_("Which category of card is it?"))
        here.break_off(here.at_rest)

        screen.type("1")
        screen.until(_("Your card's PIN, then Enter:"))
        screen.type(PIN[:4])
        here.break_off(_("Your card's PIN, then Enter:"))

        screen.type(PIN)
        client.host.relay.delay = SLOW  # so that it is still on its way when the line breaks
        screen.press("enter")
        screen.until(_(WORK_NAMES[Work.PROVING]))
        client.host.relay.delay = DELAY
        here.break_off(_("Your card's PIN, then Enter:"))
        assert pins_sent(trace(here.trace)) <= 1
        prove(screen, _, sandbox)

        form(screen, account)
        here.forward.cut()  # the card is not needed any more
        receipt = send(screen)
    assert sandbox.bindings(account) == [(receipt, "register", HOLDER)]
    assert pins_sent(trace(here.trace)) <= 2


@pytest.mark.usefixtures("card")
def test_the_forward_cut_in_a_rebinding(
    client: ThinClient, sandbox: Service, tmp_path: Path
) -> None:
    """What the other flow has besides: the account, and the steps that need no card any more."""
    with wizard(client, sandbox, tmp_path) as here:
        here.screen.type("2")
        here.screen.until(_("Everything is there. Press Enter to go on."))
        here.screen.press("enter")
        here.screen.until(_("Your card is there."))
        here.screen.press("enter")
        here.screen.until(_("Which category of card is it?"))
        here.screen.type("1")
        here.screen.until(_("Bind it to which account? (your account name)"))
        here.screen.type(ACCOUNT[:-1])
        here.break_off(here.at_rest)
        here.screen.type(ACCOUNT[-1])
        here.screen.press("enter")
        here.screen.until(_("Your card's PIN, then Enter:"))
        assert here.screen.shows(_("bind this card to the account {account}", account=ACCOUNT))
        prove(here.screen, _, sandbox)
        here.forward.cut()
        here.screen.until(_("Your account's password (not the PIN), then Enter:"))
        here.screen.type(PASSWORD)
        here.screen.press("enter")
        here.screen.until(_("Signed in. Press Enter: bind the new card to this account."))
        assert not here.screen.shows(BROKEN), "nobody needs the reader any more"
        here.screen.press("enter")
        receipt = receipt_on(here.screen, _)
        here.screen.press("f10")
        assert here.screen.ends() == 0
    assert sandbox.bindings(ACCOUNT) == [(receipt, "rebind", HOLDER)]
    assert pins_sent(trace(here.trace)) == 1


# --- what is wrong with a forward ----------------------------------------------------------------


def refusal(socket: Path, sandbox: Service) -> tuple[object, object]:
    """The code and the facts with which the line mode ends; its status is that of the environment.

    The PIN's descriptor is empty: nothing may ask for it.
    """
    command = [HCA_BIND, "verify", *sandbox.options, "--json", "--pin-fd", "0"]
    done = subprocess.run(
        command,
        env={**os.environ, VARIABLE: str(socket)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 3
    row = json.loads(done.stdout.splitlines()[-1])
    return row["code"], row["facts"]


def test_each_trouble_has_its_code(client: ThinClient, sandbox: Service, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    at = tmp_path / "comm"
    facts = {"socket": str(at)}
    assert refusal(at, sandbox) == ("pcsc.socket.missing", facts)
    with Forward(client.host, at, tmp_path / "no-pcscd"):
        assert refusal(at, sandbox) == ("pcsc.socket.silent", facts)
    # ssh ended without a word to its sshd's socket
    assert refusal(at, sandbox) == ("pcsc.socket.stale", facts)
    answer = struct.pack("=iiI", 4, 9, SERVICE_STOPPED)  # a daemon that does not exist yet
    (tmp_path / "far").mkdir()
    with (
        peer(tmp_path / "far" / "comm", answer, "pcscd"),
        Forward(client.host, at, tmp_path / "far" / "comm"),
    ):
        versions = {"daemon": "4:9", "library": str(library_protocol())}
        assert refusal(at, sandbox) == ("pcsc.service.protocol", versions)
        tmp_path.chmod(0o777)
        assert refusal(at, sandbox) == ("pcsc.socket.foreign", facts)


# --- two people on one host ----------------------------------------------------------------------


def readers_as(uid: int, socket: str) -> str:
    """The readers that this user sees behind the socket, or the code of the refusal."""
    done = subprocess.run(
        [sys.executable, "-c", AS_USER, str(uid)],
        env={**os.environ, VARIABLE: socket},
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make users; see test_attachment too")
def test_two_people_on_one_host(client: ThinClient) -> None:
    """Both connect at once; neither reaches the other's reader, not even where it lies open."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hca-users-")))
        folder.chmod(0o755)
        show = folder / "show"
        show.write_text(SHOW)
        show.chmod(0o755)
        names = [f"hcatest{letter}{os.getpid() % 10_000}" for letter in "ab"]
        one, two = (stack.enter_context(user(name, folder)) for name in names)
        door = stack.enter_context(host())
        there = ThinClient(client.pcscd, client.script, door, folder)
        screens, sockets = [], []
        for name in names:
            screen = stack.enter_context(there.run(DASH, "-n", f"{name}@host", command=str(show)))
            screen.until(client.pcscd.readers[1])  # as that user's own opensc-tool lists it
            (line,) = (line for line in screen.lines if line.startswith("socket="))
            screens.append(screen)
            sockets.append(line.removeprefix("socket=").rstrip("."))
        ones, twos = sockets
        assert readers_as(one.pw_uid, ones) == ",".join(client.pcscd.readers)
        assert readers_as(two.pw_uid, twos) == ",".join(client.pcscd.readers)
        assert readers_as(two.pw_uid, ones) == "pcsc.socket.foreign"
        Path(ones).chmod(0o666)
        for above in (Path(ones).parent, Path(ones).parents[1]):
            above.chmod(0o755)
        assert readers_as(two.pw_uid, ones) == "pcsc.socket.foreign"
        assert readers_as(one.pw_uid, ones) == "pcsc.socket.open"
        for screen in screens:
            screen.press("enter")
            assert screen.ends() == 0
