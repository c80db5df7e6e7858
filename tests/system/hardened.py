"""Runs a program as systemd would run it by a unit's lines, where no systemd runs.

    python hardened.py UNIT ACCOUNT KEEP... -- PROGRAM...

What is done here is done by systemd.exec(5)'s words: file systems, /proc, capabilities, limits, the
system calls of the groups that systemd-analyze(1) names, address families. What is not: cgroups
(DevicePolicy, MemoryMax, TasksMax), and what forbids calls that only a few programs ever make. KEEP
are folders that stay visible, because the tests lie where no installation does.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NO_NEW_PRIVS, BOUNDING_DROP = 38, 24  # prctl(2)
ALLOW, KILL = 0x7FFF0000, 0x80000000  # SCMP_ACT_*
EQUAL = 4  # SCMP_CMP_EQ
HIDDEN = {
    "ProtectHome=yes": ("/home", "/root", "/run/user"),
    "PrivateTmp=yes": ("/tmp", "/var/tmp"),
}


class Compared(ctypes.Structure):
    """struct scmp_arg_cmp of <seccomp.h>."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def mount(*words: str, keep: tuple[int, ...] = ()) -> None:
    subprocess.run(["mount", *words], check=True, pass_fds=keep)


def hide(folder: str, kept: list[Path]) -> None:
    """An empty file system over `folder`; what is kept below it shows through."""
    if not Path(folder).is_dir():
        return
    open_folders = {path: os.open(path, os.O_PATH) for path in kept if path.is_relative_to(folder)}
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", folder)
    for path, descriptor in open_folders.items():
        path.mkdir(parents=True)
        mount(
            "--no-canonicalize",
            "--bind",
            f"/proc/self/fd/{descriptor}",
            str(path),
            keep=(descriptor,),
        )
        os.close(descriptor)


def calls(group: str) -> Iterator[str]:
    """The system calls of one of systemd's groups."""
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
    ).stdout
    for line in told.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            yield from calls(name)
        elif name and not name.startswith("#"):
            yield name


def allowed(lines: list[str]) -> set[str]:
    """The first SystemCallFilter= allows, the ones with ~ take away."""
    names: set[str] = set()
    for line in lines:
        words = line.split()
        listed = {name for word in words for name in calls(word.removeprefix("~"))}
        names = names - listed if words[0].startswith("~") else names | listed
    return names | set(calls("@default"))


def restrict(lines: list[str], families: list[str]) -> None:
    """From now on any other call ends the process, as the unit has it."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(KILL)))
    for name in sorted(allowed(lines) - {"socket"}):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # not one of another architecture's
            assert library.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0) == 0, name
    number = library.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        compared = Compared(0, EQUAL, getattr(socket, family), 0)
        assert not library.seccomp_rule_add_array(
            context, ctypes.c_uint32(ALLOW), number, 1, ctypes.byref(compared)
        )
    assert library.seccomp_load(context) == 0


def main(unit: Path, account: int, kept: list[Path], program: list[str]) -> None:
    lines = unit.read_text().splitlines()

    def values(key: str) -> list[str]:
        return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]

    for line, folders in HIDDEN.items():
        assert line in lines
        for folder in folders:
            hide(folder, kept)
    assert "ProtectSystem=strict" in lines
    mount("-o", "remount,bind,ro", "/")
    assert {"ProtectProc=invisible", "ProcSubset=pid"} <= set(lines)
    mount("-t", "proc", "-o", "hidepid=invisible,subset=pid", "proc", "/proc")
    assert values("LimitCORE") == ["0"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(int(values("UMask")[0], 8))
    filters, families = values("SystemCallFilter"), values("RestrictAddressFamilies")[0].split()
    library = ctypes.CDLL(None, use_errno=True)
    assert {"CapabilityBoundingSet=", "NoNewPrivileges=yes"} <= set(lines)
    for capability in range(64):
        if library.prctl(BOUNDING_DROP, capability, 0, 0, 0):
            break
    os.setgroups([])
    os.setresgid(account, account, account)
    os.setresuid(account, account, account)
    assert library.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    os.chdir("/")
    restrict(filters, families)
    os.execv(program[0], program)  # noqa: S606 - no shell comes in


if __name__ == "__main__":
    at = sys.argv.index("--")
    unit_file, account_id, *folders_kept = sys.argv[1:at]
    main(
        Path(unit_file), int(account_id), [Path(each) for each in folders_kept], sys.argv[at + 1 :]
    )
