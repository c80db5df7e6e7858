"""`hca-bind-connect`, the thin client's script: logins, terminals, windows, and how it ends.

Both flows through it are in test_passthrough.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from parts import HCA_BIND
from pcscd import DEADLINE, PCSCD, wait_until
from sshd import host
from terminal import Terminal
from thin_client import (
    BREAK,
    BUSYBOX,
    DASH,
    SHOW,
    WITH_A_TERMINAL,
    ThinClient,
    client,
    far,
    reconnected,
    user,
)

from screens.language import Language, Words
from screens.troubleshooting.catalogue import entry

_ = Words(Language.ZH)
__all__ = ["client", "far"]
LOGIN = b"Invented-login-1"


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


@WITH_A_TERMINAL
def test_a_terminal_that_the_host_does_not_know(client: ThinClient) -> None:
    """tmux would refuse it; it is taken for what nearly all terminals are like."""
    with client.run(DASH, "host", TERM="invented-terminal") as screen:
        screen.until(_("What would you like to do?"))
        screen.press("f10")
        assert screen.ends() == 4


@WITH_A_TERMINAL
def test_a_terminal_that_cannot_do_it(client: ThinClient) -> None:
    """hca-bind says so itself, not tmux."""
    with client.run(DASH, "host", TERM="dumb") as screen:
        assert screen.ends() == 2
    assert screen.shows(entry("app.terminal.unfit").title.zh)


def test_a_home_that_cannot_be_written(client: ThinClient) -> None:
    there = client.home / ".hca-bind"
    shutil.rmtree(there, ignore_errors=True)
    there.write_text("a file where the folder should be")
    try:
        with client.run(DASH, "-l", "en", "host") as screen:
            assert screen.ends() == 3
    finally:
        there.unlink()
    assert screen.shows("No place for the reader on the host")


def test_a_host_that_is_not_there(client: ThinClient) -> None:
    client.host.relay.cut()
    try:
        with client.run(BUSYBOX, "-l", "en", "host") as screen:
            assert screen.ends() == 3
    finally:
        client.host.relay.restore()
    assert screen.shows("Cannot connect to host. See what ssh says above")
    assert client.running == []


# --- how it ends ---------------------------------------------------------------------------------


def to_the_reader(screen: Terminal) -> None:
    """Somewhere in the middle: the reader's step, with the forward in use."""
    screen.until(_("What would you like to do?"))
    screen.type("1")
    screen.until("[1 元件]")


def leave(screen: Terminal) -> None:
    screen.press("f10")
    screen.until(_("Leave?"))
    screen.press("enter")
    assert screen.ends() == 4


@WITH_A_TERMINAL
@pytest.mark.parametrize("shell", [DASH, BUSYBOX], ids=lambda shell: shell[0])
@pytest.mark.parametrize("way", ["window", signal.SIGTERM, signal.SIGINT])
def test_it_takes_everything_with_it(
    client: ThinClient, shell: list[str], way: str | signal.Signals
) -> None:
    """Closing the window, or ending the script, ends the wizard: nobody else shall find it."""
    with client.run(shell, "host") as screen:
        to_the_reader(screen)
        assert client.kept
        assert len(client.sockets) == len(client.running) == 1
        if isinstance(way, signal.Signals):
            screen.process.send_signal(way)
            assert screen.ends() == 4
        else:
            screen.vanish()
            screen.process.wait(DEADLINE)
        wait_until(lambda: not client.kept, "the wizard's end")
        assert list((client.home / ".hca-bind").iterdir()) == client.running == []


@WITH_A_TERMINAL
def test_ctrl_c_while_the_line_is_down(client: ThinClient) -> None:
    with client.run(DASH, "host") as screen:
        to_the_reader(screen)
        client.host.relay.cut()
        screen.until(BREAK)
        screen.press("ctrl+c")
        assert screen.ends() == 4
        assert not screen.raw
        assert client.running == []
    client.host.relay.restore()


@WITH_A_TERMINAL
def test_a_thin_client_that_was_switched_off(client: ThinClient) -> None:
    """Nothing could be said or cleaned up; whoever starts it again goes on where they were."""
    with client.run(DASH, "host") as screen:
        to_the_reader(screen)
        (folder,) = client.running
        client.host.relay.silence()
        os.killpg(screen.process.pid, signal.SIGKILL)
        subprocess.run(["pkill", "-KILL", "-f", f"{folder}/ssh-"], check=True)
    with client.run(DASH, "host") as screen:
        screen.until("[1 元件]")
        leave(screen)
    assert client.running == []


@WITH_A_TERMINAL
def test_a_second_window(client: ThinClient) -> None:
    """It does not take the reader away from the first, and says where that is."""
    with client.run(BUSYBOX, "host") as first:
        to_the_reader(first)
        with client.run(BUSYBOX, "-l", "en", "host") as second:
            assert second.ends() == 3
        assert second.shows("Another window is connected to host: go on there.")
        assert second.shows(f"kill {first.process.pid}")
        leave(first)


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
            {
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "XDG_RUNTIME_DIR": str(client.runtime),
            },
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
