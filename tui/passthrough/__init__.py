"""A reader on a thin client, the program on a host: what either side needs for it."""

from __future__ import annotations

from pathlib import Path


def script() -> str:
    """`hca-bind-connect`, which a thin client runs: POSIX sh, with nothing but ssh and pcscd."""
    return Path(__file__).with_name("hca-bind-connect").read_text(encoding="utf-8")
