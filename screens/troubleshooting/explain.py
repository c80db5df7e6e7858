"""What `hca-bind explain` and `hca-bind decode` answer: plain data for --json, and lines."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from screens.attachment import ATTACHMENTS
from screens.language import N_, Language, Words
from screens.troubleshooting.catalogue import Condition, entry
from screens.troubleshooting.remedy import RemedyWords, words_for, words_of
from screens.troubleshooting.search import search
from screens.troubleshooting.support_code import (
    MORE_READERS,
    MORE_TRIES,
    Attachment,
    Backend,
    Fault,
    SupportFacts,
)
from screens.wizard import STEP_NAMES

Data = Mapping[str, object]
LIMIT = 5
BACKENDS = {
    Backend.NONE: N_("no card yet"),
    Backend.PKCS15: "PKCS#15",
    Backend.PIV: "PIV",
    Backend.PKCS11: "PKCS#11",
    Backend.VIRTUAL: N_("virtual card"),
}
FAULTS = {
    Fault.LENGTH: N_("A support code has 12 characters."),
    Fault.CHARACTER: N_("A support code has only digits and letters, and never the letter U."),
    Fault.CHECK: N_("A character is wrong or two are swapped: please read the code out again."),
    Fault.LAYOUT: N_("This code was made by a program with another kind of support code."),
    Fault.VALUE: N_("This code was made by a newer program: please update this one."),
}


@dataclass(frozen=True)
class Explanation:
    """One entry that a text may mean, the best first."""

    id: str
    score: float  # 0 to 100
    source: str  # whose message it is
    message: str  # the catalogue's message that the text is like
    span: tuple[int, int]  # the part of `message` that matched
    remedy: RemedyWords


def explain(
    text: str, words: Words, limit: int = LIMIT, state: Collection[Condition] = ()
) -> tuple[Explanation, ...]:
    """The entries for a message, however it is spelled; empty for no match."""
    return tuple(
        Explanation(
            id=match.id,
            score=round(match.score, 1),
            source=words.of(entry(match.id).source),
            message=match.message,
            span=match.span,
            remedy=words_of(entry(match.id), match.id, {}, words, state),
        )
        for match in search(text, limit)
    )


def explanation_data(found: Sequence[Explanation]) -> list[Data]:
    """The same as JSON has it, ranked."""
    return [
        {
            "id": one.id,
            "score": one.score,
            "source": one.source,
            "message": one.message,
            "span": list(one.span),
            **_remedy_data(one.remedy),
        }
        for one in found
    ]


def explanation_lines(found: Sequence[Explanation], _: Words) -> list[str]:
    """The best entry in full, the others by title; one sentence when nothing matches."""
    if not found:
        return [_("No match. Try other words of the message, or its number.")]
    best, *others = found
    lines = [
        f"{best.remedy.title}  ({best.id})",
        best.source,
        "",
        *_remedy_lines(best.remedy, _),
    ]
    if others:
        lines += ["", _("It may also be:")]
        lines += [f"  {one.remedy.title}  ({one.id})" for one in others]
    return lines


def decoded_data(facts: SupportFacts, words: Words) -> Data:
    """A support code's facts as JSON has them, with the remedy of its error."""
    return {
        "code": facts.code,
        "step": facts.step and facts.step.value,
        "tries_left": facts.tries_left,
        "readers": facts.readers,
        "cards": facts.cards,
        "attachment": facts.attachment.value,
        "backend": facts.backend.value,
        "language": facts.language.value,
        "version": ".".join(map(str, facts.version)),
        **_remedy_data(_remedy_of(facts, words)),
    }


def decoded_lines(facts: SupportFacts, _: Words) -> list[str]:
    """A support code's facts, then what the person on the phone can do."""
    remedy = _remedy_of(facts, _)
    step = "—" if facts.step is None else _(STEP_NAMES[facts.step])
    language = "English" if facts.language is Language.EN else "中文"
    return [
        f"{remedy.title}  ({facts.code})",
        "",
        _("Step: {step}", step=step),
        _("PIN tries left: {tries}", tries=_tries(facts.tries_left, _)),
        _("Readers: {count}", count=_count(facts.readers)),
        _("Cards: {count}", count=_count(facts.cards)),
        _("The reader is: {attachment}", attachment=_(ATTACHMENTS[facts.attachment])),
        _("The card is reached by: {backend}", backend=_(BACKENDS[facts.backend])),
        _("Language: {language}", language=language),
        _("Version: {version}", version=".".join(map(str, facts.version))),
        "",
        *_remedy_lines(remedy, _),
    ]


def _remedy_of(facts: SupportFacts, words: Words) -> RemedyWords:
    """Ranked by what the code tells; the facts of its title are not in it, but for the tries."""
    known = {"tries_left": facts.tries_left} if facts.code == "card.pin.wrong" else {}
    return words_for(facts.code, known, words, frozenset(_state(facts)))


def _state(facts: SupportFacts) -> Iterator[Condition]:
    if facts.attachment is Attachment.FORWARDED:
        yield Condition.FORWARDED
    if not facts.readers:
        yield Condition.NO_READER
    elif not facts.cards:
        yield Condition.NO_CARD


def _remedy_data(remedy: RemedyWords) -> Data:
    return {
        "title": remedy.title,
        "fixer": remedy.fixer,
        "causes": list(remedy.causes),
        "steps": list(remedy.steps),
        "tell_support": remedy.tell_support,
        "link": remedy.link and remedy.link.value,
    }


def _remedy_lines(remedy: RemedyWords, _: Words) -> Iterator[str]:
    yield _("Who can fix it: {fixer}", fixer=remedy.fixer)
    yield ""
    yield _("What to do")
    yield from (f" {number}. {step}" for number, step in enumerate(remedy.steps, 1))
    yield ""
    yield _("Why this happens, the likeliest first")
    yield from (f" - {cause}" for cause in remedy.causes)
    yield ""
    yield _("If you ring support, tell them")
    yield f" {remedy.tell_support}"


def _count(number: int) -> str:
    return f"{number}+" if number >= MORE_READERS else str(number)


def _tries(tries: int | None, _: Words) -> str:
    if tries is None:
        return _("unknown")
    return f"{tries}+" if tries >= MORE_TRIES else str(tries)
