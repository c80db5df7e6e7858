"""The wizard hands its terminal to sudo for the password, only when the person said yes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from terminal import Terminal

SECONDS = 60
WIZARD = """
from screens.language import Language
from tui.app import WizardApp
from tui.demo import DemoBackends
from tui.installation import Rights
from tui.scenarios import SCENARIOS

backends = DemoBackends(SCENARIOS["component-missing"])
backends.equipment().rights = Rights.SUDO
try:
    WizardApp(backends, Language.EN).run(mouse=False)
finally:
    backends.close()
"""
# What sudo does with a password of its own, and with -n: everything but becoming another user.
SUDO = """#!/bin/sh
echo "$*" >>{folder}/calls
case $1 in
-v) printf 'password of the test: '; stty -echo; read -r word; stty echo
    [ "$word" = right ] && touch {folder}/ticket ;;
-n) shift; [ -e {folder}/ticket ] && exec "$@"; exit 1 ;;
esac
"""


def at_the_plan(tmp_path: Path) -> Terminal:
    (tmp_path / "bin").mkdir()
    sudo = tmp_path / "bin/sudo"
    sudo.write_text(SUDO.format(folder=tmp_path))
    sudo.chmod(0o755)
    environment = {
        "PATH": f"{sudo.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
    }
    return Terminal([sys.executable, "-c", WIZARD], environment, size=(100, 30))


def asked(tmp_path: Path) -> list[str]:
    try:
        return (tmp_path / "calls").read_text().splitlines()
    except FileNotFoundError:
        return []


def to_the_plan(terminal: Terminal) -> None:
    terminal.until("What would you like to do?")
    terminal.press("1")
    terminal.until("This can be had from here:", SECONDS)
    terminal.press("enter")
    terminal.until("This will be run when you press Enter:", SECONDS)


def test_the_password_is_asked_for_on_the_terminal(tmp_path: Path) -> None:
    with at_the_plan(tmp_path) as terminal:
        to_the_plan(terminal)
        assert asked(tmp_path) == ["-n true"]  # whether one is needed at all; nothing was run
        terminal.press("enter")
        terminal.until("password of the test:")
        terminal.press(*"right", "enter")
        terminal.until("Everything is there.", SECONDS)
        calls = asked(tmp_path)
        assert calls[1] == "-v"
        assert [call.split()[:2] for call in calls[2:]] == [
            ["-n", "mkdir"],
            ["-n", "install"],
            ["-n", "install"],
        ]
        assert terminal.raw


def test_a_wrong_password_installs_nothing(tmp_path: Path) -> None:
    with at_the_plan(tmp_path) as terminal:
        to_the_plan(terminal)
        terminal.press("enter")
        terminal.until("password of the test:")
        terminal.press(*"wrong", "enter")
        terminal.until("F2 What to do", SECONDS)
        assert asked(tmp_path) == ["-n true", "-v"]
        assert terminal.raw
