"""What can go wrong in the program itself, apart from cards and the service."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

Fact = str | int | None


@dataclass(eq=False)
class AppError(Exception):
    """Base of the tree; its subclasses carry a `code` and the facts that their remedy names."""

    code: ClassVar[str]

    def facts(self) -> dict[str, Fact]:
        """The typed facts by field name; never anything that a person typed."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Cancelled(AppError):
    """The person ended the input."""

    code = "app.cancelled"


class NoTerminal(AppError):
    """Something must be asked and there is no terminal to ask on."""

    code = "app.terminal.none"


class TerminalUnfit(AppError):
    """This terminal cannot show the full screen; the line mode works on it."""

    code = "app.terminal.unfit"


@dataclass(eq=False)
class FileUnusable(AppError):
    """A file named on the command line, or settings.toml, cannot be read or written."""

    code = "app.file"
    path: str


@dataclass(eq=False)
class InstallFailed(AppError):
    """A command of an installation ended with `status`; `log` is the file with what it said."""

    code = "component.install.failed"
    program: str
    status: int
    log: str


class InstallDenied(AppError):
    """The right to install was not given, or this place does not allow it."""

    code = "component.install.denied"


@dataclass(eq=False)
class LibraryMissing(AppError):
    """A Python package that the program needs is not installed."""

    code = "app.library.missing"
    library: str


@dataclass(eq=False)
class FormFieldMissing(AppError):
    """A field of the account form is missing or wrong in --form, and there is nobody to ask."""

    code = "app.form.field"
    field: str


@dataclass(eq=False)
class ScenarioUnknown(AppError):
    """There is no demo scenario of this name."""

    code = "app.scenario"
    scenario: str


class KioskAsRoot(AppError):
    """A kiosk runs under an account of its own; root could change everything from its terminal."""

    code = "app.kiosk.root"


@dataclass(eq=False)
class KioskFileOpen(AppError):
    """Others than an administrator can write a kiosk's settings, or put another file there."""

    code = "app.kiosk.open"
    path: str


@dataclass(eq=False)
class KioskFileShown(AppError):
    """A kiosk's settings hold the hash of a secret, and everybody on the computer can read it."""

    code = "app.kiosk.shown"
    path: str


@dataclass(eq=False)
class KioskSettingsInvalid(AppError):
    """A kiosk's settings have no, or an impossible, value for `key`."""

    code = "app.kiosk.settings"
    path: str
    key: str


@dataclass(eq=False)
class CharacterSet(AppError):
    """The terminal's character set is not UTF-8, so Chinese and lines may show wrongly."""

    code = "app.locale"
    encoding: str


@dataclass(eq=False)
class DiskLow(AppError):
    """Little space is left on the disk; `free` in MiB."""

    code = "app.disk"
    free: int


@dataclass(eq=False)
class CheckTimedOut(AppError):
    """A check of the doctor did not end in time and was left behind."""

    code = "app.check.timeout"
    seconds: int
