"""What a session must not load: at its first screen, and for its requests."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Heavy modules that the first screen does without (see tests/bench/README.md).
LATE = {"httpx", "msgspec", "cryptography", "smartcard", "card.port", "client.errors", "uvicorn"}


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after `statement`."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_first_screen_loads_nothing_of_cards_and_network() -> None:
    loaded = loaded_by("import tui.main, tui.app, tui.backends")
    assert "screens.steps.welcome" in loaded
    assert not loaded & LATE


def test_who_waits_for_a_card_has_nothing_of_the_network_and_no_card_in_memory() -> None:
    """A session on a full host mostly waits: see tests/bench/README.md."""
    modules = "tui.app, tui.backends, tui.check_process, screens.steps.reader, screens.jobs"
    loaded = loaded_by(
        f"import {modules}; from card.pcsc_context import load; load();"
        "from screens.troubleshooting.remedy import words_for;"
        "from screens.language import Language, Words;"
        "words_for('card.absent', {}, Words(Language.ZH))"
    )
    late = {"httpx", "cryptography", "client.https", "importlib.metadata", "card.apdu_card"}
    assert not loaded & (late | {"smartcard", "card.piv.commands", "card.components"})


@pytest.mark.parametrize("module", ["click", "pygments", "httpx._main"])
def test_the_client_brings_no_command_line(module: str) -> None:
    script = f"import client.line, httpx, sys; print(sys.modules.get({module!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "None"
