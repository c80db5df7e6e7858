"""`make bench`: every figure that was promised, measured beside its reference in one run."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import apdus
import binding
import counts
import download
import first_frame
import passthrough
import plug
import progress
import waiting
from figure import Figure, as_json, as_table
from world import World, world


def alone(measure: Callable[[int], list[Figure]]) -> Callable[[World, int], list[Figure]]:
    """A measurement that brings its own daemons."""
    return lambda _world, runs: measure(runs)


MEASUREMENTS = {
    "first-frame": first_frame.measure,
    "binding": binding.measure,
    "progress": progress.measure,
    "memory": waiting.memories,
    "insertion": waiting.insertion,
    "plug": plug.measure,
    "counts": counts.measure,
    "minute": waiting.minute,
    "apdus": alone(apdus.measure),
    "passthrough": alone(passthrough.measure),
    "download": alone(download.measure),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="WHAT", help=", ".join(MEASUREMENTS))
    parser.add_argument("--runs", type=int, default=15, help="how often each is measured")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    unknown = set(options.only) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    with world() as measured, ThreadPoolExecutor() as beside:
        running: list[Future[list[Figure]]] = []
        for name in [name for name in MEASUREMENTS if name in (options.only or MEASUREMENTS)]:
            start = time.monotonic()
            # Two programs that sleep for a minute, told by their own clocks, disturb nobody; what
            # comes after them has daemons of its own.
            running.append(beside.submit(MEASUREMENTS[name], measured, options.runs))
            if name != "minute":
                running[-1].result()
            print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        for each in running:
            figures += each.result()
    print(as_table(figures))
    if options.json:
        options.json.write_text(as_json(figures) + "\n", encoding="utf-8")


main()
