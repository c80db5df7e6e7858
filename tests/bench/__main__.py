"""`make bench`: every figure that was promised, measured beside its reference in one run."""

from __future__ import annotations

import argparse
from pathlib import Path

import apdus
import download
import first_frame
import passthrough
from figure import as_json, as_table

MEASUREMENTS = {
    "first-frame": first_frame.measure,
    "apdus": apdus.measure,
    "passthrough": passthrough.measure,
    "download": download.measure,
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
    figures = [
        figure
        for name in options.only or MEASUREMENTS
        for figure in MEASUREMENTS[name](options.runs)
    ]
    print(as_table(figures))
    if options.json:
        options.json.write_text(as_json(figures) + "\n", encoding="utf-8")


main()
