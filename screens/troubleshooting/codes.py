"""Find the codes in what a person typed: ours, HCA 9043, 0x8010001D, CKR_PIN_LOCKED, eyJUQUci…"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from screens.troubleshooting.catalogue import entries, sources

WORD = 1 << 32
HEX_FAMILIES = frozenset({"hipki", "pcsc", "sw"})
LEAST_BARE = 100  # a smaller number is a code only beside the name of its source
NEAR = 10  # characters between a source's name and its number
NHI_CARD = "健保卡"  # a card, while 健保 alone means the NHI's software
_CHINESE_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_SPOKEN = re.compile("[〇零一二三四五六七八九]{4,}")
_HEX = "[0-9A-Fa-fOoIl]"  # O, I and l are what 0 and 1 become on the phone
# A status word is told by SW before it, or by a letter among its four digits.
_SW1 = r"sw1?(?:[ ,/-]*sw2)?\s?[:=]?\s*(?:0x)?"
_SW2 = r"[ :,;/-]*(?:sw2\s?[:=]?\s*)?(?:0x)?"
_TOKEN = re.compile(
    # The old page's helper is started by an address with the Base64 of {"TAG after it.
    rf"(?P<helper>(?<![A-Za-z])(?!https?://)\S*://\s*ey[ij]\S*|(?<![A-Za-z])ey[ij]uq\S*)"
    rf"|(?P<undefined>\[\s*-\s*1\s*\])"
    rf"|(?<![A-Za-z0-9])(?:[0Oo][xX]|&[hH])\s?(?P<hex>{_HEX}{{1,8}}(?:[ _]{_HEX}{{4}})?)(?!\w)"
    rf"|(?<![A-Za-z0-9-])(?=[A-Za-z]*\d)(?P<eight>{_HEX}{{4}}[ _-]?{_HEX}{{4}})[hH]?(?![A-Za-z0-9])"
    rf"|(?<![A-Za-z0-9]){_SW1}(?P<sw>6[0-9a-f]{_SW2}[0-9a-f]{{2}})(?!\w)"
    rf"|(?<![A-Za-z0-9])(?=[0-9 ]{{1,4}}[a-f])(?P<sw_alone>6[0-9a-f] ?[0-9a-f]{{2}})(?!\w)"
    rf"|(?<![A-Za-z0-9])http(?:/[\d.]+)?[ :]*(?P<http>[1-5]\d\d)(?![A-Za-z0-9])"
    rf"|(?<![A-Za-z0-9])(?P<number>-?\d{{1,10}})(?![A-Za-z0-9])"
    rf"|(?P<symbol>[A-Za-z][A-Za-z0-9]*(?:[_.#-]+[A-Za-z0-9]+)*)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """What codes a text holds, and the text that is left without them."""

    named: tuple[str, ...] = ()  # ids that are meant beyond doubt, in the text's order
    guessed: tuple[str, ...] = ()  # ids of a number whose source is not named
    unknown: bool = False  # there is a code that no entry has
    families: frozenset[str] = frozenset()  # the sources that are named
    rest: str = ""


@dataclass(frozen=True)
class _Index:
    names: Mapping[str, str]  # an id, SCARD_… or CKR_… in lower case without punctuation
    numbers: Mapping[int, tuple[str, ...]]
    aliases: tuple[tuple[str, str], ...]  # a source's name in lower case, its family


def _bare(symbol: str) -> str:
    return re.sub("[^a-z0-9]", "", symbol.lower())


@cache
def _index() -> _Index:
    """Every code of the catalogue by the ways to write it."""
    names: dict[str, str] = {}
    numbers: dict[int, dict[str, None]] = {}
    for entry in entries():
        family, _, code = entry.id.partition(".")
        names[_bare(entry.id)] = entry.id
        if family in HEX_FAMILIES and re.fullmatch("[0-9a-f]+x?", code):
            for digit in "0123456789abcdef" if code.endswith("x") else "0":
                numbers.setdefault(int(code.replace("x", digit), 16), {})[entry.id] = None
        elif family != "web" and code.isdecimal():
            numbers.setdefault(int(code), {})[entry.id] = None
        for message in entry.messages:
            if re.fullmatch("0x[0-9A-Fa-f]{8}", message):
                numbers.setdefault(int(message, 16), {})[entry.id] = None
            elif re.fullmatch("[A-Z0-9]+(_[A-Z0-9]+)+", message):
                names[_bare(message)] = entry.id
            elif status := re.match(r"HTTP \d{3}\b", message):
                names[_bare(status[0])] = entry.id
    aliases = [(name.lower(), family) for family, names in sources().items() for name in names]
    aliases.sort(key=lambda alias: -len(alias[0]))  # the longest first: HCA ServiSign before HCA
    return _Index(names, {value: tuple(ids) for value, ids in numbers.items()}, tuple(aliases))


def find(text: str) -> Found:
    """The codes in `text`, in any width, case or spelling of a number."""
    text = unicodedata.normalize("NFKC", text).replace("−", "-")
    text = _SPOKEN.sub(lambda spoken: spoken[0].translate(_CHINESE_DIGITS), text)
    named: dict[str, None] = {}
    guessed: dict[str, None] = {}
    unknown = False
    rest: list[str] = []
    at = 0
    for token in _TOKEN.finditer(text):
        near = _families(text[max(0, token.start() - NEAR - 12) : token.start()])
        ids, sure, missing = _meaning(token, near or _families(text))
        (named if sure else guessed).update(dict.fromkeys(ids))
        unknown = unknown or missing
        if ids or missing:
            rest.append(text[at : token.start()])
            at = token.end()
    rest.append(text[at:])
    families = frozenset(_families(text))
    left = " ".join(rest)
    if at:  # beside a code its source's name says nothing more
        for name, _ in _index().aliases:
            left = re.sub(re.escape(name), " ", left, flags=re.IGNORECASE)
    return Found(
        named=tuple(named),
        guessed=tuple(id for id in guessed if id not in named),
        unknown=unknown,
        families=families,
        rest=left,
    )


def source_words() -> frozenset[str]:
    """The sources' names that are a single Latin word."""
    return frozenset(name for name, _ in _index().aliases if name.isascii() and name.isalnum())


def _families(text: str) -> tuple[str, ...]:
    """The sources that are named, the longest name first: ServiSign is not the component."""
    left = text.lower().replace(NHI_CARD, " ")
    found: dict[str, None] = {}
    for name, family in _index().aliases:
        if name in left:
            found[family] = None
            left = left.replace(name, " ")
    return tuple(found)


def _meaning(token: re.Match[str], families: tuple[str, ...]) -> tuple[tuple[str, ...], bool, bool]:
    """The ids that a token means, whether that is sure, and whether it is a code unknown here."""
    index = _index()
    kind, text = token.lastgroup, token[token.lastgroup or 0]
    if kind == "helper":
        return ("web.4",), True, False
    if kind == "undefined":
        return ("servisign.-1",), True, False
    if kind == "symbol":
        ids = tuple(_symbol(_bare(text), families))
        return ids, True, False
    if kind == "http":
        named = index.names.get(f"http{text}")
        return (named,) if named else (), True, named is None
    if kind in {"sw", "sw_alone"}:
        ids = _of(index.numbers.get(int(text[:2] + text[-2:], 16), ()), ("sw",))
        return ids, True, kind == "sw" and not ids
    if kind == "number":
        return _number(int(text), families)
    digits = re.sub("[ _-]", "", text).translate(str.maketrans("OoIiLl", "001111"))
    ids = _of(index.numbers.get(int(digits, 16), ()), families)
    if kind == "eight" and not ids and digits.isdecimal():
        return _number(int(digits), families)  # a date, a telephone number
    return ids, True, not ids


def _number(value: int, families: tuple[str, ...]) -> tuple[tuple[str, ...], bool, bool]:
    ids = _index().numbers.get(value % WORD, ())
    if not ids and 6000 <= value <= 6999:  # a status word without a letter, typed without SW
        ids = _of(_index().numbers.get(int(str(value), 16), ()), ("sw",))
    if not families:
        bare = ids if value < 0 or value >= LEAST_BARE else ()
        return bare, value < 0 or value > 0xFFFFF, False
    own = tuple(id for id in ids if id.partition(".")[0] in families)
    return own, True, not own and value >= LEAST_BARE


def _symbol(bare: str, families: tuple[str, ...]) -> Iterator[str]:
    """A name of ours, of PC/SC or PKCS#11, or a code with letters beside its source's name."""
    names = _index().names
    beside = [family + bare for family in families] if re.search(r"\d", bare) else []
    for key in (bare, *beside):
        if key in names:
            yield names[key]


def _of(ids: tuple[str, ...], families: tuple[str, ...]) -> tuple[str, ...]:
    own = tuple(id for id in ids if id.partition(".")[0] in families)
    return own or ids
