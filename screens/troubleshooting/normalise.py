"""Fold what people type to one spelling: width, case, simplified or traditional, synonyms."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

WORDING = Path(__file__).with_name("wording.toml")
_TOKEN = re.compile("[a-z0-9]+|[^a-z0-9 ]")

_ENDING = re.compile("(?<=[a-z]{3})(?:ing|ed|es|s|e)$")  # connected, connects, connecting


@dataclass(frozen=True)
class Folded:
    """Folded text; `origin[i]` is the index in the original of the character behind `text[i]`."""

    text: str
    origin: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] stands in the original."""
        if start >= end:
            return 0, 0
        return self.origin[start], self.origin[end - 1] + 1


@dataclass(frozen=True)
class Wording:
    """The tables of wording.toml, already folded."""

    simplified: Mapping[int, str]
    words: Mapping[str, str]
    pattern: re.Pattern[str]  # any key of `words`, the longest first
    fillers: re.Pattern[str]
    english_fillers: frozenset[str]
    elsewhere: re.Pattern[str]  # things that no message of the catalogue is about
    code_words: tuple[str, ...]  # beside these a bare number is a code


@cache
def wording() -> Wording:
    """Read once, when the first search is made."""
    data = tomllib.loads(WORDING.read_text(encoding="utf-8"))
    simplified = str.maketrans({pair[0]: pair[1] for pair in data["characters"].split()})

    def plain(text: str) -> str:
        return _plain(text, simplified).text

    words = {plain(key): plain(value) for key, value in data["words"].items()}
    fillers = sorted(map(plain, data["fillers"]), key=len, reverse=True)
    return Wording(
        simplified=simplified,
        words=words,
        pattern=_any_of(words),
        fillers=re.compile("|".join(map(re.escape, fillers))),
        english_fillers=frozenset(data["english_fillers"]),
        elsewhere=_any_of(map(plain, data["elsewhere"])),
        code_words=tuple(map(plain, data["code_words"])),
    )


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Latin words match as whole words only."""
    longest = sorted(words, key=len, reverse=True)
    whole = "(?<![a-z0-9]){}(?![a-z0-9])"
    return re.compile(
        "|".join(whole.format(re.escape(w)) if w.isascii() else re.escape(w) for w in longest)
    )


def _plain(text: str, simplified: Mapping[int, str]) -> Folded:
    """Width and case folded, punctuation as one space, no space beside Chinese."""
    out: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        for one in unicodedata.normalize("NFKC", character).casefold().translate(simplified):
            if one.isalnum():
                out.append(one)
            elif not out or out[-1] == " ":
                continue
            else:
                out.append(" ")
            origin.append(index)
    keep = [
        i
        for i, one in enumerate(out)
        if one != " " or (0 < i < len(out) - 1 and out[i - 1].isascii() and out[i + 1].isascii())
    ]
    return Folded("".join(out[i] for i in keep), tuple(origin[i] for i in keep))


@lru_cache(maxsize=1024)
def fold(text: str) -> Folded:
    """One spelling for all that mean the same: what two texts are compared by."""
    tables = wording()
    plain = _plain(text, tables.simplified)
    out: list[str] = []
    origin: list[int] = []
    at = 0
    for match in tables.pattern.finditer(plain.text):
        out.append(plain.text[at : match.start()])
        origin.extend(plain.origin[at : match.start()])
        word = tables.words[match[0]]
        out.append(word)
        # A replaced word points at the first character it stands for, its last at the last.
        origin.extend([plain.origin[match.start()]] * (len(word) - 1))
        origin.append(plain.origin[match.end() - 1])
        at = match.end()
    out.append(plain.text[at:])
    origin.extend(plain.origin[at:])
    return Folded("".join(out), tuple(origin))


def without_fillers(folded: str) -> str:
    """The same without the words that say nothing; unchanged when nothing else is left."""
    tables = wording()
    text = tables.fillers.sub(" ", folded)
    words = [w for w in _TOKEN.findall(text) if w not in tables.english_fillers]
    kept = re.sub(r" +", " ", "".join(w if not w.isascii() else f" {w} " for w in words)).strip()
    return kept or folded


def tokens(folded: str) -> list[str]:
    """Latin words without their endings, numbers whole, Chinese by the character."""
    return [_ENDING.sub("", token) if len(token) > 4 else token for token in _TOKEN.findall(folded)]
