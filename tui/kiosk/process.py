"""What keeps a person's data inside the process: no dump, no tracer, no inherited environment."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from card.private_process import keep_private, set_process
from tui.errors import FileUnusable

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38  # <linux/prctl.h>
MEMORY = 512 * 2**20  # bytes of data for one process; what asks for more has gone astray


def environment(term: str, pcsc_socket: Path | None) -> dict[str, str]:
    """Everything that a kiosk's process knows of its surroundings."""
    known = {
        "TERM": term,
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",  # so that nobody's settings count, and nothing is kept there
    }
    if pcsc_socket is not None:
        known["PCSCLITE_CSOCK_NAME"] = str(pcsc_socket)
    return known


def start_scrubbed(arguments: Sequence[str] = sys.orig_argv) -> None:
    """Start the program anew without what its environment could change; at once where it has none.

    Raises FileUnusable where this account cannot.

    Python and the dynamic linker read PYTHON* and LD_* before any line of ours, so taking them
    away here would be too late. Isolated mode (-I) also keeps the working folder and the user's
    own packages out.
    """
    frozen = getattr(sys, "frozen", False)
    if not frozen and (
        not sys.flags.isolated or any(name.startswith("LD_") for name in os.environ)
    ):
        bare = environment(os.environ.get("TERM", ""), None)
        command = [sys.executable, "-I", "-B", *_script(arguments)]
        try:
            os.execve(sys.executable, command, bare)  # noqa: S606 - a shell is what must not come in
        except OSError as error:  # installed where only another account can read it
            raise FileUnusable(sys.executable) from error


def _script(arguments: Sequence[str]) -> Sequence[str]:
    """The command line from the script on, without the interpreter and its own options."""
    rest = list(arguments[1:])
    while rest and rest[0].startswith("-") and rest[0] not in {"-m", "-c"}:
        rest.pop(0)
    return rest


def seal(term: str, pcsc_socket: Path | None) -> None:
    """For this process and its children: no core, no ptrace, no open files, no new privileges."""
    os.environ.clear()
    os.environ.update(environment(term, pcsc_socket))
    os.chdir("/")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    keep_private()
    set_process(PR_SET_NO_NEW_PRIVS, 1)


def die_with(parent: int) -> None:
    """In a child: end by SIGKILL when `parent` does."""
    set_process(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)
