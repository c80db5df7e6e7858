"""The figures of a run: what was counted, how often, and what it came to; printed at its end."""

from __future__ import annotations

import pytest
from figures import Figures

FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    figures = config.stash[FIGURES]
    if figures.counts:
        terminalreporter.section("figures" + ("" if figures.whole else " of a part"))
        for line in figures.lines():
            terminalreporter.write_line(line)


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> Figures:
    return pytestconfig.stash[FIGURES]
