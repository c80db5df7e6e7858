"""The doctor's findings: what was looked at, how it stands, and how a line of it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from screens.language import N_, Words

if TYPE_CHECKING:
    from screens.wizard import Fact


class Topic(StrEnum):
    """What is looked at, in this order; the number of a finding is its place here."""

    TERMINAL = "terminal"
    PYTHON = "python"
    LIBRARY = "library"
    DAEMON = "daemon"
    PROTOCOL = "protocol"
    PERMISSIONS = "permissions"
    SOCKET = "socket"
    READERS = "readers"
    CARDS = "cards"
    MODULES = "modules"
    SETTINGS = "settings"
    ADDRESS = "address"
    TLS = "tls"
    CONTRACT = "contract"
    CLOCK = "clock"
    DISK = "disk"


NAMES = {
    Topic.TERMINAL: N_("Terminal and character set"),
    Topic.PYTHON: N_("Python and packages"),
    Topic.LIBRARY: N_("Card library"),
    Topic.DAEMON: N_("Smart card service (PC/SC)"),
    Topic.PROTOCOL: N_("Its protocol version"),
    Topic.PERMISSIONS: N_("Permission to use readers"),
    Topic.SOCKET: N_("Where the readers are"),
    Topic.READERS: N_("Readers"),
    Topic.CARDS: N_("Cards"),
    Topic.MODULES: N_("Drivers and modules"),
    Topic.SETTINGS: N_("Settings"),
    Topic.ADDRESS: N_("Service: name and connection"),
    Topic.TLS: N_("Service: its certificate (TLS)"),
    Topic.CONTRACT: N_("Service: version"),
    Topic.CLOCK: N_("Clock"),
    Topic.DISK: N_("Disk space"),
}


class Outcome(StrEnum):
    """A warning does not stand in the way of a binding now; a failure does."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


MARKS = {Outcome.OK: " OK ", Outcome.WARNING: "note", Outcome.FAILURE: " !! "}


@dataclass(frozen=True)
class Finding:
    """One finding. `evidence` is a message id that `values` fill in, or words that need none."""

    topic: Topic
    outcome: Outcome
    evidence: str = ""
    values: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    code: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    ms: float = 0.0  # how long looking took

    @property
    def number(self) -> int:
        return list(Topic).index(self.topic) + 1


@dataclass(frozen=True)
class ServiceChoice:
    """The service that a run is set to, as it was given, and whether with a CA file of its own."""

    address: str | None
    own_ca: bool


def succeeds(findings: Iterable[Finding]) -> bool:
    """True when a binding could succeed now: every topic was looked at and none failed."""
    seen = tuple(findings)
    return {finding.topic for finding in seen} == set(Topic) and all(
        finding.outcome is not Outcome.FAILURE for finding in seen
    )


def evidence_of(finding: Finding, words: Words) -> str:
    """What was found, in one language."""
    return words(finding.evidence, **finding.values) if finding.evidence else ""


def headline(finding: Finding, words: Words) -> str:
    """`[ OK ]  3 Card library: pyscard 2.3.1 (12 ms)`"""
    _ = words
    shown = _(NAMES[finding.topic])
    if evidence := evidence_of(finding, _):
        shown = _("{name}: {evidence}", name=shown, evidence=evidence)
    return f"[{MARKS[finding.outcome]}] {finding.number:2} {shown} ({finding.ms:.0f} ms)"


def _remedy_lines(finding: Finding, words: Words) -> list[str]:
    """Title with the code, then the numbered steps; nothing where nothing is wrong."""
    if finding.code is None:
        return []
    from screens.troubleshooting.remedy import words_for

    remedy = words_for(finding.code, finding.facts, words)
    steps = [f"{number}. {step}" for number, step in enumerate(remedy.steps, 1)]
    return [f"{remedy.title} ({finding.code})", *steps]


def lines(findings: Iterable[Finding], words: Words) -> list[str]:
    """Every finding as lines of text: the headline, and below it what to do."""
    found: list[str] = []
    for finding, remedy in explained(findings, words):
        found.append(headline(finding, words))
        found += [f"          {line}" for line in remedy]
    return found


def explained(findings: Iterable[Finding], words: Words) -> Iterator[tuple[Finding, list[str]]]:
    """Each finding with its remedy: title, code and steps, or where these were told before."""
    _ = words
    told: dict[str, int] = {}
    for finding in findings:
        number = told.setdefault(finding.code or "", finding.number)
        if finding.code is None or number == finding.number:
            yield finding, _remedy_lines(finding, words)
        else:
            yield finding, [_("The same as number {number}.", number=number)]


def verdict(findings: Iterable[Finding], words: Words) -> str:
    """The last line: whether a binding could succeed now."""
    _ = words
    seen = tuple(findings)
    failures = sum(finding.outcome is Outcome.FAILURE for finding in seen)
    if succeeds(seen):
        return _("A binding could succeed now.")
    return _("A binding cannot succeed now; failures: {failures}", failures=failures)
