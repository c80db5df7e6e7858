"""The shapes of the catalogue's TOML files, checked strictly so that a slip is found at once."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from client.port import Label
from screens.troubleshooting.catalogue import Condition, Fixer
from screens.wizard import Step

T = TypeVar("T")


class CauseData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zh: str
    en: str
    when: tuple[Condition, ...] = ()


class RemedyData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of `remedies/<subject>.toml`."""

    fixer: Fixer
    tell: Label
    causes: tuple[CauseData, ...]
    steps: tuple[Label, ...]
    link: Step | None = None


class EntryData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[entry.<code>]` of `entries/<family>.toml`; `also` are codes of the same meaning."""

    title: Label
    remedy: str  # subject/name
    also: tuple[str, ...] = ()
    causes: tuple[CauseData, ...] = ()
    messages: tuple[str, ...] = ()


class FamilyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `entries/<family>.toml`; `aliases` are what people call the source."""

    source: Label
    entry: dict[str, EntryData]
    aliases: tuple[str, ...] = ()


def read(path: Path, shape: type[T]) -> T:
    """The file in its shape. Raises msgspec.ValidationError naming the field that is wrong."""
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), shape)
