"""What is promised, as figures: how much has to be looked at, and what must not be found there.

The numbers of cells and searches are floors: a matrix that lost some of its cells is a miss, as
much as a cell that went wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

FUZZED = 100_000  # executions of each parser; tests/fuzz/README.md has the million
Figures = Mapping[str, Any]
NEVER = ("hits", "misses", "personal_left")


class Verdict(Enum):
    KEPT = "kept"
    MISSED = "MISSED"
    NOT_ASKED = "NOT ASKED"  # nobody who would know could be reached


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    promise: str
    figure: str
    required: str
    verdict: Verdict


@dataclass(frozen=True)
class Promise:
    """`least` of `what` are looked at for `subject` (of `Figures.count`), and nothing is found."""

    stage: str
    promise: str
    subject: str
    what: str
    least: int

    def row(self, found: Figures) -> Row:
        counted = found.get(self.subject, {})
        looked = counted.get(self.what, 0)
        wrong = {name: counted[name] for name in NEVER if name in counted}
        kept = looked >= self.least and bool(wrong) and not any(wrong.values())
        if "kills" in counted:  # a program that was not killed proves nothing
            kept = kept and counted["kills"] == counted["cells"]
        told = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in wrong.items())
        return Row(
            self.promise,
            f"{looked:,} {self.what}, {told or 'nothing counted'}",
            f"at least {self.least:,}, 0",
            Verdict.KEPT if kept else Verdict.MISSED,
        )


PROMISES = (
    Promise("residue", "no PIN stays anywhere", "PIN residue", "searches", 90),
    Promise("card", "every command to a card × every fault", "card faults", "cells", 37_000),
    Promise("card", "another card answers from any command on", "card swapped", "cells", 140),
    Promise("card", "the wizard at broken cards", "wizard at broken cards", "cells", 2_400),
    Promise(
        "card",
        "… with the PIN on the reader's keys",
        "wizard at broken cards, the reader's keys",
        "cells",
        11_000,
    ),
    Promise("service", "every request × every trouble", "service troubles", "cells", 2_700),
    Promise("kills", "the program killed at any moment", "program killed", "cells", 110),
    Promise("kills", "the service killed at any statement", "service killed", "cells", 80),
    Promise("text", "hostile text: a binding's screens", "hostile text, wizard", "screens", 36),
    Promise("text", "… each field of a service", "hostile text, single fields", "planted", 300),
    Promise("text", "… the command line", "hostile text, command line", "runs", 24),
    Promise("text", "… the environment, file names", "hostile text, environment", "runs", 24),
    Promise("text", "… the settings", "hostile text, settings", "runs", 28),
    Promise("text", "… a list of components", "hostile text, components", "runs", 20),
)


def processes(stage: str, found: Figures, status: int) -> Row:
    """That the stage's tests ran, all of them."""
    tests = found.get("tests", {})
    passed = tests.get("passed", 0)
    others = {name: tests[name] for name in ("failed", "error", "skipped") if tests.get(name)}
    told = "".join(f", {number} {name}" for name, number in others.items())
    kept = status == 0 and passed > 0 and not others
    return Row(
        f"tests of {stage}",
        f"{passed} passed{told}",
        "all, none skipped",
        Verdict.KEPT if kept else Verdict.MISSED,
    )


def fuzzed(found: Any, executions: int) -> Iterator[Row]:
    """A row for each parser; without a coverage-guided half it is a miss, and says so."""
    for each in found or ({"target": "all of them", "executions": 0},):
        guided, made = each["executions"], each.get("generated", 0)
        wrong = each.get("hangs", 0) + each.get("found", 0)
        kept = guided >= executions and made > 0 and wrong == 0
        yield Row(
            f"fuzzing {each['target']}",
            f"{guided:,} guided, {made:,} generated, {wrong} found",
            f"at least {executions:,}, 0",
            Verdict.KEPT if kept else Verdict.MISSED,
        )


def audited(found: Figures, status: int) -> Iterator[Row]:
    """NOT ASKED where an advisory service could not be reached, which is no pass."""
    versions, asked = found.get("versions", 0), found.get("audited", 0)
    known = len(found.get("known", ()))
    verdict = {0: Verdict.KEPT, 3: Verdict.NOT_ASKED}.get(status, Verdict.MISSED)
    yield Row(
        "known vulnerabilities of locked versions",
        f"{asked} of {versions} asked about, {known} known",
        "all, 0",
        verdict if versions else Verdict.MISSED,
    )


def table(rows: list[Row]) -> str:
    heads = ("promise", "figure", "required", "verdict")
    cells = [heads, *((row.promise, row.figure, row.required, row.verdict.value) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join(lines)
