"""How the reader is attached: on this machine, through SSH or a remote desktop, or in the clear.

Also what follows from it: a socket that another user could open is never connected to, and the
library's "no service" or "stopped", which say so little, become what is really wrong.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Collection
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path

from card import pcsc_codes
from card.errors import (
    CardError,
    PcscError,
    PcscProtocolMismatch,
    PcscServiceDenied,
    PcscServiceMissing,
    PcscServiceStopped,
    PcscSocketForeign,
    PcscSocketOpen,
)
from card.pcsc_daemon import (
    DAEMONS,
    FORWARDERS,
    ask,
    elsewhere,
    library_protocol,
    listener,
    socket_path,
)

VPCD = "Virtual PCD"  # how the names of vpcd's readers begin
USBIP = "vhci_hcd.*/usb*/*/*/bInterfaceClass"  # interfaces of devices that usbip brings
USB_DEVICES = Path("/sys/devices/platform")
SMART_CARD = "0b"  # USB's interface class for CCID readers
_REMOTE_DESKTOPS = ("xrdp-chansrv",)
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Way(StrEnum):
    """From the reader to this program."""

    LOCAL = "local"
    FORWARDED = "forwarded"  # through an SSH-forwarded PC/SC socket
    REDIRECTED = "redirected"  # by RDP or another remote desktop
    REMOTE_CLEAR = "remote-clear"  # over a network without encryption: vpcd or usbip


def way(readers: Collection[str] = ()) -> Way:
    """How the readers with these names, as PC/SC gives them, are attached."""
    if _remote_desktop():
        return Way.REDIRECTED
    path = socket_path()
    peer = None
    if path is not None:
        with suppress(OSError):
            peer = _listener(path)
    if peer in _REMOTE_DESKTOPS:
        return Way.REDIRECTED
    if peer in FORWARDERS or (elsewhere(path) and peer not in DAEMONS):
        return Way.FORWARDED
    return Way.REMOTE_CLEAR if in_clear(readers) else Way.LOCAL


def in_clear(readers: Collection[str], devices: Path = USB_DEVICES) -> bool:
    """Whether a PIN would travel unencrypted on its way to one of the readers.

    vpcd and usbip speak plain TCP, VERIFY included; through an SSH forward, which hides the far
    machine's devices, vpcd's readers still show by their names.
    """
    if any(name.startswith(VPCD) for name in readers):
        return True
    try:
        return any(
            interface.read_text("ascii", "replace").strip() == SMART_CARD
            for interface in devices.glob(USBIP)
        )
    except OSError:
        return False


def _remote_desktop() -> bool:
    """Windows redirects readers into an RDP session; xrdp's own library does it on Linux."""
    if sys.platform == "win32":
        return os.environ.get("SESSIONNAME", "").startswith("RDP-")
    display = os.environ.get("DISPLAY", "").partition(":")[2].partition(".")[0]
    redirected = Path.home() / f".pcsc{display}" / "pcscd.comm"
    return "XRDP_SESSION" in os.environ and display.isdecimal() and redirected.is_socket()


@cache
def _listener(path: Path) -> str | None:
    """The process behind the socket; asked once, because a forward carries each question."""
    return listener(path)


# --- whose socket it is -----------------------------------------------------------------------


def refuse_foreign() -> None:
    """Raise where the PC/SC socket is not this user's alone; to be called before any PC/SC call.

    The system's own socket is everybody's, and polkit guards it. Any other must be this user's or
    root's, as must every directory on the way to it, so that nobody can put another in its place;
    and nobody else may be able to open it. Raises PcscSocketForeign, PcscSocketOpen.
    """
    path = socket_path()
    if path is None or not elsewhere(path):
        return
    try:
        path = path.resolve(strict=True)
        found = path.lstat()
        folders = [folder.lstat() for folder in path.parents]
    except OSError:
        return  # nothing there, or nothing that could be reached: connecting will tell
    trusted = {os.geteuid(), 0}
    if found.st_uid not in trusted or any(
        folder.st_uid not in trusted
        or (folder.st_mode & _OTHERS_WRITE and not folder.st_mode & stat.S_ISVTX)
        for folder in folders
    ):
        raise PcscSocketForeign(str(path))
    # On Linux connecting takes the permission to write.
    if found.st_mode & _OTHERS_WRITE and all(folder.st_mode & _OTHERS_ENTER for folder in folders):
        raise PcscSocketOpen


# --- what exactly is wrong --------------------------------------------------------------------


def failure(status: int, reader: str = "", in_use: bool = False) -> CardError:
    """`pcsc_codes.failure`, with the daemon itself asked where the library knows no reason.

    Takes at most some seconds where the far end is silent; nothing is sent to a card.
    """
    error = pcsc_codes.failure(status, reader, in_use)
    if isinstance(error, (PcscServiceMissing, PcscServiceStopped, PcscServiceDenied)):
        return exact(error, connected=in_use)
    return error


def exact(error: PcscError, connected: bool = False) -> PcscError:
    """What is really wrong where the library said `error`, or `error` where all seems well.

    `connected`: the library had spoken with the daemon before, so their versions agree.
    """
    path = socket_path()
    if path is None:
        return error
    try:
        refuse_foreign()
        theirs = ask(path).protocol
    except PcscError as found:
        return found
    ours = None if connected else library_protocol()
    if ours is None or ours == theirs:
        return error
    return PcscProtocolMismatch(library=str(ours), daemon=str(theirs))
