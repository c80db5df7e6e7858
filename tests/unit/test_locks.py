"""The lock files hold a version of everything that pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = PROJECT["project"]["dependencies"]
GROUPS = PROJECT["dependency-groups"]
WANTED = {
    "requirements.lock": RUNTIME,
    "requirements-dev.lock": RUNTIME + GROUPS["dev"],
    "requirements-build.lock": GROUPS["build"] + PROJECT["build-system"]["requires"],
    "requirements-fuzz.lock": GROUPS["fuzz"],
    "requirements-audit.lock": GROUPS["audit"],
}
PIN = re.compile(r"^([a-z0-9-]+)==([^ ;]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text(encoding="utf-8")))


@pytest.mark.parametrize("lock", WANTED)
def test_every_requirement_is_locked_to_a_version_that_it_allows(lock: str) -> None:
    locked = pins(lock)
    unmet = [
        text
        for text in WANTED[lock]
        if not (wanted := Requirement(text)).specifier.contains(locked.get(wanted.name, "0"))
    ]
    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize(
    ("lock", "beside"),
    [
        ("requirements-dev.lock", "requirements.lock"),  # tested is what people install
        ("requirements-audit.lock", "requirements-dev.lock"),  # one .venv holds them both
    ],
)
def test_no_lock_has_another_version_of_the_same(lock: str, beside: str) -> None:
    one, other = pins(lock), pins(beside)
    both = one.keys() & other.keys()
    assert both
    assert {name: one[name] for name in both} == {name: other[name] for name in both}


def test_the_tests_have_everything_that_people_have() -> None:
    assert pins("requirements.lock").keys() <= pins("requirements-dev.lock").keys()


@pytest.mark.parametrize("lock", sorted({*WANTED} - {"requirements-build.lock"}))
def test_every_locked_version_has_hashes(lock: str) -> None:
    entries = re.split(r"^(?=[a-z0-9-]+==)", (ROOT / lock).read_text(encoding="utf-8"), flags=re.M)
    assert [entry for entry in entries if entry and "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("file", [*WANTED, "pyproject.toml"])
def test_no_package_index_is_named(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url|--find-links", text) == []
