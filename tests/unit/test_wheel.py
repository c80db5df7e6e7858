"""The wheel carries all that the program reads at run time, and works without the sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("tui", "screens", "card", "client")
NOT_SHIPPED = {"screens/locale/build_hook.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = folder.glob("*.whl")
    return built


def test_it_has_every_file_of_the_packages(wheel: Path) -> None:
    expected = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == expected - NOT_SHIPPED
    assert "screens/locale/zh_Hant_TW/LC_MESSAGES/hca_bind.mo" in packed


def test_it_speaks_chinese_without_the_sources(wheel: Path, tmp_path: Path) -> None:
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import screens.language as language\n"
        "print(language.__file__)\n"
        "print(language.Words(language.Language.ZH).language)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.stdout.splitlines() == [str(tmp_path / "screens/language.py"), "zh-Hant"]
