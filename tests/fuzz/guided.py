"""One target under atheris: `guided.py TARGET SAMPLES LIBFUZZER-ARGUMENTS…`.

The project's modules are instrumented, so libFuzzer sees which branches an input takes. After
every few thousand executions a line goes to the file SAMPLES: executions, resident pages, and the
blocks that Python holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

EVERY = 4096  # executions

with atheris.instrument_imports(include=["card", "client", "screens"]):
    from targets import targets


def main() -> None:
    _, name, samples, *arguments = sys.argv
    target = targets()[name]
    executions = 0
    kept = Path(samples)

    def one(data: bytes) -> None:
        nonlocal executions
        target.run(data)
        executions += 1
        if executions % EVERY == 0:
            pages = Path("/proc/self/statm").read_text().split()[1]
            with kept.open("a") as lines:
                lines.write(f"{executions} {pages} {sys.getallocatedblocks()}\n")

    atheris.Setup([name, *arguments], one)
    atheris.Fuzz()


main()
