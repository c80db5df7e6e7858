"""What all tests share: no clock for invented examples, and the figures, printed at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from figures import Figures
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

FIGURES = pytest.StashKey[Figures]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", type=Path, help="write the figures, and how many tests, there")


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes says what else the machine does, not whether the program is right.
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")
    config.stash[FIGURES] = Figures()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that runs a part of the tests hands its figures in."""
    if hasattr(session.config, "workeroutput"):
        counts = session.config.stash[FIGURES].counts
        session.config.workeroutput["figures"] = {each: dict(of) for each, of in counts.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    for subject, numbers in getattr(node, "workeroutput", {}).get("figures", {}).items():
        node.config.stash[FIGURES].count(subject, **numbers)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    figures = config.stash[FIGURES]
    if (file := config.getoption("--figures")) is not None:
        kinds = ("passed", "failed", "error", "skipped")
        tests = {kind: len(terminalreporter.stats.get(kind, ())) for kind in kinds}
        file.write_text(json.dumps({**figures.counts, "tests": tests}, indent=1) + "\n", "utf-8")
    if figures.counts:
        terminalreporter.section("figures" + ("" if figures.whole else " of a part"))
        for line in figures.lines():
            terminalreporter.write_line(line)


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> Figures:
    return pytestconfig.stash[FIGURES]
