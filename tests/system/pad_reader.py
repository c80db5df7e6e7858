"""A reader with a PIN pad under the real pcscd, and the hand at its keys (see pad_reader.c)."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pcscd import DEADLINE, DRIVER, Pcscd, wait_until

from card.pin_pad import Feature, Property

SOURCE = Path(__file__).with_suffix(".c")
VERIFY_CODE, PROPERTIES_CODE = 0x42330006, 0x42330012
CHERRY = 0x046A, 0x003E  # sends a PIN as long as it is
CHERRY_SMARTBOARD = 0x046A, 0x0010  # lies


def build(folder: Path, vpcd: Path = DRIVER) -> Path:
    """The driver, for a desk in that folder, over vpcd's."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "libpcsclite"], capture_output=True, text=True, check=True
    )
    target = folder / "libifdpad.so"
    command = ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", *flags.stdout.split(), str(SOURCE)]
    command += [f'-DVPCD="{vpcd}"', f'-DDESK="{folder}"', "-o", str(target)]
    subprocess.run(command, check=True, timeout=DEADLINE)
    return target


class PadReader:
    """What a test sees and does of the reader's pad; `features` and `properties` are its words."""

    def __init__(self, pcscd: Pcscd, folder: Path) -> None:
        self.pcscd = pcscd
        self._folder = folder
        os.mkfifo(folder / "keys")
        # Open at both ends, so that what is pressed waits for the driver and nobody for a reader.
        self._keys = os.open(folder / "keys", os.O_RDWR)
        self.is_new()

    @property
    def name(self) -> str:
        return self.pcscd.readers[0]

    def is_new(
        self, usb: tuple[int, int] | None = CHERRY, *, longest: int = 0, pad: bool = True
    ) -> None:
        """From now on it is a reader of this USB id, and nothing was pressed on it yet."""
        features = self._folder / "features"
        features.unlink(missing_ok=True)
        if pad:
            features.write_bytes(
                struct.pack(">BBI", Feature.VERIFY_PIN_DIRECT, 4, VERIFY_CODE)
                + struct.pack(">BBI", Feature.GET_TLV_PROPERTIES, 4, PROPERTIES_CODE)
            )
        told = struct.pack("<BBH", Property.LCD_LAYOUT, 2, 0x0210)
        told += struct.pack("<BBB", Property.LONGEST_PIN, 1, longest)
        if usb is not None:
            told += struct.pack("<BBH", Property.USB_VENDOR, 2, usb[0])
            told += struct.pack("<BBH", Property.USB_PRODUCT, 2, usb[1])
        (self._folder / "properties").write_bytes(told)
        for name in ("entries", "verified"):
            (self._folder / name).write_text("")
        os.set_blocking(self._keys, False)
        try:
            while os.read(self._keys, 1):
                pass
        except BlockingIOError:
            os.set_blocking(self._keys, True)

    # --- the hand ---

    def type(self, digits: str) -> None:
        """These digits and the confirming key."""
        self._happens(f"={digits}")

    def ends(self, word: int) -> None:
        """The entry ends with a status word of the reader: 6401 is its cancel key."""
        self._happens(f"!{word:04X}")

    def is_pulled(self) -> None:
        """The reader leaves its socket during the entry."""
        self._happens("-gone")

    def loses_the_card(self) -> None:
        self._happens("-lost")

    def _happens(self, line: str) -> None:
        os.write(self._keys, f"{line}\n".encode())

    # --- what it saw ---

    @property
    def entries(self) -> list[bytes]:
        """The PIN_VERIFY structure of each entry that it was asked for."""
        return [bytes.fromhex(line) for line in self._lines("entries")]

    @property
    def verified(self) -> list[int]:
        """The card's status word to each VERIFY that it sent."""
        return [int(line or "0", 16) for line in self._lines("verified")]

    def waits(self, entries: int = 1) -> None:
        """Until it has been asked so often."""
        wait_until(lambda: len(self.entries) == entries, f"entry {entries} on the reader")

    def _lines(self, name: str) -> list[str]:
        return (self._folder / name).read_text("ascii").splitlines()


@pytest.fixture(scope="module")
def pad_driver(pcscd_home: Pcscd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PadReader]:
    """pcscd with that reader in place of vpcd's, for the tests of one module."""
    folder = tmp_path_factory.mktemp("pad")
    folder.chmod(0o755)
    pcscd_home.stop()
    pcscd_home.driver = build(folder)
    try:
        reader = PadReader(pcscd_home, folder)
        pcscd_home.start()
        yield reader
    finally:
        pcscd_home.stop()
        pcscd_home.driver = DRIVER


@pytest.fixture
def pad_reader(pad_driver: PadReader) -> PadReader:
    """The same, running and as new."""
    if not pad_driver.pcscd.running:
        pad_driver.pcscd.stop()
        pad_driver.pcscd.start()
    pad_driver.is_new()
    return pad_driver
