"""The process of every form of the program: no core, no tracer of the same user, private files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from parts import HCA_BIND, end_process
from pcscd import wait_until
from raw_server import RawServer, Reply, Then
from terminal import Terminal

NO_PRIVILEGES = (
    *("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
    *("sh", "-c", 'exec "$@"', "sh"),
)
# Opening one takes what attaching a debugger takes (ptrace(2), PTRACE_MODE_ATTACH and _READ).
SECRETS = ("mem", "environ")
# PTRACE_SEIZE, as a debugger attaches (ptrace(2)); where Yama is on only a parent may.
ATTACH = (
    "import ctypes, sys; libc = ctypes.CDLL(None);"
    "sys.exit(libc.ptrace(0x4206, int(sys.argv[1]), None, None) != 0)"
)
YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
FORMS = {
    "virtual-card": [HCA_BIND, "virtual-card", "--vpcd", "127.0.0.1:{port}"],
    "line mode": [HCA_BIND, "--service", "https://127.0.0.1:{port}", "verify"],
    "PKCS#11 helper": [sys.executable, "-m", "card.pkcs11.helper", "60"],
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and prctl are Linux's")


def unprivileged(command: Sequence[str]) -> list[str]:
    """As any user has it: root's rights over other processes put aside."""
    return [*(NO_PRIVILEGES if os.geteuid() == 0 else ()), *command]


def readable(pid: int, file: str) -> bool:
    """Can another process of the same user open it?"""
    look = unprivileged(["sh", "-c", f"exec 3</proc/{pid}/{file} && head -c 1 <&3"])
    return subprocess.run(look, capture_output=True, check=False).returncode == 0


def attached(pid: int) -> bool:
    """Does a debugger of the same user come in?"""
    attach = unprivileged([sys.executable, "-c", ATTACH, str(pid)])
    return subprocess.run(attach, capture_output=True, check=False).returncode == 0


def assert_private(pid: int) -> None:
    proc = Path(f"/proc/{pid}")
    wait_until(lambda: "Umask:\t0077" in (proc / "status").read_text(), "a private umask")
    wait_until(lambda: not readable(pid, "environ"), "a process that is not dumpable")
    limits = (proc / "limits").read_text().splitlines()
    (core,) = (line.split()[4:6] for line in limits if line.startswith("Max core file size"))
    assert core == ["0", "0"]
    assert not any(readable(pid, file) for file in SECRETS)
    assert not attached(pid)


@contextmanager
def running(command: Sequence[str]) -> Iterator[int]:
    keyboard, end = os.pipe()  # open for as long as it runs
    process = subprocess.Popen(
        unprivileged(command),
        stdin=keyboard,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        end_process(process)
        os.close(keyboard)
        os.close(end)


def test_the_check_itself_can_fail() -> None:
    with running(["sleep", "60"]) as pid:
        wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", "sleep")
        assert readable(pid, "environ")
        if not YAMA.exists() or YAMA.read_text() == "0\n":
            assert attached(pid)


@pytest.mark.parametrize("form", FORMS)
def test_what_works_without_a_screen_keeps_to_itself(form: str) -> None:
    with RawServer(lambda *_: Reply(then=Then.HANG), None) as server:
        command = [part.format(port=server.port) for part in FORMS[form]]
        with running(command) as pid:
            assert_private(pid)


def test_the_wizard_keeps_to_itself() -> None:
    with Terminal(unprivileged([HCA_BIND, "demo"]), {"LANG": "C.UTF-8"}) as screen:
        wait_until(lambda: screen.raw, "the wizard")
        assert_private(screen.process.pid)


def test_nothing_in_the_environment_opens_the_developers_tools(tmp_path: Path) -> None:
    """Textual would send every message to them, and write them to its log."""
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as tools:
        environment = {
            "LANG": "C.UTF-8",
            "TEXTUAL": "devtools,debug",
            "TEXTUAL_LOG": str(log),
            "TEXTUAL_DEVTOOLS_HOST": "127.0.0.1",
            "TEXTUAL_DEVTOOLS_PORT": str(tools.getsockname()[1]),
        }
        with Terminal([HCA_BIND, "demo"], environment) as screen:
            screen.until("1")
            screen.press("1")
            screen.until("PIN")
            tools.setblocking(False)
            with pytest.raises(BlockingIOError):
                tools.accept()
    assert not log.exists()


def test_files_of_the_program_are_their_owner_s_alone(tmp_path: Path) -> None:
    """Where the folder did not say so already, the umask does."""
    process = subprocess.Popen(
        [HCA_BIND, "sandbox", "--port", "0", "--data", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until((tmp_path / "data" / "sandbox.sqlite3").exists, "the database")
    finally:
        end_process(process)
    made = [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077]
    assert made == []
