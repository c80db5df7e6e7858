"""Compiles the translation catalogues when the package is built or installed in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileCatalogues(BuildHookInterface[Any]):
    """Writes each catalogue's .mo beside its .po, in the tree that is being built from."""

    PLUGIN_NAME = "custom"  # hatchling's name for a hook that a project brings along

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        for po in Path(self.root, "screens", "locale").glob("*/LC_MESSAGES/*.po"):
            with po.open("rb") as source, po.with_suffix(".mo").open("wb") as target:
                write_mo(target, read_po(source))
