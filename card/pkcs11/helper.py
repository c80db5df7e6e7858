"""The process that a PKCS#11 module runs in: `python -m card.pkcs11.helper SECONDS`.

A module is somebody else's code. It may write to the terminal, hang, or take its process with
it; here there is nothing to lose. It answers one request after the other and ends with its
standard input. A call that outlasts SECONDS is ended by the kernel, so nothing is left behind
when whoever asked is gone by then.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import msgspec

from card.pkcs11 import wire
from card.pkcs11.cryptoki import CKR_TOKEN_NOT_PRESENT, CkrError, Cryptoki
from card.private_process import keep_private

if TYPE_CHECKING:
    from pkcs11 import PKCS11Error, Session, Slot
    from pkcs11._pkcs11 import lib

GRACE = 2  # seconds: the asker ends this process first, where there is one still
# Where python-pkcs11 spells otherwise than the standard.
SPELLINGS = {
    "TOKEN_NOT_RECOGNISED": "CKR_TOKEN_NOT_RECOGNIZED",
    "FUNCTION_CANCELLED": "CKR_FUNCTION_CANCELED",
}
CERTIFICATES = 32  # read from one token; a card has a handful
# How glibc, musl and macOS name a library that is missing; Windows does not.
_MISSING = (
    re.compile(r"^(\S+): cannot open shared object file: No such file"),
    re.compile(r"Error loading shared library (\S+):"),
    re.compile(r"Library not loaded: (\S+)"),
)
_WINDOWS_MISSING = 126  # ERROR_MOD_NOT_FOUND


def main() -> None:
    """Serve requests until the pipe ends."""
    requests, replies = _claim_pipes()
    keep_private()  # a module's files too are nobody else's
    seconds = int(sys.argv[1])
    module = Module()
    while (frame := wire.receive(requests)) is not None:
        request = wire.decode_request(frame)
        typed = isinstance(request, wire.Sign) and not request.logged_in
        pin = wire.receive(requests) if typed else None
        limit = wire.PAD_SECONDS if isinstance(request, wire.Login) else seconds
        with _deadline(limit + GRACE):
            reply = module.answer(request, pin)
        wire.send(replies, wire.encode(reply))
    with _deadline(GRACE):
        module.finalize()
    os._exit(0)  # without a module's own tidying at exit, which is where some crash


def _claim_pipes() -> tuple[int, int]:
    """Our ends of the pipes under new numbers; what a module prints goes nowhere."""
    requests, replies = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return requests, replies


@contextlib.contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    """SIGALRM's default action ends the process, whatever holds the interpreter's lock."""
    if sys.platform == "win32":
        yield
        return
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


class Module:
    """The module of this process, once a Load has named it."""

    def __init__(self) -> None:
        self._library: lib
        self._functions: Cryptoki
        self._initialised = False
        self._session: Session | None = None  # logged in by a PIN entered on the reader

    def answer(self, request: wire.Request, pin: bytearray | None) -> wire.Reply:
        """The reply to one request; PKCS#11's own errors are replies too."""
        from pkcs11 import PKCS11Error

        try:
            match request:
                case wire.Load():
                    return self._load(request.path)
                case wire.Open():
                    return self._open(request.slot)
                case wire.Look():
                    return self._look(request)
                case wire.Login():
                    return self._login(request)
                case wire.Sign():
                    return self._sign(request, bytearray() if pin is None else pin)
        except CkrError as error:
            return wire.Refused(error.rv, login=error.login)
        except PKCS11Error as error:
            return wire.Refused(_name(error))

    def finalize(self) -> None:
        """C_Finalize, which closes what may be open."""
        from pkcs11 import PKCS11Error

        if self._initialised:
            with contextlib.suppress(PKCS11Error):
                self._library.finalize()

    def _load(self, path: str) -> wire.Reply:
        import pkcs11

        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            return _not_loaded(error, path)
        try:
            self._functions = Cryptoki(library)
        except AttributeError:
            return wire.NoModule()
        self._library = pkcs11.lib(path)
        self._initialised = True
        slots = (wire.Slot(slot.slot_id, slot.slot_description) for slot in self._slots())
        return wire.Loaded(tuple(slots))

    def _open(self, number: int) -> wire.Opened:
        slot = self._slot(number)
        token = self._token(number)
        with slot.get_token().open() as session:
            found = tuple(_certificates(session))
        return wire.Opened(token, tuple(int(each) for each in slot.get_mechanisms()), found)

    def _look(self, request: wire.Look) -> wire.Token:
        token = self._token(request.slot)
        with self._slot(request.slot).get_token().open() as session:
            there = any(each.der == request.certificate for each in _certificates(session))
        return msgspec.structs.replace(token, same=there)

    def _login(self, request: wire.Login) -> wire.Reply:
        """One C_Login without a PIN; the session stays open for the Sign that follows."""
        session = self._slot(request.slot).get_token().open()
        try:
            self._functions.login(_handle(session), None)
        except BaseException:
            session.close()
            raise
        self._session = session
        return wire.LoggedIn()

    def _sign(self, request: wire.Sign, pin: bytearray) -> wire.Reply:
        """One C_Login where there was none, one C_Sign; logged out and closed however it ends."""
        session, self._session = self._session, None
        with session or self._slot(request.slot).get_token().open() as session:
            if not request.logged_in:
                self._functions.login(_handle(session), pin)
            try:
                return self._signed(session, request)
            finally:
                self._functions.logout(_handle(session))

    def _signed(self, session: Session, request: wire.Sign) -> wire.Reply:
        from pkcs11 import Attribute, Mechanism, ObjectClass

        wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: request.key}
        # A key without CKA_SIGN has no `sign` here.
        keys = [key for key in list(session.get_objects(wanted)) if hasattr(key, "sign")]
        if not keys:
            return wire.NoKey()
        mechanism = Mechanism(request.mechanism)
        return wire.Signed(keys[0].sign(request.data, mechanism=mechanism))

    def _slots(self) -> list[Slot]:
        return self._library.get_slots(token_present=True)

    def _slot(self, number: int) -> Slot:
        for slot in self._slots():
            if slot.slot_id == number:
                return slot
        raise CkrError(CKR_TOKEN_NOT_PRESENT)

    def _token(self, number: int) -> wire.Token:
        info = self._functions.token_info(number)
        return wire.Token(info.label, info.serial, info.flags, info.shortest_pin, info.longest_pin)


def _handle(session: Session) -> int:
    """Missing in the library's type hints only."""
    handle: int = cast("Any", session).handle
    return handle


def _certificates(session: Session) -> list[wire.Certificate]:
    """The X.509 certificates that need no login to be read."""
    from pkcs11 import (
        Attribute,
        AttributeSensitive,
        AttributeTypeInvalid,
        CertificateType,
        ObjectClass,
    )

    wanted = {
        Attribute.CLASS: ObjectClass.CERTIFICATE,
        Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
    }
    found = []
    for certificate in list(session.get_objects(wanted))[:CERTIFICATES]:
        with contextlib.suppress(AttributeTypeInvalid, AttributeSensitive):
            found.append(wire.Certificate(certificate[Attribute.ID], certificate[Attribute.VALUE]))
    return found


def _not_loaded(error: OSError, path: str) -> wire.NotLoaded:
    """Why the system's loader refused, from its own words."""
    for pattern in _MISSING:
        named = pattern.search(str(error))
        if named and named[1] != path:
            return wire.NotLoaded(missing=True, library=named[1])
    return wire.NotLoaded(missing=getattr(error, "winerror", None) == _WINDOWS_MISSING)


def _name(error: PKCS11Error) -> str:
    """The CKR_ name behind python-pkcs11's class: PinIncorrect is CKR_PIN_INCORRECT."""
    number = re.search("0x[0-9a-f]+", str(error))
    if number:  # one that the library has no class for
        return CkrError(int(number[0], 16)).rv
    name = re.sub("(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()
    return SPELLINGS.get(name, f"CKR_{name}")


if __name__ == "__main__":
    main()
