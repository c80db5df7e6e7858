"""What this machine has of what a reader needs: the PC/SC library and a reader driver."""

from __future__ import annotations

import plistlib
import sys
from importlib import metadata
from pathlib import Path

from card.errors import DriverMissing

# Where pcsc-lite's drop-in drivers live on Debian, Fedora and macOS.
DRIVER_FOLDERS = (
    Path("/usr/lib/pcsc/drivers"),
    Path("/usr/lib64/pcsc/drivers"),
    Path("/usr/local/libexec/SmartCardServices/drivers"),
    Path("/usr/libexec/SmartCardServices/drivers"),
)


def library() -> str:
    """Name and version of the PC/SC binding that loads here. Raises PcscLibraryMissing."""
    from card.pcsc import load

    load()
    return f"pyscard {metadata.version('pyscard')}"


def reader_driver(folders: tuple[Path, ...] = DRIVER_FOLDERS) -> str:
    """Name and version of the USB reader driver (CCID). Raises DriverMissing.

    Windows brings its driver along, so there the answer is the system's own name.
    """
    if sys.platform == "win32":
        return "WUDF CCID"
    for folder in folders:
        for plist in sorted(folder.glob("*ccid*.bundle/Contents/Info.plist")):
            with plist.open("rb") as file:
                info = plistlib.load(file)
            return f"CCID {info.get('CFBundleShortVersionString', '')}".strip()
    raise DriverMissing
