"""Which modules p11-kit's configurations give to this program (pkcs11.conf(5)).

`critical` bears on nothing: it ends the loading of all registered modules, and here each is loaded
alone, in a process of its own, when a card needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "hca-bind"  # in enable-in and disable-in
_LIST = re.compile(r"[,\s]+")


@dataclass(frozen=True)
class Registered:
    """`given`: in p11-kit's order. `kept`: what the configurations keep from this program."""

    given: tuple[Path, ...]
    kept: frozenset[Path]


@dataclass(frozen=True)
class _Entry:
    """The files of one name: a setting counts where it stands first, the person's own before all.

    `paths` are those of every file; the first is the module, and blank where there shall be none.
    """

    name: str
    settings: dict[str, str]
    paths: tuple[str, ...]

    @property
    def order(self) -> tuple[int, str]:
        """Higher priority first, then by the alphabet."""
        try:
            return -int(self.settings.get("priority", "0")), self.name
        except ValueError:
            return 0, self.name

    @property
    def for_us(self) -> bool:
        """With both lists, which the manual forbids, p11-kit goes by enable-in."""
        only, never = self.settings.get("enable-in"), self.settings.get("disable-in")
        if only is not None:
            return PROGRAM in _LIST.split(only)
        return never is None or PROGRAM not in _LIST.split(never)


def registered(folders: Iterable[Path], located: Callable[[str], Path]) -> Registered:
    """What the *.module files of the folders say; a folder before another overrides it.

    `located` makes a path of what a file says of its module's.
    """
    files: dict[str, list[dict[str, str]]] = {}
    for file in (each for folder in folders for each in listed(folder)):
        if file.suffix == ".module":
            try:
                text = file.read_text("utf-8", errors="replace")
            except OSError:
                continue
            files.setdefault(file.name, []).append(_settings(text))
    given: list[Path] = []
    kept: set[Path] = set()
    for entry in sorted((_merged(*each) for each in files.items()), key=lambda each: each.order):
        first, *others = entry.paths or ("",)
        if first and entry.for_us:
            given.append(located(first))
        else:
            others = [first, *others]
        kept.update(located(path) for path in others if path)
    return Registered(tuple(given), frozenset(kept.difference(given)))


def listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _settings(text: str) -> dict[str, str]:
    """A name, a colon and a value a line; # begins a comment where it begins the line."""
    pairs = (line.partition(":") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _merged(name: str, files: list[dict[str, str]]) -> _Entry:
    settings = {key: value for file in reversed(files) for key, value in file.items()}
    return _Entry(name, settings, tuple(file["module"] for file in files if "module" in file))
