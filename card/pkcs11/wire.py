"""What this program and the helper process say to each other over two pipes.

Every frame is a four-byte big-endian length and that many bytes. Requests and replies are JSON;
the PIN is a frame of its own, raw, right after the request that needs it, so it never becomes
text and both ends can wipe what they held.
"""

from __future__ import annotations

import os

import msgspec

PAD_SECONDS = 120  # for a PIN entry on the reader's keys; its own limit comes long before
LONGEST = 1 << 20  # bytes of one frame; certificates are the largest part
_LENGTH = 4


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load and initialise the module at `path`; answered by Loaded."""

    path: str


class Open(msgspec.Struct, frozen=True, tag=True):
    """Read what the token in a slot shows to everybody; answered by Opened."""

    slot: int


class Look(msgspec.Struct, frozen=True, tag=True):
    """Read the token's flags again, and whether the certificate is still the same: Token."""

    slot: int
    certificate: bytes


class Login(msgspec.Struct, frozen=True, tag=True):
    """C_Login with a PIN that the person enters on the reader's keys; answered by LoggedIn.

    A `Sign` with `logged_in` has to follow.
    """

    slot: int


class Sign(msgspec.Struct, frozen=True, tag=True):
    """C_Login with the PIN of the next frame, then C_Sign; answered by Signed.

    `logged_in`: a Login went before, there is no such frame.
    """

    slot: int
    key: bytes  # CKA_ID
    mechanism: int
    data: bytes
    logged_in: bool = False


class Slot(msgspec.Struct, frozen=True):
    """A slot in which the module sees a token."""

    id: int
    description: str


class Loaded(msgspec.Struct, frozen=True, tag=True):
    slots: tuple[Slot, ...]


class Token(msgspec.Struct, frozen=True, tag=True):
    """CK_TOKEN_INFO, as far as it is used; `same` is false where the certificate is another."""

    label: str
    serial: str
    flags: int
    minimum: int  # ulMinPinLen
    maximum: int  # ulMaxPinLen
    same: bool = True


class Certificate(msgspec.Struct, frozen=True):
    id: bytes  # CKA_ID
    der: bytes


class Opened(msgspec.Struct, frozen=True, tag=True):
    token: Token
    mechanisms: tuple[int, ...]  # CKM_…
    certificates: tuple[Certificate, ...]


class Signed(msgspec.Struct, frozen=True, tag=True):
    value: bytes


class LoggedIn(msgspec.Struct, frozen=True, tag=True):
    """The person's PIN was right."""


class NoKey(msgspec.Struct, frozen=True, tag=True):
    """Logged in, and no private key that signs has the certificate's CKA_ID."""


class NotLoaded(msgspec.Struct, frozen=True, tag=True):
    """The system's loader refused; `library` is the one that it could not find, if it said so."""

    missing: bool  # another library is missing
    library: str | None = None


class NoModule(msgspec.Struct, frozen=True, tag=True):
    """It loaded and has no C_GetFunctionList: not a PKCS#11 module."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A PKCS#11 function's return value; `login`: it was C_Login's."""

    rv: str  # CKR_…, or a number in hex that has no name here
    login: bool = False


Request = Load | Open | Look | Login | Sign
Reply = Loaded | Opened | Token | LoggedIn | Signed | NoKey | NotLoaded | NoModule | Refused

encode = msgspec.json.Encoder().encode
decode_request = msgspec.json.Decoder(Request).decode
decode_reply = msgspec.json.Decoder(Reply).decode


def send(pipe: int, payload: bytes | memoryview) -> None:
    """Write one frame. Raises OSError where the other end is gone."""
    _write(pipe, len(payload).to_bytes(_LENGTH, "big"))
    _write(pipe, payload)


def receive(pipe: int) -> bytearray | None:
    """Read one frame into a buffer that the caller can wipe; None at the end of the stream."""
    header = _read(pipe, _LENGTH)
    if header is None:
        return None
    size = int.from_bytes(header, "big")
    return _read(pipe, size) if size <= LONGEST else None


def _write(pipe: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _read(pipe: int, size: int) -> bytearray | None:
    buffer = bytearray(size)
    have = 0
    while have < size:
        count = _read_into(pipe, memoryview(buffer)[have:])
        if not count:
            return None
        have += count
    return buffer


def _read_into(pipe: int, view: memoryview) -> int:
    if hasattr(os, "readv"):
        return os.readv(pipe, [view])  # no copy in between to leave behind
    part = os.read(pipe, len(view))
    view[: len(part)] = part
    return len(part)
