"""The virtual card in a virtual reader: the client side of vsmartcard's vpcd protocol.

Every message is a two-byte big-endian length and that many bytes. One byte is a control message,
anything longer a command APDU, answered by its response APDU.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

from card.errors import VpcdUnreachable
from card.virtual.authority import Authority
from card.virtual.card import Presence, VirtualCard
from card.virtual.profile import Profile

CONNECT_SECONDS = 5.0
POWER_OFF, POWER_ON, RESET, ATR = b"\x00", b"\x01", b"\x02", b"\x04"


def run(
    host: str,
    port: int,
    profile: Profile,
    authority_directory: Path | None = None,
    responder: str | None = None,
) -> None:
    """Make the card and `serve` it; its CA is kept in `authority_directory`, or forgotten.

    `responder`: see `Authority`; a CA that is forgotten has none.

    Raises ProfileInvalid("authority"), VpcdUnreachable.
    """
    authority = None
    if authority_directory is not None:
        authority = Authority.load_or_create(authority_directory, responder)
    serve(VirtualCard(profile, authority), host, port)


def serve(card: VirtualCard, host: str, port: int, stop: threading.Event | None = None) -> None:
    """Lie in vpcd's reader until vpcd closes, the card leaves it, or `stop` is set.

    A card that is mute leaves too: vpcd knows no reader with a card that does not answer.
    `stop` is set on return. Raises VpcdUnreachable.
    """
    stop = stop or threading.Event()
    try:
        connection = socket.create_connection((host, port), CONNECT_SECONDS)
    except OSError as error:
        raise VpcdUnreachable(host, port) from error
    with connection:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        watcher = threading.Thread(target=_hang_up, args=(connection, stop), daemon=True)
        watcher.start()
        try:
            with contextlib.suppress(OSError):
                _converse(card, connection)
        finally:
            stop.set()
            watcher.join()


def _hang_up(connection: socket.socket, stop: threading.Event) -> None:
    stop.wait()
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _converse(card: VirtualCard, connection: socket.socket) -> None:
    card.reset()
    while message := _receive(connection):
        if message in (POWER_OFF, POWER_ON, RESET):
            card.reset()
            continue
        response = card.atr if message == ATR else card.transmit(message)
        if card.presence is not Presence.ANSWERING:
            return
        connection.sendall(len(response).to_bytes(2, "big") + response)


def _receive(connection: socket.socket) -> bytes:
    """One message; empty when vpcd has closed."""
    size = int.from_bytes(_exactly(connection, 2), "big")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        # vpcd sends the length in a packet of its own and, by Nagle's rule, what follows only
        # when that is acknowledged: Linux would take 40 ms over it, for every APDU.
        if hasattr(socket, "TCP_QUICKACK"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = connection.recv(size - len(received))
        if not part:
            return b""
        received += part
    return bytes(received)
