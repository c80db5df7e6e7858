"""The commands for finding out what is wrong: explain, decode, doctor and report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from tui.exit_status import DONE, ENVIRONMENT, REFUSED
from tui.output import inert, say, say_json

if TYPE_CHECKING:
    from screens.findings import Finding
    from screens.jobs import Backends
    from screens.language import Words

Make = Callable[[], "Backends"]


def explain(options: argparse.Namespace, words: Words, _: Make) -> int:
    """`hca-bind explain TEXT`: the entries that a message may mean, the best first."""
    from screens.troubleshooting.explain import explain, explanation_data, explanation_lines

    found = explain(" ".join(options.text), words)
    if options.json:
        say_json(explanation_data(found), indent=2)
    else:
        say("\n".join(explanation_lines(found, words)))
    return DONE


def decode(options: argparse.Namespace, words: Words, _: Make) -> int:
    """`hca-bind decode CODE`: what a support code says, and the entry of its error."""
    from screens.troubleshooting.explain import FAULTS, decoded_data, decoded_lines
    from screens.troubleshooting.support_code import SupportCodeInvalid, decode

    try:
        facts = decode(" ".join(options.code))
    except SupportCodeInvalid as error:
        sentence = words(FAULTS[error.fault])
        if options.json:
            say_json({"fault": error.fault.value, "title": sentence}, indent=2)
        else:
            say(f"!! {sentence}")
        return REFUSED
    if options.json:
        say_json(decoded_data(facts, words), indent=2)
    else:
        say("\n".join(decoded_lines(facts, words)))
    return DONE


def doctor(options: argparse.Namespace, words: Words, make: Make) -> int:
    """`hca-bind doctor`: 0 when a binding could succeed now, else 3."""
    from screens.findings import explained, headline, succeeds, verdict
    from tui.doctor import Doctor

    findings: list[Finding] = []

    def looked() -> Iterator[Finding]:
        for finding in Doctor(make()).examine():
            findings.append(finding)
            yield finding

    for finding, remedy in explained(looked(), words):
        if not options.json:
            say("\n          ".join((headline(finding, words), *remedy)))
    if options.json:
        rows = [_row(finding, words) for finding in findings]
        say_json({"ok": succeeds(findings), "checks": rows}, indent=2)
    else:
        say("\n" + verdict(findings, words))
    return DONE if succeeds(findings) else ENVIRONMENT


def report(options: argparse.Namespace, words: Words, make: Make) -> int:
    """`hca-bind report`: show the report, and save it where `--output` says."""
    from tui.doctor import Doctor, choice_of
    from tui.report import report_text, save

    _ = words
    backends = make()
    findings = tuple(Doctor(backends).examine())
    now = datetime.now().astimezone()
    text = report_text(findings, (), choice_of(backends), None, words, now=now)
    say(text)
    if options.output is None:
        return DONE
    if sys.stdin.isatty() and sys.stdout.isatty():
        question = _("Save this to {path}? Enter: yes, Ctrl+C: no", path=options.output)
        sys.stdout.write(inert(question))
        sys.stdout.flush()
        sys.stdin.readline()
    say(_("Saved: {path}", path=save(text, options.output)))
    return DONE


COMMANDS: Mapping[str, Callable[[argparse.Namespace, Words, Make], int]] = {
    "explain": explain,
    "decode": decode,
    "doctor": doctor,
    "report": report,
}


def _row(finding: Finding, words: Words) -> dict[str, object]:
    from screens.findings import NAMES, evidence_of
    from screens.troubleshooting.remedy import words_for

    row: dict[str, object] = {
        "number": finding.number,
        "check": finding.topic.value,
        "name": words(NAMES[finding.topic]),
        "outcome": finding.outcome.value,
        "evidence": evidence_of(finding, words),
        "code": finding.code,
        "ms": round(finding.ms, 1),
    }
    if finding.code is not None:
        remedy = words_for(finding.code, finding.facts, words)
        row["remedy"] = {
            "title": remedy.title,
            "fixer": remedy.fixer,
            "steps": list(remedy.steps),
        }
    return row
