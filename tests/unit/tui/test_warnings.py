"""What a library remarks about a card, a path of this computer in it, is not written to people."""

from __future__ import annotations

import subprocess
import sys

import pytest

WARNS = """
import sys, warnings
import tui.main

tui.main.COMMANDS["doctor"] = lambda _: warnings.warn("an attribute's length") or 0
sys.argv[1:] = ["doctor"]
tui.main.main()
"""


@pytest.mark.parametrize(("options", "shown"), [((), False), (("-W", "default"), True)])
def test_a_warning_is_for_developers_who_ask_for_it(options: tuple[str, ...], shown: bool) -> None:
    command = [sys.executable, *options, "-c", WARNS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert ("length" in done.stderr) is shown
    assert done.stdout == ""
