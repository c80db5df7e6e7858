"""A reader on a thin client: real sshd, real pcscd reached only through the forward, 80 ms away.

The thin client's side is `hca-bind-connect`, run by dash and by busybox's sh; the host's side is
what that starts there. A relay holds every byte back, and cuts the line.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from parts import ACCOUNT, HCA_BIND, PASSWORD, PIN, Service, card_process, pins_sent, trace
from pcscd import DEADLINE, PCSCD, Pcscd
from sshd import Forward, Host, Relay, gives_terminals, host
from terminal import Terminal
from test_binding import FORM, HOLDER, MOST_APDUS, prove, receipt_on, to_the_pin
from test_pcsc_daemon import peer

from card.pcsc_daemon import VARIABLE, library_protocol
from screens.frame import WORK_NAMES
from screens.language import Language, Words
from screens.troubleshooting.catalogue import entry
from screens.wizard import Work
from tui.passthrough import script

DELAY = 0.04  # seconds each way: 80 ms for every question and its answer
SLOW = 2.0  # seconds each way, to stop in the middle of something
DASH, BUSYBOX = ["dash"], ["busybox", "sh"]
LOGIN = b"Invented-login-1"
BROKEN = entry("pcsc.socket.stale").title.zh
NO_TMUX = "沒有 tmux：連線若中斷，精靈會從頭開始。"
SERVICE_STOPPED = 0x8010001E
SHOW = """#!/bin/sh
echo "socket=$PCSCLITE_CSOCK_NAME."
opensc-tool --list-readers
read -r _
"""
# As another user, who cannot even read this program's files: loaded first, then changed.
AS_USER = """
import os, subprocess, sys, tempfile
from card.errors import CardError
from card.pcsc import PcscReaders, load
load()
user = int(sys.argv[1])
os.setgroups([]); os.setgid(user); os.setuid(user)
try:
    print(*(slot.reader for slot in PcscReaders().slots()), sep=",")
except CardError as error:
    print(error.code)
"""
_ = Words(Language.ZH)
WITH_A_TERMINAL = pytest.mark.skipif(
    not gives_terminals(), reason="an sshd that is not root's cannot give a terminal on this system"
)


@dataclass(frozen=True)
class ThinClient:
    """The machine with the reader: its pcscd, the script as it was printed, the way to the host."""

    pcscd: Pcscd
    script: Path
    host: Host
    home: Path  # of whoever logs in at the host

    def run(self, shell: list[str], *words: str, command: str = HCA_BIND, **more: str) -> Terminal:
        """The script on a terminal, with nothing of ours in its environment."""
        options = ["-l", "zh", "-F", str(self.host.config), "-s", str(self.pcscd.socket)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.script.parent), "LANG": "C"}
        return Terminal(
            [*shell, str(self.script), *options, "-c", command, *words], {**environment, **more}
        )

    def go_silent(self, screen: Terminal) -> None:
        """The cable is out: the script's ssh gives up, and the host hears nothing of it."""
        self.host.relay.silence()
        control = Path(tempfile.gettempdir()) / f"hca-bind-{screen.process.pid}" / "control"
        subprocess.run(["ssh", "-S", str(control), "-O", "exit", "host"], check=True)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Path]]:
    """The host, 80 ms away, and the home there."""
    home = tmp_path_factory.mktemp("home")
    with host(DELAY, f"SetEnv HOME={home} XDG_RUNTIME_DIR= TMUX_TMPDIR={home}") as running:
        yield running, home
    subprocess.run(
        ["tmux", "-L", "hca-bind", "kill-server"],  # a wizard that a failed test left there
        env={**os.environ, "TMUX_TMPDIR": str(home)},
        stderr=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture
def client(pcscd: Pcscd, far: tuple[Host, Path], tmp_path: Path) -> ThinClient:
    printed = subprocess.run(
        [HCA_BIND, "passthrough", "script"], stdout=subprocess.PIPE, check=True
    ).stdout
    assert printed.decode() == script()
    file = tmp_path / "hca-bind-connect"
    file.write_bytes(printed)
    return ThinClient(pcscd, file, *far)


@pytest.fixture
def card(pcscd: Pcscd, authority_folder: Path) -> Iterator[None]:
    with card_process(pcscd, authority_folder):
        yield


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
        (socket,) = (file for file in (client.home / ".hca-bind").iterdir() if file.is_socket())
        assert socket.stat().st_mode & 0o777 == 0o600
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        to_the_pin(screen, _, "1")
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
        for break_off in (relay.cut, lambda: client.go_silent(screen)):
            screen.type(PIN[:4])
            break_off()
            screen.until("連線中斷，正在重新連線")
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


def reconnected(screen: Terminal, relay: Relay) -> None:
    """The line breaks, and is there again."""
    relay.cut()
    screen.until("連線中斷，正在重新連線")
    relay.restore()


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
def test_the_account_that_was_typed_outlives_a_cut(
    client: ThinClient, sandbox: Service, tmp_path: Path
) -> None:
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


@contextmanager
def user(name: str, folder: Path, hashed: str = "*") -> Iterator[pwd.struct_passwd]:
    """A user of this machine, with a home in `folder`, for the time of the block.

    `hashed` is their password's hash, as crypt(5) has it; no password fits "*".
    """
    home = folder / name
    subprocess.run(
        ["useradd", "--no-log-init", "-M", "-d", str(home), "-s", "/bin/sh", "-p", hashed, name],
        check=True,
    )
    try:
        found = pwd.getpwnam(name)
        home.mkdir(mode=0o700)
        os.chown(home, found.pw_uid, found.pw_gid)
        yield found
    finally:
        # --force: their last process may still be ending
        subprocess.run(["userdel", "--force", name], check=True, stderr=subprocess.DEVNULL)


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


# --- logins ---------------------------------------------------------------------------------------


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make users, and check their passwords")
def test_a_login_with_a_password(client: ThinClient) -> None:
    """Asked for once, where several connections are needed, and once more after a broken one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hca-users-")))
        folder.chmod(0o755)
        show = folder / "show"
        show.write_text(SHOW)
        show.chmod(0o755)
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=LOGIN, capture_output=True, check=True
        ).stdout
        name = f"hcatestp{os.getpid() % 10_000}"
        stack.enter_context(user(name, folder, hashed.decode().strip()))
        door = stack.enter_context(host(0.0, f"Match User {name}\nPasswordAuthentication yes"))
        settings = door.config.read_text().replace("BatchMode yes", "PubkeyAuthentication no")
        door.config.write_text(settings)
        there = ThinClient(client.pcscd, client.script, door, folder)
        with there.run(DASH, "-n", f"{name}@host", command=str(show)) as screen:
            for again in (False, True):
                screen.until("password:")
                screen.send(LOGIN + b"\r")
                screen.until(client.pcscd.readers[1])  # both readers come, by one forward
                assert screen.shows(client.pcscd.readers[0])
                if not again:
                    reconnected(screen, door.relay)
            screen.press("enter")
            assert screen.ends() == 0
        assert screen.written.count(b"password:") == 2
        assert LOGIN not in screen.written


@WITH_A_TERMINAL
@pytest.mark.parametrize("tmux", [True, False], ids=["tmux", "plain"])
def test_a_thin_client_without_chinese(client: ThinClient, tmux: bool) -> None:
    """Its bare console is known on the host as what it is, though tmux calls it another."""
    options = [] if tmux else ["-n"]
    with client.run(DASH, "-l", "en", *options, "host", TERM="linux") as screen:
        screen.until(Words(Language.EN)("What would you like to do?"))
        screen.until("kmscon")
        screen.press("f10")
        assert screen.ends() == 4
        assert screen.written.isascii()


@WITH_A_TERMINAL
def test_a_host_without_the_program(client: ThinClient) -> None:
    with client.run(DASH, "-l", "en", "host", command="no-such-hca-bind") as screen:
        assert screen.ends() == 3
    assert screen.shows("There is no no-such-hca-bind on the host.")


# --- the two commands, and the thin client's own pcscd -------------------------------------------


@pytest.mark.parametrize("shell", [DASH, BUSYBOX], ids=lambda shell: shell[0])
def test_the_script_is_plain_sh(client: ThinClient, shell: list[str]) -> None:
    subprocess.run([*shell, "-n", str(client.script)], check=True)
    usage = subprocess.run(
        [*shell, str(client.script)], stderr=subprocess.PIPE, text=True, check=False
    )
    assert usage.returncode == 2
    assert "hca-bind-connect [-l zh|en]" in usage.stderr
    missing = subprocess.run(
        [*shell, str(client.script), "-l", "en", "-s", "/no/such/socket", "host"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert missing.returncode == 3
    assert "/no/such/socket" in missing.stderr


def test_shellcheck_has_nothing_to_say(client: ThinClient) -> None:
    subprocess.run(["shellcheck", "--shell=sh", str(client.script)], check=True)


@WITH_A_TERMINAL
@pytest.mark.parametrize("waits", ["", "systemd-socket-activate --listen=/run/pcscd/pcscd.comm"])
def test_a_pcscd_that_sleeps_is_woken(client: ThinClient, tmp_path: Path, waits: str) -> None:
    """Where /run/pcscd is empty the script starts pcscd as that system does, and goes on.

    With `waits` the system holds the socket, and a daemon comes with the first who connects.
    """
    if not client.pcscd.private:
        pytest.skip("no mount namespace to be had")
    if waits and not shutil.which(waits.partition(" ")[0]):
        pytest.skip("no systemd here")
    tools, drivers = tmp_path / "bin", tmp_path / "drivers"
    tools.mkdir()
    drivers.mkdir()
    daemon, pid = shutil.copy(PCSCD, tools / "pcscd"), tmp_path / "pid"
    systemctl = tools / "systemctl"
    systemctl.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path / "asked"}\n'
        f"{waits} {daemon} --foreground --auto-exit --config {drivers} >/dev/null 2>&1 &\n"
        f"echo $! >{pid}\n"
    )
    systemctl.chmod(0o755)
    show = tools / "show"
    show.write_text(SHOW)
    show.chmod(0o755)
    script = f'mount -t tmpfs tmpfs /run && mkdir /run/pcscd && PATH={tools}:$PATH exec "$@"'
    command = ["dash", str(client.script), "-l", "zh", "-F", str(client.host.config), "-n"]
    try:
        with Terminal(
            [*client.pcscd.namespace, "sh", "-c", script, "sh", *command, "-c", str(show), "host"],
            {"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        ) as screen:
            screen.until("No smart card readers found.")  # so a daemon answered
            screen.press("enter")
            screen.ends()
        assert (tmp_path / "asked").read_text() == "--no-ask-password start pcscd.socket\n"
    finally:
        if pid.exists():
            subprocess.run(["kill", pid.read_text().strip()], check=False)


def test_the_hosts_sshd_is_checked(client: ThinClient, tmp_path: Path) -> None:
    def checked(config: Path) -> tuple[int, str]:
        command = [HCA_BIND, "passthrough", "host-setup", "--lang", "en"]
        done = subprocess.run(
            [*command, "--sshd-config", str(config)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    status, text = checked(client.host.sshd_config)
    assert status == 0
    assert "[ OK ] AllowStreamLocalForwarding yes" in text
    assert "[note] StreamLocalBindUnlink no" in text
    told = tmp_path / "as-told"
    told.write_text(f"HostKey {client.host.config.parent / 'host'}\n{text.partition('[')[0]}")
    status, text = checked(told)  # what it prints is a configuration, and satisfies it
    assert status == 0
    assert "[note]" not in text
    bad = tmp_path / "bad"
    bad.write_text(
        f"HostKey {client.host.config.parent / 'host'}\n"
        "AllowStreamLocalForwarding local\nStreamLocalBindMask 0111\n"
    )
    status, text = checked(bad)
    assert status == 1
    assert "[ !! ] AllowStreamLocalForwarding local" in text
    assert "[ !! ] StreamLocalBindMask 0111" in text
    assert checked(tmp_path / "none")[0] == 3
