"""From what a person types to the entries it most likely means; offline, in milliseconds.

A code in the text decides; else the words do. Each message of the catalogue is compared by the
words, characters and pairs of characters that it shares with the text, the rare ones counting
most, and then letter by letter (rapidfuzz). Below THRESHOLD the answer is no match, not a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from heapq import nlargest
from math import log
from operator import itemgetter

from screens.language import Language
from screens.troubleshooting import codes
from screens.troubleshooting.catalogue import Entry, entries, entry, fill
from screens.troubleshooting.normalise import Folded, fold, tokens, without_fillers, wording

THRESHOLD = 37.0
LIMIT = 8
ALIKE = 60.0  # letter by letter, to be looked at without a shared word
UNKNOWN_CODE = 3  # words that a code without an entry counts for
CANDIDATES = 60  # messages that are compared letter by letter
EXTRA_TEXT, MISSING_TEXT = 0.8, 0.2  # what words on one side only cost: the text's, the message's
STRANGE = 1.2  # what it costs when words are missing on both sides
SHARE_OF_WORDS = 0.6  # of the score; the rest is letter by letter
PARTIAL = 0.9  # a part that fits is worth less than the whole
NEARLY = 88.0  # letter by letter, the same but for a slip
ENOUGH_WITHIN = 15  # letters that a message inside a longer text has at least
WITHIN = 60.0  # what such a message scores at least
ENOUGH = 18  # letters, from which on a part that fits counts in full
CHARACTER, PIECES, PAIR = 0.3, 1.0, 0.5  # beside 1.0 for a word or a pair of characters
SOURCE = 0.4  # the name of a source, which decides by OTHER_SOURCE rather than by itself
UNSEEN, SLIP = 1.3, 0.5  # a word that no message has, beside the rarest; a pair of known ones
# The same words in several sources: our own and the old page's come first.
PREFERENCE = {
    "pcsc": 0.98,
    "pkcs11": 0.97,
    "hca": 0.88,
    "servisign": 0.88,
    "cdc": 0.86,
    "hipki": 0.86,
    "cshis": 0.86,
    "sandbox": 0.86,
    "component": 0.9,
    "ssh": 0.9,
    "sw": 0.9,
}
ELSEWHERE = 0.65  # when the text is about a printer, a telephone, the weather
OTHER_SOURCE = 0.9  # what the others are worth once a source is named


@dataclass(frozen=True)
class Match:
    """An entry that the text may mean; `span` is what of `message` the text has in common."""

    id: str
    score: float  # 0 to 100
    message: str
    span: tuple[int, int]  # indices into `message`


@dataclass(frozen=True)
class _Message:
    id: str
    original: str
    folded: Folded
    compact: str  # folded, without the words that say nothing and without spaces
    features: Mapping[str, float]
    weight: float = 0.0  # of all features, the rare ones counting most


@dataclass(frozen=True)
class _Index:
    messages: tuple[_Message, ...]
    holders: Mapping[str, tuple[int, ...]]  # a feature to the messages that have it
    rarity: Mapping[str, float]
    unseen: float  # the weight of a word that no message has
    compact: tuple[str, ...]  # of each message
    vocabulary: Mapping[str, str]  # Latin words of at least four letters, each with its feature


def search(text: str, limit: int = LIMIT) -> list[Match]:
    """The best entries for a message, a fragment, a code or a paraphrase; [] for no match."""
    found = codes.find(text[:1000])
    by_words = {match.id: match for match in _by_words(found)}
    ranked: dict[str, Match] = {id: _by_code(id, 100.0, by_words) for id in found.named}
    if found.guessed and _about_an_error(found.rest, by_words):
        for id in found.guessed:
            words = by_words[id].score if id in by_words else 0.0
            ranked[id] = _by_code(
                id, 88 * PREFERENCE.get(id.partition(".")[0], 1.0) + words / 10, by_words
            )
    ceiling = min((match.score for match in ranked.values()), default=101.0) - 1
    for id, match in by_words.items():
        if id not in ranked:
            ranked[id] = Match(id, min(match.score, ceiling), match.message, match.span)
    return sorted(ranked.values(), key=lambda match: -match.score)[:limit]


def _by_code(id: str, score: float, by_words: Mapping[str, Match]) -> Match:
    if id in by_words:
        return Match(id, score, by_words[id].message, by_words[id].span)
    title = fill(entry(id).title, {}, Language.ZH)
    return Match(id, score, title, (0, len(title)))


def _about_an_error(rest: str, by_words: Mapping[str, Match]) -> bool:
    """Whether the words around a bare number let it be a code and not, say, a room."""
    folded = fold(rest).text
    left = without_fillers(folded)
    return (
        bool(by_words)
        or left == folded == ""
        or any(word in folded for word in wording().code_words)
    )


def _by_words(found: codes.Found) -> list[Match]:
    """The best message of each entry that the words speak for, down to THRESHOLD."""
    from rapidfuzz import fuzz

    whole = fold(found.rest).text
    all = index()
    left = without_fillers(whole)
    if not left:
        return []
    compact = left.replace(" ", "")
    width = _width(compact)
    wanted = _features([_nearest_word(word) for word in tokens(left)])
    total = sum(weight * _weight(feature) for feature, weight in wanted.items())
    total += UNKNOWN_CODE * all.unseen if found.unknown else 0
    elsewhere = wording().elsewhere.search(whole)
    best: dict[str, Match] = {}
    for number, shared in _candidates(wanted, compact):
        message = all.messages[number]
        extra, missing = max(0.0, total - shared), message.weight - shared
        words = shared / (shared + EXTRA_TEXT * extra + MISSING_TEXT * missing + 1e-9)
        # A fragment lacks words and talk adds words; where both are many it is something else.
        words *= 1 - STRANGE * (extra / total) * (missing / message.weight)
        alike = fuzz.ratio(compact, message.compact)
        part = fuzz.partial_ratio(compact, message.compact)
        other = _width(message.compact)
        told = min(1.0, min(width, other) / ENOUGH)
        letters = max(alike, PARTIAL * told * part)
        score = 100 * SHARE_OF_WORDS * words + (1 - SHARE_OF_WORDS) * letters
        if part >= NEARLY and ENOUGH_WITHIN <= other <= width:
            score = max(score, WITHIN)
        if alike >= NEARLY and told > 0.5:
            score = max(score, PARTIAL * alike)
        family = message.id.partition(".")[0]
        if family not in found.families:
            score *= PREFERENCE.get(family, 1.0) * (OTHER_SOURCE if found.families else 1.0)
        score *= ELSEWHERE if elsewhere else 1.0
        if score >= THRESHOLD and (message.id not in best or best[message.id].score < score):
            best[message.id] = Match(
                message.id, min(score, 99.0), message.original, _span(whole, message.folded)
            )
    return list(best.values())


def _weight(feature: str) -> float:
    """The rare count most; an unknown word counts more than known characters newly paired."""
    all = index()
    if feature in all.rarity:
        return all.rarity[feature]
    slip = len(feature) == 2 and feature[0] in all.rarity and feature[1] in all.rarity
    if feature.isascii() and not feature.endswith("…"):  # perhaps a word still being typed
        if feature.isdecimal():
            return all.unseen * UNKNOWN_CODE
        if " " in feature:
            return all.unseen * SLIP
        slip = any(word.startswith(feature) for word in all.vocabulary)
    return all.unseen * (SLIP if slip else 1.0)


def _candidates(wanted: Mapping[str, float], compact: str) -> Iterator[tuple[int, float]]:
    """Messages worth a closer look, with the weight of the features they share."""
    from rapidfuzz import fuzz, process

    all = index()
    common: dict[int, float] = {}
    for feature, weight in wanted.items():
        for number in all.holders.get(feature, ()):
            shared = min(weight, all.messages[number].features[feature])
            common[number] = common.get(number, 0.0) + shared * all.rarity[feature]
    yield from nlargest(CANDIDATES, common.items(), key=itemgetter(1))
    alike = process.extract(
        compact, all.compact, scorer=fuzz.ratio, score_cutoff=ALIKE, limit=CANDIDATES
    )
    for _, _, number in alike:
        yield number, common.get(number, 0.0)


def _nearest_word(word: str) -> str:
    """A Latin word as the catalogue spells it, when only a slip or two lie between."""
    all = index()
    if not word.isascii() or len(word) < 4 or word in all.rarity or not word.isalpha():
        return word
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    slips = 1 if len(word) < 8 else 2
    near = process.extractOne(word, list(all.vocabulary), scorer=OSA.distance, score_cutoff=slips)
    if near is None or (len(word) < 8 and near[0][0] != word[0]):
        return word  # sound is not found
    if len(word) == 4 and sorted(word) != sorted(near[0]):
        return word  # four letters with one of them changed are just another word
    return all.vocabulary[near[0]]


def _width(compact: str) -> int:
    """A Chinese character says as much as a few letters."""
    return sum(1 if character.isascii() else 3 for character in compact)


def _span(text: str, message: Folded) -> tuple[int, int]:
    """The part of the message that is most like the text, as indices into the original."""
    from rapidfuzz import fuzz

    if len(text) >= len(message.text):
        return message.span(0, len(message.text))
    found = fuzz.partial_ratio_alignment(text, message.text)
    return message.span(found.dest_start, found.dest_end) if found else (0, 0)


@cache
def index() -> _Index:
    """Every message and title of the catalogue, cut into features; built at the first search."""
    messages = tuple(_message(one, original) for one in _distinct() for original in _originals(one))
    holders: dict[str, list[int]] = {}
    owners: dict[str, set[str]] = {}
    for number, message in enumerate(messages):
        for feature in message.features:
            holders.setdefault(feature, []).append(number)
            owners.setdefault(feature, set()).add(message.id)
    count = len(entries())
    rarity = {feature: _rarity(len(ids), count) for feature, ids in owners.items()}
    rarity |= {name: SOURCE for name in codes.source_words() if name in rarity}
    return _Index(
        tuple(_weighed(message, rarity) for message in messages),
        {feature: tuple(numbers) for feature, numbers in holders.items()},
        rarity,
        _rarity(0, count) * UNSEEN,
        tuple(message.compact for message in messages),
        _vocabulary(rarity),
    )


def _distinct() -> Iterator[Entry]:
    """One entry of those that differ by their number alone (`also`); a number finds the others."""
    said = set()
    for one in entries():
        meaning = (one.title, one.remedy.id, one.messages)
        if meaning not in said:
            said.add(meaning)
            yield one


def _vocabulary(features: Iterable[str]) -> dict[str, str]:
    words = {word: word for word in features}
    for written, meant in wording().words.items():
        words.setdefault(written, tokens(meant)[0])
    return {
        word: feature
        for word, feature in words.items()
        if word.isascii() and word.isalpha() and len(word) > 3
    }


def _rarity(holders: int, count: int) -> float:
    return 0.15 + log((count + 1) / (holders + 1)) / log(count + 1)


def _originals(one: Entry) -> Iterator[str]:
    yield from dict.fromkeys(
        (fill(one.title, {}, Language.ZH), fill(one.title, {}, Language.EN), *one.messages)
    )


def _message(one: Entry, original: str) -> _Message:
    folded = fold(original)
    plain = without_fillers(folded.text)
    return _Message(one.id, original, folded, plain.replace(" ", ""), _features(tokens(plain)))


def _weighed(message: _Message, rarity: Mapping[str, float]) -> _Message:
    weight = sum(weight * rarity[feature] for feature, weight in message.features.items())
    return replace(message, weight=weight)


def _features(words: list[str]) -> dict[str, float]:
    """Words, pairs of Chinese characters, and for slips single characters and pieces of words."""
    features: dict[str, float] = {}
    before = ""
    for token in words:
        if token.isascii():
            features[token] = 1.0
            if before.isascii() and before:
                features[f"{before} {token}"] = PAIR
            padded = f"<{token}>"
            pieces = [padded[i : i + 3] for i in range(len(padded) - 2)] if len(token) > 3 else []
            features.update({f"{piece}…": PIECES / len(pieces) for piece in pieces})
        else:
            features[token] = CHARACTER
            if before and not before.isascii():
                features["".join(sorted(before + token))] = 1.0  # two of them are easily swapped
        before = token
    return features
