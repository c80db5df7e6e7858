"""What happens and what went wrong, told as sentences or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from screens.wizard import Failure
from tui.output import say, say_json

if TYPE_CHECKING:
    from screens.language import Words
    from screens.troubleshooting.situation import Situation
    from screens.wizard import Fact


class Reporter:
    """Says what happens: a sentence for people, or one JSON object a line."""

    def __init__(self, words: Words, as_json: bool) -> None:
        self.words = words
        self._as_json = as_json

    def event(self, name: str, sentence: str, **facts: object) -> None:
        """One thing that happened. `sentence` is already translated."""
        self._tell({"event": name, **facts}, sentence)

    def error(
        self, code: str, facts: Mapping[str, Fact], situation: Situation | None = None
    ) -> None:
        """A failure with its remedy and its support code; `situation` is what was known by then."""
        from screens.troubleshooting.remedy import words_for
        from screens.troubleshooting.situation import Situation, support_code

        _ = self.words
        support = support_code(Failure(code, facts), situation or Situation(), _.language)
        remedy = words_for(code, facts, _)
        steps = "".join(f"\n  {number}. {step}" for number, step in enumerate(remedy.steps, 1))
        row = {
            "event": "error",
            "code": code,
            "facts": dict(facts),
            "title": remedy.title,
            "steps": list(remedy.steps),
            "support_code": support,
        }
        said = _("Support code: {code}", code=support)
        sentence = f"!! {remedy.title}{steps}\n   {said}\n   ({code})"
        self._tell(row, sentence)

    def _tell(self, row: Mapping[str, object], sentence: str) -> None:
        if self._as_json:
            say_json(row)
        else:
            say(sentence)
