"""What the program says line by line: text that is read, and nothing that a terminal obeys.

Paths, names and what somebody typed are quoted in it, and any of them may hold escape sequences.
"""

from __future__ import annotations

import json
import sys

from card.text import drawing


def inert(text: str) -> str:
    """The last gate before the terminal; its lines stay lines."""
    return "".join(each for each, drawn in drawing(text) if drawn or each == "\n")


def say(text: str) -> None:
    """One or more whole lines to standard output, at once."""
    sys.stdout.write(inert(text) + "\n")
    sys.stdout.flush()


def say_json(data: object, indent: int | None = None) -> None:
    """The same for JSON, which can say such a character without sending it (RFC 8259 §7)."""
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    kept = (
        each if drawn or each == "\n" else json.dumps(each)[1:-1] for each, drawn in drawing(text)
    )
    say("".join(kept))
