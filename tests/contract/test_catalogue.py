"""No code without an entry, no entry without a code, and texts that fit and speak properly."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from card.errors import CardError
from client.errors import ClientError
from client.port import Label
from screens.troubleshooting.catalogue import Entry, entries, entry

OWN = frozenset({"app", "card", "net", "service"})
PROGRAM = frozenset({"app.unexpected", "app.cancelled"})
STEP_COLUMNS, STEP_LINES = 75, 2  # of 80, less the number and the margin
FACT = re.compile(r"\{(\w+)\}")


def error_codes() -> dict[str, frozenset[str]]:
    """The stable codes of both trees, each with the names of its facts."""

    def walk(kind: type) -> Iterator[type]:
        for child in kind.__subclasses__():
            yield child
            yield from walk(child)

    return {
        kind.code: frozenset(kind.__dataclass_fields__)
        for root in (CardError, ClientError)
        for kind in walk(root)
        if "code" in vars(kind)
    }


def labels(entry: Entry) -> Iterator[Label]:
    yield from (entry.source, entry.title, entry.tell_support, *entry.steps)
    yield from (cause.text for cause in entry.causes)


def lines(text: str) -> int:
    """Lines of STEP_COLUMNS that the text takes: Chinese breaks anywhere, Latin between words."""
    count, used = 1, 0
    for word in re.findall(r"[!-~]+ ?|.", text):
        if used + cell_len(word.rstrip()) > STEP_COLUMNS:
            count, used = count + 1, 0
        used += cell_len(word)
    return count


def ids(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.id for entry in entries]


def test_every_stable_code_has_an_entry() -> None:
    found = {entry.id for entry in entries()}
    assert (error_codes().keys() | PROGRAM) - found == set()


def test_every_entry_of_ours_has_a_code() -> None:
    ours = {e.id for e in entries() if e.id.partition(".")[0] in OWN}
    assert ours - error_codes().keys() - PROGRAM == set()


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_texts_name_only_facts_that_the_error_has(code: str) -> None:
    assert {
        name for label in labels(entry(code)) for name in FACT.findall(label.zh + label.en)
    } <= (error_codes()[code] | {"host"})


def test_no_id_is_given_twice() -> None:
    assert len(set(ids(entries()))) == len(entries())


def test_an_unknown_code_is_a_key_error() -> None:
    for code in ("card.no-such-thing", "nowhere.1", "../web.1", ""):
        with pytest.raises(KeyError):
            entry(code)


@pytest.mark.parametrize("entry", entries(), ids=ids(entries()))
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.causes
    assert entry.steps
    for label in labels(entry):
        assert label.zh.strip() == label.zh != ""
        assert label.en.strip() == label.en != ""
        assert FACT.findall(label.zh) == FACT.findall(label.en)


@pytest.mark.parametrize("entry", entries(), ids=ids(entries()))
def test_a_step_takes_two_lines_at_most(entry: Entry) -> None:
    for step in entry.steps:
        assert lines(step.zh) <= STEP_LINES, step.zh
        assert lines(step.en) <= STEP_LINES, step.en
