"""The catalogue: for every code a title, causes in order of likelihood, steps and who can help.

The texts are data that a translator edits: `entries/<family>.toml` (the family is a code's first
part) says what a code means and names its remedy; `remedies/<subject>.toml` holds causes and
steps, so codes that say the same thing share one remedy. Files are read when they are needed.

A text may name facts of the error: `{host}` is replaced by the fact, or by a neutral word; a part
in square brackets is left out when one of its facts is missing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from card.text import clean
from client.port import Label
from screens.language import Language
from screens.wizard import Fact, Step

FOLDER = Path(__file__).parent
WIDEST = 240  # columns of one fact in a text
UNEXPECTED = "app.unexpected"  # an exception that no error tree foresees


class Fixer(StrEnum):
    """Who can make it work again."""

    USER = "user"
    IT = "it"  # the institution's own computer people
    HCA = "hca"  # 醫事憑證管理中心
    SERVICE = "service"  # those who run the reporting service


class Condition(StrEnum):
    """What the wizard may know that makes one cause likelier than the others."""

    COMPONENT_MISSING = "component-missing"  # library, service, driver or card module
    NO_READER = "no-reader"
    NO_CARD = "no-card"
    NHI_LIKELY = "nhi-likely"  # an NHI card or reader was seen
    FORWARDED = "forwarded"  # the PC/SC socket comes from another machine
    REMOTE = "remote"  # a remote login, with the reader on this machine
    SLOW = "slow"  # the time allowed had run out
    CLOCK = "clock"  # this computer's clock differs from the service's
    OFFLINE = "offline"  # no network at all


@dataclass(frozen=True)
class Cause:
    """One possible cause; with any of `when` true it is shown before the others."""

    text: Label
    when: frozenset[Condition] = frozenset()


@dataclass(frozen=True)
class Remedy:
    """What to do: shared by every entry that says the same thing; `id` is subject/name."""

    id: str
    fixer: Fixer
    causes: tuple[Cause, ...]  # the likeliest first
    steps: tuple[Label, ...]  # each at most two lines of 80 columns
    tell_support: Label
    link: Step | None  # the wizard's step where the remedy happens


@dataclass(frozen=True)
class Entry:
    """What one code means. `messages` are what people see or say when it happens."""

    id: str
    source: Label  # whose code it is
    title: Label
    remedy: Remedy
    causes: tuple[Cause, ...]  # the entry's own where it has some, else the remedy's
    messages: tuple[str, ...]

    @property
    def fixer(self) -> Fixer:
        return self.remedy.fixer

    @property
    def steps(self) -> tuple[Label, ...]:
        return self.remedy.steps

    @property
    def tell_support(self) -> Label:
        return self.remedy.tell_support

    @property
    def link(self) -> Step | None:
        return self.remedy.link


@cache
def entry(code: str) -> Entry:
    """The entry of a stable code or of a foreign code's id. Raises KeyError when there is none.

    Of what the files hold besides, nothing is kept: a session meets few codes, and waits long.
    """
    family, _, name = code.partition(".")
    file = _family(family)
    for key, table in file["entry"].items():
        if name in _names(key, table):
            subject, _, remedy = table["remedy"].partition("/")
            return _entry(code, file, table, _remedy(table["remedy"], _subject(subject)[remedy]))
    raise KeyError(code)


def entry_for(code: str, facts: Mapping[str, Fact]) -> Entry:
    """The closest entry for a failure; never raises, so that a failure can always be shown.

    A PC/SC status or a PKCS#11 return value has an entry of its own where there is one.
    """
    status, value = facts.get("status"), facts.get("rv")
    codes = [f"pcsc.{status:08x}"] if code == "pcsc.failed" and isinstance(status, int) else []
    codes += [f"pkcs11.{value}"] if value else []
    for candidate in (*codes, code):
        try:
            return entry(candidate)
        except KeyError:
            continue
    return entry(UNEXPECTED)


@cache
def entries() -> tuple[Entry, ...]:
    """Every entry, family by family in the files' order."""
    remedies: dict[str, Remedy] = {}
    found: list[Entry] = []
    for family in _families():
        file = _family(family)
        for key, table in file["entry"].items():
            if table["remedy"] not in remedies:
                subject = table["remedy"].partition("/")[0]
                for name, remedy in _subject(subject).items():
                    id = f"{subject}/{name}"
                    remedies[id] = _remedy(id, remedy)
            found += [
                _entry(f"{family}.{name}", file, table, remedies[table["remedy"]])
                for name in _names(key, table)
            ]
    return tuple(found)


@cache
def sources() -> Mapping[str, tuple[str, ...]]:
    """What people call each source of codes, by family, for the search."""
    return {family: tuple(_family(family).get("aliases", ())) for family in _families()}


def ranked_causes(entry: Entry, state: Collection[Condition]) -> tuple[Cause, ...]:
    """The causes with those first that `state` speaks for; else in order of likelihood."""
    return tuple(sorted(entry.causes, key=lambda cause: cause.when.isdisjoint(state)))


# --- filling in the facts ------------------------------------------------------------------------

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_FACT = re.compile(r"\{(\w+)\}")
_NEUTRAL = {
    "host": Label("通報服務", "the reporting service"),
    "tries_left": Label("未知", "unknown"),
    "shown": Label("未知", "unknown"),
}
_HEX_DIGITS = {"sw": 4, "ins": 2}
# Between Chinese and Latin a space, as in the rest of the texts.
_SEAM = re.compile("(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])")


def fill(label: Label, facts: Mapping[str, Fact], language: Language) -> str:
    """The text in one language with the facts in their places."""

    def value(name: str) -> str:
        fact = facts.get(name)
        if fact is None:
            neutral = _NEUTRAL.get(name)
            return "" if neutral is None else _in(neutral, language)
        if isinstance(fact, int) and name in _HEX_DIGITS:
            return f"{fact:0{_HEX_DIGITS[name]}X}"
        if isinstance(fact, int) and name == "status" and fact > 0xFFFF:
            return f"0x{fact:08X}"
        return clean(str(fact), WIDEST)  # a path or a name may be anything

    def optional(part: re.Match[str]) -> str:
        names = _FACT.findall(part[1])
        known = all(name in facts and value(name) for name in names)
        return part[1] if known else ""

    text = _OPTIONAL.sub(optional, _in(label, language))
    text = _FACT.sub(lambda fact: value(fact[1]), text)
    if language is Language.ZH:
        return _SEAM.sub(" ", text)
    return text[:1].upper() + text[1:] if text.startswith(_NEUTRAL["host"].en) else text


def _in(label: Label, language: Language) -> str:
    return label.zh if language is Language.ZH else label.en


# --- reading the files ---------------------------------------------------------------------------

Table = Mapping[str, Any]  # of a file; tests/contract/test_catalogue_files.py checks their shapes


def _families() -> list[str]:
    return sorted(path.stem for path in (FOLDER / "entries").glob("*.toml"))


def _family(family: str) -> Table:
    """One file of entries. Raises KeyError."""
    path = FOLDER / "entries" / f"{family}.toml"
    if not family.isalnum() or not path.is_file():
        raise KeyError(family)
    return _read(path)


def _subject(subject: str) -> Table:
    """One file of remedies."""
    return _read(FOLDER / "remedies" / f"{subject}.toml")


def _read(path: Path) -> Table:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _names(key: str, entry: Table) -> tuple[str, ...]:
    """The entry's code, and the codes of the same meaning, without their family."""
    return (key, *entry.get("also", ()))


def _entry(code: str, file: Table, table: Table, remedy: Remedy) -> Entry:
    return Entry(
        id=code,
        source=_label(file["source"]),
        title=_label(table["title"]),
        remedy=remedy,
        causes=_causes(table) or remedy.causes,
        messages=tuple(table.get("messages", ())),
    )


def _remedy(id: str, table: Table) -> Remedy:
    link = table.get("link")
    return Remedy(
        id=id,
        fixer=Fixer(table["fixer"]),
        causes=_causes(table),
        steps=tuple(_label(step) for step in table["steps"]),
        tell_support=_label(table["tell"]),
        link=None if link is None else Step(link),
    )


def _causes(table: Table) -> tuple[Cause, ...]:
    return tuple(
        Cause(_label(cause), frozenset(Condition(name) for name in cause.get("when", ())))
        for cause in table.get("causes", ())
    )


def _label(table: Table) -> Label:
    return Label(table["zh"], table["en"])
