"""Which modules p11-kit's configurations give to this program (pkcs11.conf(5)).

Where the manual is silent, what libp11-kit 0.24 does is done here (tests/system/test_p11_kit.py). A
line or a value of a file that it does not understand ends its reading: nobody is given a module.
`critical` bears on nothing: it ends the loading of all registered modules, and here each is loaded
alone, in a process of its own, when a card needs it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

PROGRAM = "hca-bind"  # in enable-in and disable-in
CONFIGURATION, MODULES = "pkcs11.conf", "modules"  # beside each other
_LIST = re.compile(r"[,\s]+")


@dataclass(frozen=True)
class Registry:
    """Where p11-kit's files lie: pkcs11.conf, and the folders of *.module files.

    A folder overrides those after it. `own` is a person's ~/.config/pkcs11, which has both and
    overrides them all; None where no person's files are read.
    """

    configuration: Path
    folders: tuple[Path, ...]
    own: Path | None = None


@dataclass(frozen=True)
class Registered:
    """`given`: in p11-kit's order. `kept`: those that its files keep from us, and which does."""

    given: tuple[Path, ...] = ()
    kept: Mapping[Path, Path] = field(default_factory=dict)


def own_folder() -> Path | None:
    """The ~/.config/pkcs11 of who runs this; None for root, or where p11-kit is told so."""
    root = hasattr(os, "getuid") and os.getuid() == 0
    if root or "P11_KIT_NO_USER_CONFIG" in os.environ:
        return None
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pkcs11"


class _Read(Enum):
    """Whose *.module files are read, as `user-config` words it; `override` is `only`."""

    NONE = "none"
    MERGE = "merge"
    ONLY = "only"
    NOTHING = ""  # for a file that is not understood


@dataclass(frozen=True)
class _File:
    """`sound`: libp11-kit can read all of it; what can be read of another is here, too."""

    path: Path
    settings: Mapping[str, str]
    sound: bool = True

    def user_config(self, otherwise: _Read) -> _Read:
        said = self.settings.get("user-config", otherwise.value)
        try:
            mode = _Read.ONLY if said == "override" else _Read(said)
        except ValueError:
            return _Read.NOTHING
        return mode if self.sound else _Read.NOTHING


@dataclass(frozen=True)
class _Entry:
    """The files of one name: a setting counts where it stands first, the person's before all."""

    name: str
    files: tuple[_File, ...]

    def says(self, setting: str) -> Iterator[tuple[str, Path]]:
        """What the files say of it, and which does, those that count first."""
        return ((f.settings[setting], f.path) for f in self.files if setting in f.settings)

    @property
    def order(self) -> tuple[int, str]:
        """Higher priority first, then by the alphabet."""
        priority, _ = next(self.says("priority"), ("0", None))
        try:
            return -int(priority), self.name
        except ValueError:
            return 0, self.name

    @property
    def keeper(self) -> Path | None:
        """The file that keeps it from us, None where none does.

        With both lists, which the manual forbids, p11-kit goes by enable-in.
        """
        for programs, file in self.says("enable-in"):
            return None if PROGRAM in _LIST.split(programs) else file
        for programs, file in self.says("disable-in"):
            return file if PROGRAM in _LIST.split(programs) else None
        return None


def registered(registry: Registry, located: Callable[[str], Path]) -> Registered:
    """What p11-kit's files say; `located` makes a path of what a file says of its module's."""
    own = _modules(registry.own / MODULES, own=True) if registry.own else []
    system = [file for folder in registry.folders for file in _modules(folder)]
    decides, mode = _user_config(registry)
    read = [*(own if mode is not _Read.NONE else ()), *(system if mode is not _Read.ONLY else ())]
    stops = None if mode is not _Read.NOTHING else decides
    stops = stops or next((file.path for file in read if not file.sound), None)
    named: dict[str, list[_File]] = {}
    for file in read:
        named.setdefault(file.path.name, []).append(file)
    given: list[Path] = []
    kept: dict[Path, Path] = {}
    entries = (_Entry(name, tuple(files)) for name, files in named.items())
    for entry in sorted(entries, key=lambda each: each.order):
        keeper = stops or entry.keeper
        for module, where in entry.says("module"):
            if module and keeper is None:
                given.append(located(module))
            keeper = keeper or where  # the first module counts; a blank one is none
            if module:
                kept.setdefault(located(module), keeper)
    for file in (*own, *system):  # those that are not read
        if unread := file.settings.get("module"):
            kept.setdefault(located(unread), decides)
    return Registered(tuple(given), {path: kept[path] for path in kept if path not in given})


def listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _modules(folder: Path, *, own: bool = False) -> list[_File]:
    return [_parsed(file, own=own) for file in listed(folder) if file.suffix == ".module"]


def _user_config(registry: Registry) -> tuple[Path, _Read]:
    """Which file says whose modules are read, and what: the person's own, unless left out."""
    mode = _parsed(registry.configuration).user_config(_Read.MERGE)
    if mode is _Read.NOTHING or mode is _Read.NONE:
        return registry.configuration, mode
    if registry.own is None:
        return registry.configuration, _Read.NONE
    file = _parsed(registry.own / CONFIGURATION, own=True)
    if "user-config" in file.settings or not file.sound:
        return file.path, file.user_config(mode)
    return registry.configuration, mode


def _parsed(file: Path, *, own: bool = False) -> _File:
    """A name, a colon and a value a line; # begins a comment where it begins the line.

    A file that is not there is empty, and so is a person's `own` that may not be read.
    """
    try:
        text = file.read_text("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return _File(file, {})
    except OSError as error:
        return _File(file, {}, sound=own and isinstance(error, PermissionError))
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line and not line.startswith("#")]
    pairs = (line.partition(":") for line in lines)
    settings = {name.strip(): value.strip() for name, colon, value in pairs if colon}
    sound = all(":" in line and not line.startswith(("[", "-----BEGIN ")) for line in lines)
    return _File(file, settings, sound)
