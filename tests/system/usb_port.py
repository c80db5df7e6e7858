"""A USB port under the real pcscd, and the hand that plugs a reader in and pulls it out.

pcscd finds the reader as it finds any other on USB: its hotplug thread hears of the device (from
usb_port.c), looks for its ids in the drivers' bundles, and loads the driver, which is the one of
pad_reader.c over vpcd's. So a card goes in by vpcd's ports, once the reader is there.
"""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pad_reader
import pytest
from pcscd import DEADLINE, DRIVER, Pcscd, free_pair, listening, wait_until

SOURCE = Path(__file__).with_suffix(".c")
NAME = "Test USB Reader"
VENDOR, PRODUCT = "1209", "0001"  # what pid.codes keeps for tests: no product has it


class UsbPort:
    """The port, empty; `readers` are the names of the two slots of what goes into it."""

    readers = (f"{NAME} 00 00", f"{NAME} 00 01")

    def __init__(self, pcscd: Pcscd, folder: Path) -> None:
        self.pcscd = pcscd
        os.mkfifo(folder / "events")
        # Open at both ends, so that nobody waits for the other one.
        self._events = os.open(folder / "events", os.O_RDWR)

    def plug(self) -> None:
        """The reader goes in; its card slots are ready when this returns."""
        os.write(self._events, b"+")
        wait_until(lambda: all(map(listening, self.pcscd.ports)), "the plugged reader")

    def unplug(self) -> None:
        """The reader is pulled out, with whatever lies in it; gone when this returns."""
        os.write(self._events, b"-")
        wait_until(lambda: not any(map(listening, self.pcscd.ports)), "the pulled reader")

    def close(self) -> None:
        os.close(self._events)


def _bundle(folder: Path) -> Path:
    """A folder of drivers that holds the reader's, as pcscd looks for them on USB."""
    drivers = folder / "drivers"
    contents = drivers / "ifd-test.bundle/Contents"
    (contents / "Linux").mkdir(parents=True)
    # pcscd's own folder of drivers, with vpcd's in it, is not seen while this one is.
    vpcd = Path(shutil.copy(DRIVER.resolve(), folder / "libifdvpcd.so"))
    driver = pad_reader.build(folder, vpcd)
    driver = driver.rename(contents / "Linux" / driver.name)
    told = {
        "CFBundleExecutable": driver.name,
        "CFBundleName": "TEST",
        "ifdVendorID": [f"0x{VENDOR}"],
        "ifdProductID": [f"0x{PRODUCT}"],
        "ifdFriendlyName": [NAME],
    }
    (contents / "Info.plist").write_bytes(plistlib.dumps(told))
    return drivers


def _libudev(folder: Path, port: int) -> Path:
    target = folder / "libusbport.so"
    told = {"EVENTS": folder / "events", "DEVICE": f"/dev/null:0x{port:04X}"}
    told |= {"VENDOR": VENDOR, "PRODUCT": PRODUCT}
    command = ["gcc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", str(SOURCE)]
    command += [f'-D{name}="{value}"' for name, value in told.items()]
    subprocess.run([*command, "-o", str(target)], check=True, timeout=DEADLINE)
    return target


@contextmanager
def pcscd_with_a_port(pcscd: Pcscd, folder: Path) -> Iterator[UsbPort]:
    """A running pcscd without any reader, whose one USB port is this; `folder` is new, for it.

    The daemon is not running after that, and as it was.
    """
    pcscd.stop()
    folder.mkdir(mode=0o755)
    before = pcscd.ports
    port = free_pair()
    pcscd.ports = (port, port + 1)
    pcscd.bundles, pcscd.preload = _bundle(folder), _libudev(folder, port)
    try:
        with closing(UsbPort(pcscd, folder)) as made:
            pcscd.start(readers=False)
            yield made
    finally:
        pcscd.stop()
        pcscd.ports, pcscd.bundles, pcscd.preload = before, None, None


@pytest.fixture
def usb_port(pcscd_home: Pcscd, tmp_path: Path) -> Iterator[UsbPort]:
    if not pcscd_home.private:
        pytest.skip("needs a mount namespace: pcscd's folder of drivers is compiled in")
    with pcscd_with_a_port(pcscd_home, tmp_path / "usb") as port:
        yield port
