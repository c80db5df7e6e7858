"""The PKCS#11 modules of settings.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.pkcs11.modules import For, named
from tui import settings
from tui.errors import FileUnusable


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/tester")
    file = settings.settings_file()
    file.parent.mkdir(exist_ok=True)
    return file


def test_without_a_file_there_is_none() -> None:
    assert settings.load_modules() == ()


def test_a_path_or_a_table_with_cards(stored: Path) -> None:
    stored.write_text(
        '[pkcs11]\nmodules = ["/opt/vendor.so", {path = "~/other.so", cards = ["HPC", "OTHER"]}]\n'
    )
    assert settings.load_modules() == (
        named(Path("/opt/vendor.so")),
        named(Path("/home/tester/other.so"), [For.HPC, For.OTHER]),
    )


@pytest.mark.parametrize(
    "modules",
    [
        '"/opt/vendor.so',
        "3",
        '{path = "/a"}',
        "[3]",
        "[{}]",
        "[{path = 3}]",
        '[{path = "/a", cards = ["NHI"]}]',
        '[{path = "/a", cards = "HPC"}]',
        '[{path = "/a", card = "HPC"}]',
    ],
)
def test_what_cannot_be_meant_is_refused(stored: Path, modules: str) -> None:
    stored.write_text(f"[pkcs11]\nmodules = {modules}\n")
    with pytest.raises(FileUnusable):
        settings.load_modules()
