"""One failure in one language: what its screen, its notice and the line mode say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from screens.language import N_, Words
from screens.troubleshooting.catalogue import (
    Condition,
    Entry,
    Fixer,
    entry_for,
    fill,
    ranked_causes,
)
from screens.wizard import Fact, Step

FIXERS = {
    Fixer.USER: N_("you, here and now"),
    Fixer.IT: N_("your institution's computer staff"),
    Fixer.HCA: N_("HCA, which issued the card (醫事憑證管理中心)"),
    Fixer.SERVICE: N_("the reporting system's support"),
}


@dataclass(frozen=True)
class RemedyWords:
    """An entry of the catalogue with its facts filled in; `code` is what support asks for."""

    code: str
    title: str
    fixer: str
    causes: tuple[str, ...]
    steps: tuple[str, ...]
    tell_support: str
    link: Step | None


def words_for(
    code: str, facts: Mapping[str, Fact], words: Words, state: Collection[Condition] = ()
) -> RemedyWords:
    """The remedy of a failure; the causes that `state` speaks for come first."""
    return words_of(entry_for(code, facts), code, facts, words, state)


def words_of(
    entry: Entry,
    code: str,
    facts: Mapping[str, Fact],
    words: Words,
    state: Collection[Condition] = (),
) -> RemedyWords:
    """The same for an entry that was looked up by its message."""
    language = words.language
    return RemedyWords(
        code=code,
        title=fill(entry.title, facts, language),
        fixer=words(FIXERS[entry.fixer]),
        causes=tuple(fill(cause.text, facts, language) for cause in ranked_causes(entry, state)),
        steps=tuple(fill(step, facts, language) for step in entry.steps),
        tell_support=fill(entry.tell_support, facts, language),
        link=entry.link,
    )
