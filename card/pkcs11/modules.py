"""Which PKCS#11 modules this machine has, and which cards each of them is for."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec


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
    """A module file and the cards that it is offered to; `named`: by the settings."""

    path: Path
    cards: frozenset[For]
    named: bool = False


@dataclass(frozen=True)
class Places:
    """Where modules are looked for: p11-kit's folders of *.module files, and library folders."""

    configurations: tuple[Path, ...] = ()
    libraries: tuple[Path, ...] = field(default=())

    @staticmethod
    def of_this_system() -> Places:
        """As each system keeps them (pkcs11.conf(5); the vendors' and OpenSC's packages)."""
        if sys.platform == "win32":
            windows = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"))
            programs = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"))
            # SysWOW64 too: a 32-bit module there is the likeliest reason why none loads.
            folders = [windows / "System32", programs / "OpenSC Project/OpenSC/pkcs11"]
            return Places(libraries=(*folders, windows / "SysWOW64"))
        if sys.platform == "darwin":
            folders = [
                Path("/usr/local/lib"),
                Path("/opt/homebrew/lib"),
                Path("/Library/OpenSC/lib"),
            ]
            return Places(libraries=tuple(folders))
        own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        roots = ("/etc/pkcs11", "/usr/share/p11-kit", "/usr/lib/p11-kit")
        configurations = (own / "pkcs11/modules", *(Path(root) / "modules" for root in roots))
        multiarch = sysconfig.get_config_var("MULTIARCH") or ""
        libraries = [f"/usr/lib/{multiarch}", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
        return Places(
            configurations,
            tuple(Path(folder) / inner for folder in libraries for inner in ("pkcs11", "")),
        )


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


def find(settings: Iterable[Module], places: Places | None = None) -> tuple[Module, ...]:
    """Every known module of this machine: the settings' own first, each file once."""
    places = places or Places.of_this_system()
    found: dict[Path, Module] = {}
    known = (
        Module(path, line.cards)
        for path in (*_configured(places), *_lying(places.libraries))
        if (line := maker(path)) is not None
    )
    for module in (*settings, *known):
        found.setdefault(module.path.resolve(), module)
    return tuple(found.values())


def _configured(places: Places) -> Iterator[Path]:
    """What p11-kit's files name (pkcs11.conf(5)): a path, or a file in a library folder."""
    for folder in places.configurations:
        for file in _listed(folder):
            if file.suffix != ".module":
                continue
            try:
                text = file.read_text("utf-8", errors="replace")
            except OSError:
                continue
            line = re.search(r"^\s*module\s*:\s*(\S.*?)\s*$", text, re.MULTILINE)
            if line is None:
                continue
            tried = [folder / line[1] for folder in places.libraries]  # an absolute path wins
            yield next((path for path in tried if path.is_file()), Path(line[1]))


def _lying(folders: Collection[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in _listed(folder) if maker(path) is not None)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
