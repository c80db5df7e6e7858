"""The command line: an option counts before its command as after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.arguments import parser

FIT: dict[str, tuple[str, object]] = {  # option: its word, and what that becomes
    "--lang": ("en", "en"),
    "--service": ("https://report.example.invalid", "https://report.example.invalid"),
    "--ca": ("ca.pem", Path("ca.pem")),
    "--trace": ("trace", Path("trace")),
    "--components": ("folder", Path("folder")),
    "--component-key": ("key", ["key"]),
}
COMMANDS = {
    "": list(FIT),
    "demo": ["--lang", "--trace"],
    "verify": ["--lang", "--service", "--ca", "--trace"],
    "bind --purpose rebind": ["--lang", "--service", "--ca", "--trace"],
    "components": list(FIT),
    "doctor": ["--lang", "--service", "--ca", "--trace"],
    "kiosk": ["--lang"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_counts_before_the_command_and_after_it(command: str) -> None:
    for option in COMMANDS[command]:
        word, value = FIT[option]
        name = option.lstrip("-").replace("-", "_")
        for line in ([option, word, *command.split()], [*command.split(), option, word]):
            given = vars(parser().parse_args(line))
            assert given[name] == value, line
            others = {other.lstrip("-").replace("-", "_") for other in FIT} - {name}
            assert {given[other] for other in others} == {None}, line


def test_of_two_the_later_counts() -> None:
    given = parser().parse_args(["--lang", "zh", "demo", "--lang", "en"])
    assert (given.command, given.lang) == ("demo", "en")
