"""How a fetched component gets onto this machine: plans as data, shown before anything is run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from client.components.manifest import How
from tui.errors import InstallDenied, InstallFailed

if TYPE_CHECKING:
    from client.components.manifest import Component

SECONDS = 1800.0  # for one command; an installer with windows waits for a person
SHARED = 0o022  # umask of an installation
REFUSED = {"pkexec": (126, 127), "sudo": (1,)}  # their own exit statuses for "not allowed"


class Rights(Enum):
    """How a command gets the privileges it needs."""

    ROOT = "root"  # it has them
    SUDO = "sudo"
    PKEXEC = "pkexec"
    OWN = "own"  # none needed: the installer asks by itself, or the place is the user's own
    NONE = "none"  # an administrator must do it


APT = (
    *("env", "DEBIAN_FRONTEND=noninteractive"),
    *("apt-get", "-o", "DPkg::Lock::Timeout=60"),
    *("install", "--yes", "--no-install-recommends"),
)
PREFIX: Mapping[Rights, tuple[str, ...]] = {
    Rights.SUDO: ("sudo",),
    Rights.PKEXEC: ("pkexec",),
    Rights.NONE: ("sudo",),  # what the administrator will type
}


@dataclass(frozen=True)
class Places:
    """Where a bare module goes, and where p11-kit looks for registrations (pkcs11.conf(5))."""

    modules: Path = Path("/usr/local/lib/pkcs11")
    registry: Path = Path("/etc/pkcs11/modules")


def rights(environment: Mapping[str, str], *, allowed: bool = True) -> Rights:
    """What this run may use. `allowed` False is a kiosk, or a setting: nothing is run at all."""
    if not allowed:
        return Rights.NONE
    if sys.platform == "win32" or os.geteuid() == 0:
        return Rights.OWN if sys.platform == "win32" else Rights.ROOT
    windows = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    if windows and shutil.which("pkexec"):
        return Rights.PKEXEC
    return Rights.SUDO if shutil.which("sudo") else Rights.NONE


def commands(component: Component, file: Path | None, places: Places) -> list[tuple[str, ...]]:
    """What installs the component; `file` is the verified download.

    A module's registration is written beside the download here, so that the commands stay plain.
    Raises OSError.
    """
    match component.how:
        case How.APT:
            return [(*APT, *component.packages)]
        case How.DEB:
            return [(*APT, str(file))]
        case How.MSI:
            return [("msiexec", "/i", str(file))]
        case How.EXE:
            return [(str(file),)]
        case How.PKG:
            return [("open", "-W", str(file))]
        case How.MODULE:
            return _module(component, file or Path(), places)


def _module(component: Component, file: Path, places: Places) -> list[tuple[str, ...]]:
    name = component.file.name if component.file else file.name
    module = places.modules / name
    registration = file.with_name(f"{component.id}.module")
    registration.write_text(f"module: {module}\n", "utf-8")
    # `install` replaces a file by a new one, so a program that has the old one loaded lives on
    return [
        ("mkdir", "-p", str(places.modules), str(places.registry)),
        ("install", "-m", "0755", str(file), str(module)),
        ("install", "-m", "0644", str(registration), str(places.registry / registration.name)),
    ]


def own_rights(how: How, granted: Rights) -> Rights:
    """Installers with windows of their own ask for what they need."""
    if granted is Rights.NONE or how not in {How.MSI, How.EXE, How.PKG}:
        return granted
    return Rights.OWN


def typed(command: tuple[str, ...], granted: Rights) -> str:
    """The command as a person would type it."""
    return shlex.join((*PREFIX.get(granted, ()), *command))


def asks(granted: Rights) -> tuple[str, ...]:
    """What asks for the password on the terminal; empty where sudo already has it."""
    if granted is not Rights.SUDO:
        return ()
    known = _status(("sudo", "-n", "true"), None)
    return () if known == 0 else ("sudo", "-v")


def run(plan: list[tuple[str, ...]], granted: Rights, log: Path) -> None:
    """Run the commands one by one; their output goes to `log`. Raises InstallFailed,

    InstallDenied. Nothing is run where `granted` is NONE.
    """
    if granted is Rights.NONE:
        raise InstallDenied
    prefix = ("sudo", "-n") if granted is Rights.SUDO else PREFIX.get(granted, ())
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    log.write_bytes(b"")
    for command in plan:
        status = _status((*prefix, *command), log)
        if status == 0:
            continue
        if prefix and status in REFUSED.get(prefix[0], ()) and b"apt" not in log.read_bytes():
            raise InstallDenied
        raise InstallFailed(Path(command[0]).name, status, str(log))


def _status(command: tuple[str, ...], log: Path | None) -> int:
    """The exit status; 127 where it cannot be started, 124 where it never ended."""
    with Path(os.devnull).open("wb") if log is None else log.open("ab") as output:
        try:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=SECONDS,
                check=False,
                umask=SHARED,  # ours is private; what is installed is for everybody
            ).returncode
        except OSError:
            return 127
        except subprocess.TimeoutExpired:
            return 124
