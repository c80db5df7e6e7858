"""[card] pin_pad of settings.toml, and the option that overrides it."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.port import PadUse
from tui import settings
from tui.arguments import PADS, parser
from tui.backends import RealBackends
from tui.errors import FileUnusable


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = settings.settings_file()
    file.parent.mkdir(exist_ok=True)
    return file


def test_without_a_word_the_readers_keys_are_used() -> None:
    assert settings.load_pads() is RealBackends().pads() is PadUse.PREFER


@pytest.mark.parametrize("use", PadUse)
def test_the_settings_and_the_option(stored: Path, use: PadUse) -> None:
    stored.write_text(f'[card]\npin_pad = "{use}"\n')
    assert RealBackends().pads() is use
    assert RealBackends().apart().pads() is use
    for given in PadUse:
        assert RealBackends(pads=given).pads() is given
        assert RealBackends(pads=given).apart().pads() is given


@pytest.mark.parametrize("value", ['"sometimes"', "true", "3", '["off"]'])
def test_what_cannot_be_meant_is_refused(stored: Path, value: str) -> None:
    stored.write_text(f"[card]\npin_pad = {value}\n")
    with pytest.raises(FileUnusable):
        RealBackends().pads()


@pytest.mark.parametrize(
    "line",
    [
        "--pin-pad off",
        "--pin-pad off readers",
        "readers --pin-pad off",
        "--pin-pad off verify",
        "verify --pin-pad off",
        "bind --purpose register --pin-pad off",
    ],
)
def test_the_option_before_and_after_the_command(line: str) -> None:
    assert parser().parse_args(line.split()).pin_pad == "off"


def test_the_options_choices_are_the_settings_own() -> None:
    assert set(PADS) == set(PadUse)
    assert parser().parse_args(["verify"]).pin_pad is None
