"""`make proof`: all that SECURITY.md promises, the whole of every matrix; one table at the end.

Exit status: 0: every promise was kept; 1: one was missed; 3: all were kept but the audit's, as no
advisory service could be asked. It takes about an hour on two quiet cores; `--only
residue kills` is a part of it, `--fuzz N` another number of executions of each parser.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from promises import FUZZED, PROMISES, Figures, Row, Verdict, audited, fuzzed, processes, table

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 4 * 3600  # seconds for one test


@dataclass(frozen=True)
class Stage:
    """Some of the promises, and the command that proves them; FILE is where its figures go."""

    name: str
    command: list[str]
    rows: Callable[[Figures, int], Iterator[Row]]


def tests(name: str, *files: str) -> Stage:
    """Figures of the tests' own; a failing test, or one that was skipped, is a miss too."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--timeout={LONGEST}"]

    def rows(found: Figures, status: int) -> Iterator[Row]:
        yield processes(name, found, status)
        for promise in PROMISES:
            if promise.stage == name:
                yield promise.row(found)

    return Stage(name, [*command, "--figures", "FILE", *files], rows)


def stages(executions: int) -> list[Stage]:
    fuzz = [sys.executable, "tests/fuzz", "--json", "FILE", "--runs", str(executions)]
    audit = [sys.executable, ".ci/audit.py", "--json", "FILE"]
    return [
        tests("residue", "tests/system/test_residue.py"),
        tests("card", "tests/proof/test_card_matrix.py", "tests/proof/test_wizard_card_matrix.py"),
        tests("service", "tests/proof/test_service_matrix.py"),
        tests("kills", "tests/proof/test_kills.py"),
        Stage("fuzz", fuzz, lambda found, _: fuzzed(found, executions)),
        tests("text", "tests/proof/test_hostile_text.py", "tests/proof/test_hostile_names.py"),
        tests("process", "tests/system/test_private_process.py", "tests/unit/test_audit.py"),
        Stage("audit", audit, audited),
    ]


def prove(stage: Stage, folder: Path) -> list[Row]:
    """Run one stage; what it prints goes past, its figures are judged."""
    file = folder / f"{stage.name}.json"
    command = [str(file) if word == "FILE" else word for word in stage.command]
    print(f"--- {stage.name}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, "PROOF": "whole"}
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    found = json.loads(file.read_text("utf-8")) if file.exists() else {}
    print(f"--- {stage.name}: {(time.monotonic() - started) / 60:.1f} min", flush=True)
    return list(stage.rows(found, status))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make proof", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    every = [stage.name for stage in stages(FUZZED)]
    parser.add_argument("--only", nargs="+", choices=every, default=every)
    parser.add_argument("--fuzz", type=int, default=FUZZED, metavar="N", help="executions of each")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hca-bind-proof-") as folder:
        chosen = [stage for stage in stages(options.fuzz) if stage.name in options.only]
        rows = [row for stage in chosen for row in prove(stage, Path(folder))]
    print(table(rows))
    verdicts = {row.verdict for row in rows}
    missed = sum(row.verdict is Verdict.MISSED for row in rows)
    print(f"{len(rows)} figures, {missed} missed, {(time.monotonic() - started) / 60:.0f} min")
    return 1 if missed else 3 if Verdict.NOT_ASKED in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
