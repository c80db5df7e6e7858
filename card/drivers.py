"""The drivers of card readers that pcsc-lite loads, and the readers on USB that want one."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Where pcsc-lite's drop-in drivers live on Debian, Fedora and macOS, below the system's root.
FOLDERS = (
    "usr/lib/pcsc/drivers",
    "usr/lib64/pcsc/drivers",
    "usr/local/libexec/SmartCardServices/drivers",
    "usr/libexec/SmartCardServices/drivers",
)
USB_DEVICES = "sys/bus/usb/devices"
SMART_CARD_CLASS = "0b"  # bInterfaceClass, USB CCID specification §4.8


@dataclass(frozen=True)
class Driver:
    """One driver bundle; `usb` are the readers it is for, as `vendor:product` in hexadecimal."""

    folder: Path
    name: str
    version: str
    library: Path
    usb: frozenset[str]

    @property
    def ccid(self) -> bool:
        """The driver for every reader that follows the CCID standard and is on its list."""
        return "ccid" in self.folder.name.lower()


def drivers(root: Path) -> Iterator[Driver]:
    """The driver bundles below `root`; one whose Info.plist does not parse has no version."""
    for place in FOLDERS:
        for plist in sorted((root / place).glob("*.bundle/Contents/Info.plist")):
            yield _driver(plist)


def usb_readers(root: Path) -> tuple[str, ...]:
    """The card readers on USB, by their class, as `vendor:product`; Linux only."""
    found: dict[str, None] = {}
    for interface in sorted((root / USB_DEVICES).glob("*:*/bInterfaceClass")):
        device = interface.parent.name.partition(":")[0]
        folder = root / USB_DEVICES / device
        if _text(interface) == SMART_CARD_CLASS:
            found[f"{_text(folder / 'idVendor')}:{_text(folder / 'idProduct')}".lower()] = None
    return tuple(usb for usb in found if len(usb) == 9)


def _driver(plist: Path) -> Driver:
    try:
        with plist.open("rb") as file:
            info = plistlib.load(file)
    except (OSError, ValueError, plistlib.InvalidFileException):
        info = {}
    folder = plist.parents[1]
    executable = str(info.get("CFBundleExecutable", ""))
    inside = sorted(folder.glob(f"Contents/*/{executable}")) if executable else []
    vendors, products = (_strings(info.get(key)) for key in ("ifdVendorID", "ifdProductID"))
    return Driver(
        folder=folder,
        name=folder.name.removesuffix(".bundle"),
        version=str(info.get("CFBundleShortVersionString", "")),
        library=inside[0] if inside else folder / "Contents/Linux" / executable,
        usb=frozenset(
            f"{vendor}:{product}".lower().replace("0x", "")
            for vendor, product in zip(vendors, products, strict=False)
        ),
    )


def _strings(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
