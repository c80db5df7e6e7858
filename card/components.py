"""What a card needs of this machine, and what of it is there: each part with its evidence.

Four parts: the PC/SC library in this process, the PC/SC service, a driver for the reader, and for
some cards their own PKCS#11 module. What can only be known by loading it is loaded in a process
of its own (`card.module_probe`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from card.drivers import drivers, usb_readers
from card.errors import (
    CardError,
    CardModuleKept,
    ComponentBroken,
    ComponentDependency,
    ComponentOld,
    ComponentWordSize,
    DriverMissing,
    DriverUnknown,
    PcscLibraryMissing,
    PcscNotInstalled,
)
from card.library_file import BITS, architectures, this_architecture
from card.module_probe import MARK
from card.pkcs11.modules import Module, lack
from card.recognition import Kind, by_atr

PROBE = Path(__file__).with_name("module_probe.py")
PROBE_SECONDS = 20.0
DAEMONS = ("usr/sbin/pcscd", "usr/bin/pcscd", "usr/local/sbin/pcscd")
LIBRARIES = ("usr/lib/*/", "lib/*/", "usr/lib64/", "usr/lib/", "lib/", "usr/local/lib/")
# The vendor's module of each card family, by the file names known in public.
MODULES: Mapping[Kind, tuple[str, ...]] = {Kind.HPC: ("HCAPKCS11.dll",)}


class Part(StrEnum):
    """One thing that a card needs."""

    LIBRARY = "library"
    SERVICE = "service"
    DRIVER = "driver"
    MODULE = "module"


class State(StrEnum):
    PRESENT = "present"
    OLD = "old"
    BROKEN = "broken"
    MISSING = "missing"
    KEPT = "kept"  # from this program, by who runs the computer


# Below these nothing was ever tried; Ubuntu 22.04 and Debian 12 bring newer ones.
MINIMUM = {Part.SERVICE: "1.9.5", Part.DRIVER: "1.5.0"}


@dataclass(frozen=True)
class Finding:
    """One part: its state, where it is, which version, and what is wrong with it."""

    part: Part
    state: State
    path: str = ""
    version: str = ""
    detail: str = ""  # the reader, the service's version text, a card's module
    error: CardError | None = None


@dataclass(frozen=True)
class Machine:
    """Where to look. `root` is where this system's `/` (on Windows the drive) is mounted."""

    system: str = sys.platform
    root: Path = Path("/")
    architecture: str = field(default_factory=this_architecture)


def families(atrs: Collection[bytes]) -> frozenset[Kind]:
    """The card families that these ATRs name."""
    return frozenset(family for atr in atrs if (family := by_atr(atr)) is not None)


def module_names(wanted: Collection[Kind], also: Collection[str] = ()) -> tuple[str, ...]:
    """The file names of the modules that these families need; `also` are those of a list."""
    known = [name for family in wanted for name in MODULES.get(family, ())]
    return tuple(dict.fromkeys([*known, *also]))


# --- the parts -----------------------------------------------------------------------------------


def library(machine: Machine, load: Callable[[], object] | None = None) -> Finding:
    """The PC/SC library that this process has loaded; where it cannot, why."""
    from card.pcsc_context import load as load_pyscard

    try:
        (load or load_pyscard)()
    except PcscLibraryMissing as error:
        for file in _files(machine, LIBRARIES, "libpcsclite.so.1"):
            _, wrong = examine(file, machine, "library")
            broken = wrong or ComponentBroken(str(file))
            return Finding(Part.LIBRARY, State.BROKEN, str(file), error=broken)
        return Finding(Part.LIBRARY, State.MISSING, error=error)
    return Finding(
        Part.LIBRARY, State.PRESENT, _loaded("libpcsclite"), metadata.version("pyscard"), "pyscard"
    )


def service(machine: Machine, reach: Callable[[], object]) -> Finding:
    """The PC/SC service; `reach` raises PcscError where it does not answer.

    A service that comes through a forwarded socket, and that of Windows or macOS, is only asked.
    """
    daemon = next((file for each in DAEMONS if (file := machine.root / each).exists()), None)
    local = machine.system == "linux" and not os.environ.get("PCSCLITE_CSOCK_NAME")
    where = str(daemon) if daemon and local else ""
    version = _daemon_version(daemon) if daemon and local else ""
    try:
        reach()
    except CardError as error:
        if local and daemon is None:
            return Finding(Part.SERVICE, State.MISSING, error=PcscNotInstalled())
        return Finding(Part.SERVICE, State.BROKEN, where, version, error=error)
    finding = Finding(Part.SERVICE, State.PRESENT, where, version, "pcscd" if where else "")
    return aged(finding, MINIMUM[Part.SERVICE])


def driver(machine: Machine, readers: Collection[str]) -> Finding:
    """A driver for the reader: proved by a reader that PC/SC lists, else what is installed.

    A reader on USB that no installed driver has on its list wants a driver of its own.
    """
    if readers or machine.system == "win32":
        reader = next(iter(readers), "WUDF CCID")
        return Finding(Part.DRIVER, State.PRESENT, detail=reader)
    installed = tuple(drivers(machine.root))
    known = frozenset[str]().union(*(each.usb for each in installed))
    for usb in usb_readers(machine.root):
        if usb not in known:
            return Finding(Part.DRIVER, State.MISSING, detail=usb, error=DriverUnknown(usb))
    plugged = frozenset(usb_readers(machine.root))
    best = next(
        iter(sorted(installed, key=lambda each: (not each.usb & plugged, not each.ccid))), None
    )
    if best is None:
        return Finding(Part.DRIVER, State.MISSING, error=DriverMissing())
    _, wrong = examine(best.library, machine, "driver")
    state = State.BROKEN if wrong else State.PRESENT
    finding = Finding(Part.DRIVER, state, str(best.library), best.version, best.name, wrong)
    return aged(finding, MINIMUM[Part.DRIVER]) if best.ccid else finding


def module(machine: Machine, names: Collection[str], modules: Collection[Module]) -> Finding:
    """The first of these modules that can be used; `names` are the file names that would do."""
    worst: Finding | None = None
    for path in (each.path for each in modules if each.kept is None):
        version, wrong = examine(path, machine, "module")
        state = State.BROKEN if wrong else State.PRESENT
        finding = Finding(Part.MODULE, state, str(path), version, path.name, wrong)
        if wrong is None:
            return finding
        worst = worst or finding
    error = lack(modules)
    if isinstance(error, CardModuleKept):
        none = Finding(Part.MODULE, State.KEPT, error.path, detail=error.file, error=error)
    else:
        none = Finding(Part.MODULE, State.MISSING, detail=", ".join(names), error=error)
    return worst or none


def aged(finding: Finding, minimum: str) -> Finding:
    """The finding as too old where its version is known and below `minimum` (numbers and dots)."""
    if finding.state is not State.PRESENT or not finding.version or not minimum:
        return finding
    if _numbers(finding.version) >= _numbers(minimum):
        return finding
    error = ComponentOld(finding.path or finding.detail, finding.version, minimum)
    return replace(finding, state=State.OLD, error=error)


# --- looking at a library ------------------------------------------------------------------------


def examine(path: Path, machine: Machine, kind: str) -> tuple[str, CardError | None]:
    """Version and what is wrong with a library; `kind`: library, driver or (PKCS#11) module.

    The header first: the wrong word size is the commonest fault, and loading such a file tells
    nothing more. Then it is loaded, in another process.
    """
    try:
        made_for = architectures(path)
    except OSError:
        return "", ComponentBroken(str(path))
    if not made_for:
        return "", ComponentBroken(str(path))
    if machine.architecture not in made_for:
        bits = BITS.get(min(made_for), 0)
        return "", ComponentWordSize(str(path), bits, BITS.get(machine.architecture, 0))
    try:
        run = subprocess.run(
            [sys.executable, "-I", "-S", str(PROBE), str(path), kind],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
        line = run.stdout.decode("utf-8", "replace").rpartition(MARK)[2]
        answer = json.loads(line)
    except (OSError, ValueError, subprocess.TimeoutExpired):  # it crashed, or it hangs
        return "", ComponentBroken(str(path))
    match answer.get("why"):
        case None:
            return str(answer.get("version", "")), None
        case "dependency":
            return "", ComponentDependency(str(path), str(answer["library"]))
        case _:
            return "", ComponentBroken(str(path))


def _files(machine: Machine, folders: Collection[str], name: str) -> list[Path]:
    return [path for folder in folders for path in sorted(machine.root.glob(folder + name))]


def _daemon_version(daemon: Path) -> str:
    try:
        run = subprocess.run(
            [str(daemon), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(rb"version (\d+(?:\.\d+)*)", run.stdout)
    return found[1].decode() if found else ""


def _loaded(name: str) -> str:
    """The path of a library in this process (Linux: proc(5), maps)."""
    try:
        lines = Path("/proc/self/maps").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    paths = (line.split(None, 5)[-1] for line in lines)
    return next((path for path in paths if Path(path).name.startswith(name)), "")


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.findall(r"\d+", version)]
    while numbers and numbers[-1] == 0:  # 1.5 is 1.5.0
        numbers.pop()
    return tuple(numbers)
