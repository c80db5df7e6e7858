"""What the program says line by line: text that is read, and nothing that a terminal obeys.

Paths, names and what somebody typed are quoted in it, and any of them may hold escape sequences.
"""

from __future__ import annotations

import json
import sys
import unicodedata


def _obeyed(character: str) -> bool:
    """Would a terminal do something else with it than to draw it?"""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def inert(text: str) -> str:
    """The last gate before the terminal; its lines stay lines."""
    return "".join(each for each in text if each == "\n" or not _obeyed(each))


def say(text: str) -> None:
    """One or more whole lines to standard output, at once."""
    sys.stdout.write(inert(text) + "\n")
    sys.stdout.flush()


def say_json(data: object, indent: int | None = None) -> None:
    """The same for JSON, which can say such a character without sending it (RFC 8259 §7)."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    kept = (json.dumps(each)[1:-1] if each != "\n" and _obeyed(each) else each for each in text)
    say("".join(kept))
