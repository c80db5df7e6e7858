"""The administrator's file: what a kiosk may do. Nobody else may be able to write it."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from card.port import PadUse
from screens.language import Language
from screens.shell import Action
from tui.errors import (
    FileUnusable,
    KioskAsRoot,
    KioskFileOpen,
    KioskFileShown,
    KioskSettingsInvalid,
)
from tui.kiosk.password import SecretHash

T = TypeVar("T")
LANGUAGES = {"zh": Language.ZH, "en": Language.EN}
SHORTEST = 5  # seconds before the countdown
EXAMPLE = """\
# /etc/hca-bind/kiosk.toml: owned by root, and not writable by the account of the kiosk.
service = "https://report.example.invalid"     # the one service of this kiosk
# ca = "/etc/hca-bind/service-ca.pem"          # trust this PEM file only
# anchors = ["/etc/hca-bind/hca.pem"]          # the CAs that must stand behind a card
# pcsc_socket = "/run/pcscd/pcscd.comm"        # where pcscd listens, if not there
actions = ["register", "rebind", "troubleshooting"]
pin_pad = "prefer"                             # readers with keys: prefer, only or off
language = "zh"                                # zh or en; on the bare console always en
idle = 90                                      # seconds without a key until a turn ends
countdown = 20                                 # the last of them are counted down
receipt = 60                                   # the same for the receipt
turn = 1800                                    # the longest that a turn may last
# With `administrator` nobody else may read the file: chown root:hca-kiosk, chmod 640.
# administrator = "$scrypt$…"   # of `hca-bind kiosk password`; after Ctrl+], it ends the kiosk
"""


@dataclass(frozen=True)
class KioskSettings:
    """The file's content; times in seconds. `administrator` None: only a signal ends the kiosk."""

    service: str
    ca: Path | None
    anchors: tuple[Path, ...]
    pcsc_socket: Path | None
    actions: frozenset[Action]
    pin_pad: PadUse
    language: Language
    idle: int
    countdown: int
    receipt: int
    turn: int
    administrator: SecretHash | None


def load(path: Path) -> KioskSettings:
    """Read the file.

    Raises KioskAsRoot, KioskFileOpen, KioskFileShown, KioskSettingsInvalid, FileUnusable.
    """
    if os.geteuid() == 0:
        raise KioskAsRoot  # could write any file, so nothing would be settled
    path = Path(os.path.realpath(path))
    _check_writers(path)
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        if "administrator" in table and path.stat().st_mode & stat.S_IROTH:
            raise KioskFileShown(str(path))
    except tomllib.TOMLDecodeError as error:
        raise KioskSettingsInvalid(str(path), "TOML") from error
    except (OSError, UnicodeError) as error:
        raise FileUnusable(str(path)) from error
    return read(path, table)


def read(path: Path, table: dict[str, object]) -> KioskSettings:
    """What a parsed file says. Raises KioskSettingsInvalid with the first key that cannot be."""
    return _Table(path, table).settings()


def _check_writers(path: Path) -> None:
    """Only another account, an administrator's, may write the file or put another in its place."""
    try:
        for each in (path, *path.parents):
            state = each.stat()
            shared = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            kept = each != path and state.st_mode & stat.S_ISVTX  # /tmp: others' files stay theirs
            if state.st_uid == os.geteuid() or (shared and not kept):
                raise KioskFileOpen(str(each))
    except OSError as error:
        raise FileUnusable(str(path)) from error


@dataclass(frozen=True)
class _Table:
    path: Path
    table: dict[str, object]

    def settings(self) -> KioskSettings:
        unknown = self.table.keys() - KioskSettings.__dataclass_fields__.keys()
        if unknown:
            self._refuse(sorted(unknown)[0])  # a typo must not loosen anything silently
        countdown = self._seconds("countdown", 20, least=3)
        idle = self._seconds("idle", 90, least=countdown + SHORTEST)
        return KioskSettings(
            service=self._read("service", self._service),
            ca=self._read("ca", self._file) if "ca" in self.table else None,
            anchors=self._files("anchors"),
            pcsc_socket=self._read("pcsc_socket", Path) if "pcsc_socket" in self.table else None,
            actions=self._actions(),
            pin_pad=self._read("pin_pad", PadUse, PadUse.PREFER),
            language=self._read("language", LANGUAGES.__getitem__, "zh"),
            idle=idle,
            countdown=countdown,
            receipt=self._seconds("receipt", 60, least=countdown + SHORTEST),
            turn=self._seconds("turn", 1800, least=idle),
            administrator=(
                self._read("administrator", SecretHash.parse)
                if "administrator" in self.table
                else None
            ),
        )

    def _read(self, key: str, parse: Callable[[str], T], default: str | None = None) -> T:
        value = self.table.get(key, default)
        if not isinstance(value, str):
            self._refuse(key)
        try:
            return parse(str(value))
        except (ValueError, KeyError) as error:
            raise KioskSettingsInvalid(str(self.path), key) from error

    def _service(self, text: str) -> str:
        from client.address import parse_address
        from client.errors import ClientError

        try:
            parse_address(text)
        except ClientError as error:
            raise ValueError(text) from error
        return text

    def _file(self, text: str) -> Path:
        """A trusted file has to be as safe from others as the settings are."""
        path = Path(os.path.realpath(text))
        _check_writers(path)
        return path

    def _files(self, key: str) -> tuple[Path, ...]:
        listed = self.table.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise KioskSettingsInvalid(str(self.path), key)
        return tuple(self._file(each) for each in listed)

    def _actions(self) -> frozenset[Action]:
        listed = self.table.get("actions", list(Action))
        if not isinstance(listed, list) or not listed or not all(x in [*Action] for x in listed):
            self._refuse("actions")
            raise AssertionError
        return frozenset(Action(str(action)) for action in listed)

    def _seconds(self, key: str, default: int, least: int) -> int:
        value = self.table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 3600:
            raise KioskSettingsInvalid(str(self.path), key)
        return value

    def _refuse(self, key: str) -> None:
        raise KioskSettingsInvalid(str(self.path), key)
