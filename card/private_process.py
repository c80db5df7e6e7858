"""What keeps a process that holds a PIN to itself: no core file, no tracer, no readable files."""

from __future__ import annotations

import os
import sys

PRIVATE = 0o077  # umask: what this process writes is its owner's alone
_PR_SET_DUMPABLE = 4  # <linux/prctl.h>


def keep_private() -> None:
    """For this process and what it forks: private files, no core, and on Linux no ptrace.

    A process that is not dumpable belongs to root in /proc, so that another one of the same user
    can neither attach to it nor read its memory (prctl(2), ptrace(2)). A program that it starts
    by execve is dumpable again and has to ask for itself. Raises OSError where the kernel refuses.
    """
    os.umask(PRIVATE)
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        set_process(_PR_SET_DUMPABLE, 0)


def set_process(option: int, value: int) -> None:
    """prctl(2). Raises OSError."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
