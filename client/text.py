"""Text from a server, made harmless for a terminal where it enters.

The same rule as for text from cards; written out here because card and client know nothing of
each other.
"""

from __future__ import annotations

import unicodedata

INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # not in category C
BRACKETS = str.maketrans("[]", "［］")  # Textual reads ASCII square brackets as markup


def clean(text: str, limit: int = 200) -> str:
    """One line of visible text of at most `limit` characters.

    Drops the Unicode categories Cc, Cf, Cs, Co and Cn (control, escape, bidi, zero-width,
    surrogate, unassigned) and invisible fillers; makes every run of white space one space; turns
    the brackets that a terminal toolkit reads as markup into full-width ones.
    """
    kept = "".join(
        " " if char.isspace() else char
        for char in text[: 8 * limit]
        if char.isspace() or (unicodedata.category(char)[0] != "C" and char not in INVISIBLE)
    )
    line = " ".join(kept.split()).translate(BRACKETS)
    return line if len(line) <= limit else line[: limit - 1] + "…"
