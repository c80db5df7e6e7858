"""`make audit`: every version in the locks against the known vulnerabilities, by pip-audit.

The locks are the input and nothing is resolved, installed or looked up beside the advisories: those
of the package index, then OSV's for what the index does not know. A version that neither could be
asked about has not been audited, however calmly pip-audit itself ends; that is a status of its own.

Exit status: 0: nothing is known of any version; 1: something is; 3: not everything was audited.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("pypi", "osv")
VULNERABLE, NOT_AUDITED = 1, 3
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
Pins = frozenset[tuple[str, str]]


@dataclass
class Audit:
    """What came of it; a `known` one is `name version: advisories`."""

    locks: int = 0
    versions: int = 0
    audited: int = 0
    known: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        return VULNERABLE if self.known else NOT_AUDITED if self.unasked else 0


def pins(lock: str) -> Pins:
    """Every `name==version` of a lock, whatever system it is for."""
    return frozenset(PIN.findall(lock))


def answered(report: Any) -> dict[str, list[str]]:
    """pip-audit's JSON: the advisories of each package that it could ask about."""
    return {
        each["name"]: [advisory["id"] for advisory in each["vulns"]]
        for each in report["dependencies"]
        if "skip_reason" not in each
    }


def audit(locks: Iterable[str], ask: Callable[[Pins, str], dict[str, list[str]]]) -> Audit:
    """`ask` gives the advisories of those versions that a service could say something about."""
    result = Audit()
    left: set[tuple[str, str]] = set()
    for lock in locks:
        left |= pins(lock)
        result.locks += 1
    result.versions = len(left)
    for service in SERVICES:
        for batch in _batches(left):
            told = ask(batch, service)
            for name, version in batch:
                if name in told:
                    left.discard((name, version))
                    if told[name]:
                        result.known.append(f"{name} {version}: {', '.join(told[name])}")
    result.audited = result.versions - len(left)
    result.unasked = sorted(" ".join(pin) for pin in left)
    result.known.sort()
    return result


def _batches(versions: set[tuple[str, str]]) -> list[Pins]:
    """pip-audit takes one version of a package at a time; two locks may have two."""
    batches: list[dict[str, str]] = []
    for name, version in sorted(versions):
        for batch in batches:
            if name not in batch:
                batch[name] = version
                break
        else:
            batches.append({name: version})
    return [frozenset(batch.items()) for batch in batches]


def pip_audit(versions: Pins, service: str, osv: str = "") -> dict[str, list[str]]:
    """Ask one service, OSV at its own address or at `osv`; nothing where it cannot be reached."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "requirements.txt")
        listed.write_text("".join(f"{name}=={version}\n" for name, version in sorted(versions)))
        command = [sys.executable, "-m", "pip_audit", "--requirement", listed, "--no-deps"]
        command += ["--disable-pip", "--format=json", "--progress-spinner=off"]
        command += ["--vulnerability-service", service, *(["--osv-url", osv] if osv else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return answered(json.loads(done.stdout))
    except json.JSONDecodeError:
        said = done.stderr.strip().splitlines() or ["nothing"]
        sys.stderr.write(f"{service} gave no answer: {said[-1]}\n")
        return {}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--osv-url", default="", metavar="URL", help="a mirror of OSV's query API")
    options = parser.parse_args()
    locks = [path.read_text("utf-8") for path in sorted(ROOT.glob("requirements*.lock"))]
    result = audit(locks, partial(pip_audit, osv=options.osv_url))
    print(f"{result.audited} of {result.versions} locked versions audited, in {result.locks} locks")
    for line in result.known:
        print(f"VULNERABLE   {line}")
    for line in result.unasked:
        print(f"NOT AUDITED  {line}")
    if result.unasked:
        print("NOT AUDITED: no advisory service could be asked about these. This is no pass.")
    elif not result.known:
        print("Nothing is known of any of them.")
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=1) + "\n", "utf-8")
    return result.status


if __name__ == "__main__":
    sys.exit(main())
