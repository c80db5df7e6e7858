"""Every file of the catalogue has its shape and nothing else.

The program reads the files as they are: what loads a schema would stay in the memory of each
session that waits, beside the one remedy that it shows.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from client.port import Label
from screens.troubleshooting.catalogue import FOLDER, Condition, Fixer
from screens.wizard import Step


class CauseTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zh: str
    en: str
    when: tuple[Condition, ...] = ()


class RemedyTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of `remedies/<subject>.toml`."""

    fixer: Fixer
    tell: Label
    causes: tuple[CauseTable, ...]
    steps: tuple[Label, ...]
    link: Step | None = None


class EntryTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[entry.<code>]` of `entries/<family>.toml`; `also` are codes of the same meaning."""

    title: Label
    remedy: str  # subject/name
    also: tuple[str, ...] = ()
    causes: tuple[CauseTable, ...] = ()
    messages: tuple[str, ...] = ()


class FamilyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `entries/<family>.toml`; `aliases` are what people call the source."""

    source: Label
    entry: dict[str, EntryTable]
    aliases: tuple[str, ...] = ()


ENTRIES = sorted((FOLDER / "entries").glob("*.toml"))
REMEDIES = sorted((FOLDER / "remedies").glob("*.toml"))


def read(path: Path, shape: Any) -> Any:
    return msgspec.convert(tomllib.loads(path.read_text("utf-8")), shape)


@pytest.mark.parametrize("path", ENTRIES, ids=[path.stem for path in ENTRIES])
def test_a_file_of_entries_has_its_shape(path: Path) -> None:
    file: FamilyFile = read(path, FamilyFile)
    for entry in file.entry.values():
        subject, _, name = entry.remedy.partition("/")
        assert name in read(FOLDER / "remedies" / f"{subject}.toml", dict[str, RemedyTable])


@pytest.mark.parametrize("path", REMEDIES, ids=[path.stem for path in REMEDIES])
def test_a_file_of_remedies_has_its_shape(path: Path) -> None:
    assert read(path, dict[str, RemedyTable])


@pytest.mark.parametrize(
    "slip", ["fixer = 1", 'fixer = "nobody"', "stpes = []", 'link = "nowhere"']
)
def test_a_slip_is_found(slip: str) -> None:
    remedy = """
        [absent]
        fixer = "user"
        tell = { zh = "甲", en = "a" }
        causes = [{ zh = "甲", en = "a", when = ["no-card"] }]
        steps = [{ zh = "甲", en = "a" }]
    """
    shape = dict[str, RemedyTable]
    assert msgspec.convert(tomllib.loads(remedy), shape)
    wrong = remedy.replace('fixer = "user"', slip) if slip.startswith("fixer") else remedy + slip
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(tomllib.loads(wrong), shape)
