"""`make audit` takes no silence for an answer; pip-audit itself ends well when it asked nobody."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

LOCK = """\
alpha==1.0 ; python_version < '3.12' \\
    --hash=sha256:00
beta==2.0
    # via alpha
"""
NEWER = "alpha==1.1\n"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).parents[2] / ".ci" / "audit.py"
    spec = importlib.util.spec_from_file_location("audit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def report(*lines: tuple[str, Iterable[str] | None]) -> object:
    """As pip-audit writes it; None: it could not ask about that one."""
    return {
        "dependencies": [
            {"name": name, "skip_reason": f"Dependency not found: {name}"}
            if found is None
            else {"name": name, "version": "0", "vulns": [{"id": each} for each in found]}
            for name, found in lines
        ],
        "fixes": [],
    }


def test_every_version_of_every_lock_is_asked_about(tool: ModuleType) -> None:
    asked: set[tuple[str, str]] = set()

    def ask(versions: frozenset[tuple[str, str]], _service: str) -> dict[str, list[str]]:
        asked.update(versions)
        names = [name for name, _ in versions]
        assert len(names) == len(set(names)), "pip-audit refuses two versions of one"
        return {name: [] for name in names}

    result = tool.audit([LOCK, NEWER], ask)
    assert asked == {("alpha", "1.0"), ("beta", "2.0"), ("alpha", "1.1")}
    assert (result.versions, result.audited, result.locks, result.status) == (3, 3, 2, 0)


def test_what_one_service_does_not_know_is_asked_of_the_other(tool: ModuleType) -> None:
    answers = {
        "pypi": report(("alpha", []), ("beta", None)),
        "osv": report(("beta", ["GHSA-0"])),
    }
    result = tool.audit([LOCK], lambda _, service: tool.answered(answers[service]))
    assert result.known == ["beta 2.0: GHSA-0"]
    assert (result.audited, result.status) == (2, 1)


@pytest.mark.parametrize("silence", [report(("alpha", None), ("beta", None)), report()])
def test_nobody_asked_is_not_a_pass(tool: ModuleType, silence: object) -> None:
    result = tool.audit([LOCK], lambda *_: tool.answered(silence))
    assert result.unasked == ["alpha 1.0", "beta 2.0"]
    assert (result.audited, result.status) == (0, 3)


def test_one_that_was_not_asked_about_is_not_a_pass_either(tool: ModuleType) -> None:
    told = report(("alpha", []), ("beta", None))
    assert tool.audit([LOCK], lambda *_: tool.answered(told)).status == 3


def test_the_locks_are_read_as_they_are_written(tool: ModuleType) -> None:
    for path in Path(tool.ROOT).glob("requirements*.lock"):
        text = path.read_text("utf-8")
        lines = [line for line in text.splitlines() if re.match("[a-z]", line)]
        assert len(tool.pins(text)) == len(lines) > 0, path.name
