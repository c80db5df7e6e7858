"""What a PC/SC slot belongs to: a card reader, or something that only looks like one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Device(StrEnum):
    """The kind of thing that offers a slot."""

    READER = "reader"
    SECURITY_KEY = "security-key"
    MODEM = "modem"  # its slot holds a SIM
    SAM = "sam"  # a second slot inside a reader, for the reader's own secure module
    VIRTUAL = "virtual"


@dataclass(frozen=True)
class Line:
    """Names that contain `pattern`, a regular expression in any case, belong to a `device`."""

    device: Device
    pattern: str
    source: str


_CCID = "names in libccid's list of readers"
LINES = (
    Line(Device.SECURITY_KEY, r"yubico|yubikey", _CCID),
    Line(Device.SECURITY_KEY, r"nitrokey|gnuk|solo ?(keys|2)|token2|canokey|onlykey|ledger", _CCID),
    Line(Device.SECURITY_KEY, r"\bfido\b|\bu2f\b|epass|cryptotrust|trezor", _CCID),
    Line(Device.SECURITY_KEY, r"windows hello", "Windows: the virtual reader of Windows Hello"),
    Line(
        Device.MODEM, r"modem|\bwwan\b|\bmbim\b|\blte\b|\buicc\b|sim card", "Windows: WWAN readers"
    ),
    Line(Device.MODEM, r"sierra wireless|quectel|fibocom|telit|huawei mobile", "modem makers"),
    Line(Device.SAM, r"\bsam\b", _CCID),
    Line(Device.VIRTUAL, r"^virtual pcd", "vsmartcard-vpcd"),
    Line(Device.VIRTUAL, r"virtual smart ?card|vsmartcard|bixvreader", "virtual readers' drivers"),
)


def device_of(reader: str) -> Device:
    """What the reader's name says; a plain reader where it says nothing known."""
    for line in LINES:
        if re.search(line.pattern, reader, re.IGNORECASE):
            return line.device
    return Device.READER
