"""Which service and which reader: the command line, then the environment, then settings.toml."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tui.errors import FileUnusable

if TYPE_CHECKING:
    from card.pkcs11.modules import Module
    from card.port import PadUse


@dataclass(frozen=True)
class Settings:
    """`service` is the https:// address; `ca` a PEM file instead of the system's trust store."""

    service: str | None = None
    ca: Path | None = None


@dataclass(frozen=True)
class ComponentSettings:
    """`keys` are pinned for the component list (see client/components/manifest.md).

    `install` False: nothing is ever installed from here, only said what an administrator does.
    """

    keys: tuple[str, ...] = ()
    install: bool = True


def settings_file() -> Path:
    """settings.toml in the user's configuration folder."""
    import platformdirs

    return platformdirs.user_config_path("hca-bind") / "settings.toml"


def load(service: str | None, ca: Path | None) -> Settings:
    """The settings of this run. Raises FileUnusable."""
    stored = _stored() if service is None or ca is None else {}
    address = service or os.environ.get("HCA_BIND_SERVICE") or stored.get("url")
    trust = ca or stored.get("ca")
    return Settings(
        service=str(address) if address else None,
        ca=Path(str(trust)) if trust else None,
    )


def load_components() -> ComponentSettings:
    """The table [components] of settings.toml. Raises FileUnusable."""
    table = _stored("components")
    keys, install = table.get("keys", []), table.get("install", True)
    if not isinstance(keys, list) or not isinstance(install, bool):
        raise FileUnusable(str(settings_file()))
    return ComponentSettings(tuple(str(key) for key in keys), install)


def load_modules() -> tuple[Module, ...]:
    """The PKCS#11 modules of settings.toml: paths, or {path, cards = ["HPC", …]}.

    Raises FileUnusable.
    """
    import msgspec

    from card.pkcs11.modules import settled

    try:
        return settled(_stored("pkcs11").get("modules", ()))
    except msgspec.ValidationError as error:
        raise FileUnusable(str(settings_file())) from error


def load_anchors() -> tuple[Path, ...]:
    """The PEM files of the CAs that must stand behind a card: [card] anchors of settings.toml.

    Raises FileUnusable.
    """
    paths = _stored("card").get("anchors", [])
    if not isinstance(paths, list):
        raise FileUnusable(str(settings_file()))
    return tuple(Path(str(path)) for path in paths)


def load_pads() -> PadUse:
    """What becomes of readers with keys of their own: [card] pin_pad. Raises FileUnusable."""
    from card.port import PadUse

    try:
        return PadUse(str(_stored("card").get("pin_pad", PadUse.PREFER)))
    except ValueError as error:
        raise FileUnusable(str(settings_file())) from error


def _stored(name: str = "service") -> dict[str, object]:
    path = settings_file()
    try:
        table = tomllib.loads(path.read_text("utf-8")).get(name, {})
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise FileUnusable(str(path)) from error
    if not isinstance(table, dict):
        raise FileUnusable(str(path))
    return table
