"""Which PKCS#11 modules this machine has, and which cards each of them is for."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from card.errors import CardModuleKept, CardModuleMissing
from card.pkcs11.p11_kit import CONFIGURATION, Registered, Registry, listed, own_folder, registered
from card.pkcs11.p11_kit import MODULES as MODULE_FILES


class For(StrEnum):
    """The cards that a module is offered to; settings.toml writes these names."""

    HPC = "HPC"  # 醫事憑證, person and institution: one applet
    MOICA = "MOICA"  # and GPKI
    OTHER = "OTHER"  # cards without a name here: PIV and what else the module may know


@dataclass(frozen=True)
class Maker:
    """One line of what is known of modules: the file names match `pattern` in any case."""

    pattern: str
    cards: frozenset[For]
    source: str


# A module whose name stands in no line is used only where the settings name it.
MAKERS = (
    Maker(r"(lib)?hcapkcs11.*", frozenset({For.HPC}), "HCA's component package"),
    Maker(r"opensc-pkcs11", frozenset({For.OTHER}), "OpenSC, supported hardware"),
    # Another card family's: it must never be offered a 醫事憑證 card.
    Maker(r"(lib)?hicos(_?p11|pkcs11).*", frozenset({For.MOICA}), "HiCOS client packages"),
)
_SUFFIXES = (".so", ".dll", ".dylib")


@dataclass(frozen=True)
class Module:
    """A module file and the cards that it is offered to; `named`: by the settings.

    `kept`: the file of p11-kit's that keeps it from this program, which does not load it then.
    """

    path: Path
    cards: frozenset[For]
    named: bool = False
    kept: Path | None = None


@dataclass(frozen=True)
class Places:
    """Where modules are looked for: in p11-kit's files, and in library folders.

    A path in a *.module file begins at `root`.
    """

    registry: Registry | None = None
    libraries: tuple[Path, ...] = ()
    root: Path = Path("/")

    @staticmethod
    def of(system: str, root: Path, own: Path | None = None) -> Places:
        """As each system keeps them (pkcs11.conf(5); the vendors' and OpenSC's packages).

        `system` as sys.platform has it, `root` its `/` or drive, `own` the user's ~/.config/pkcs11.
        """
        if system == "win32":
            # SysWOW64 too: a 32-bit module there is the likeliest reason why none loads.
            folders = ["Windows/System32", "Program Files/OpenSC Project/OpenSC/pkcs11"]
            folders += ["Program Files/*", "Program Files (x86)/*", "Windows/SysWOW64"]
            return Places(None, _matching(root, folders), root)
        if system == "darwin":
            folders = ["usr/local/lib", "opt/homebrew/lib", "Library/OpenSC/lib"]
            return Places(None, _matching(root, folders), root)
        registries = ("etc/pkcs11", "usr/share/p11-kit", "usr/lib/p11-kit")
        registry = Registry(
            root / registries[0] / CONFIGURATION,
            tuple(root / each / MODULE_FILES for each in registries),
            own,
        )
        # Those of other word sizes last: a module there tells why none loads.
        multiarch = sysconfig.get_config_var("MULTIARCH") or "*-linux-*"
        ours = ["usr/local/lib", f"usr/lib/{multiarch}", "usr/lib64", "usr/lib"]
        others = ["usr/lib/*-linux-*", "lib/*-linux-*", "lib"]
        folders = [
            each + inner for group in (ours, others) for inner in ("/pkcs11", "") for each in group
        ]
        return Places(registry, _matching(root, folders), root)

    def located(self, module: str) -> Path:
        """The file that a *.module file names: by its path, or in a library folder."""
        path = Path(module)
        if path.is_absolute():
            return self.root / path.relative_to(path.anchor)
        tried = (folder / path for folder in self.libraries)
        return next((each for each in tried if each.is_file()), path)

    @staticmethod
    def of_this_system() -> Places:
        drive = Path(os.environ.get("SYSTEMDRIVE", "C:") + "\\")
        root = drive if sys.platform == "win32" else Path("/")
        return Places.of(sys.platform, root, own_folder())


def _matching(root: Path, folders: Iterable[str]) -> tuple[Path, ...]:
    """The folders that are there, each once; a folder may be a pattern."""
    return tuple(dict.fromkeys(folder for each in folders for folder in sorted(root.glob(each))))


def named(path: Path, cards: Collection[For] = ()) -> Module:
    """A module that the settings name: for `cards`, else for what its name says, else for any."""
    known = maker(path)
    default = known.cards if known else frozenset({For.HPC, For.OTHER})
    return Module(path, frozenset(cards) or default, named=True)


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A module as settings.toml may name it, beside a mere path."""

    path: str
    cards: tuple[For, ...] = ()


def settled(listed: object) -> tuple[Module, ...]:
    """The modules of the settings: paths and tables. Raises msgspec.ValidationError."""
    entries = msgspec.convert(listed, tuple[str | Named, ...])
    whole = (Named(each) if isinstance(each, str) else each for each in entries)
    return tuple(named(Path(each.path).expanduser(), each.cards) for each in whole)


def maker(path: Path) -> Maker | None:
    """The line of MAKERS for a file of this name."""
    name = path.name.lower()
    for suffix in _SUFFIXES:
        stem, dot, version = name.rpartition(suffix)
        if dot and re.fullmatch(r"(\.\d+)*", version):
            return next((each for each in MAKERS if re.fullmatch(each.pattern, stem)), None)
    return None


def find(
    settings: Iterable[Module], places: Places | None = None, names: Collection[str] = ()
) -> tuple[Module, ...]:
    """Every known module of this machine, each file once: the settings' own first, kept ones last.

    `names`: files that are looked for, too, though nothing is known of them.
    """
    places = places or Places.of_this_system()
    registry = registered(places.registry, places.located) if places.registry else Registered()
    given = {path.resolve() for path in registry.given}
    kept = {path.resolve(): file for path, file in registry.kept.items()}
    lying = (path for folder in places.libraries for path in listed(folder))
    there = (path for path in registry.kept if path.is_file())
    wanted = {name.lower() for name in names}
    found: dict[Path, Module] = {module.path.resolve(): module for module in settings}
    for path in (*registry.given, *lying, *there):
        line = maker(path)
        if line is None and path.name.lower() not in wanted:
            continue
        file = path.resolve()
        keeper = None if file in given else kept.get(file)
        found.setdefault(file, Module(path, line.cards if line else frozenset(), kept=keeper))
    return tuple(sorted(found.values(), key=lambda module: module.kept is not None))


def lack(modules: Iterable[Module]) -> CardModuleMissing:
    """Why none of these is used: p11-kit's files keep one from this program, or there is none."""
    for module in modules:
        if module.kept is not None:
            return CardModuleKept(str(module.path), str(module.kept))
    return CardModuleMissing()
