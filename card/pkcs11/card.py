"""card.port.Card over a PKCS#11 module: tries left from the token's flags, one C_Login an entry."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256

from card import verify
from card.errors import (
    CardError,
    CardRemoved,
    KeyUnsupported,
    PadRefused,
    PinBlocked,
    PinTriesChanged,
)
from card.pin import CAPACITY, Pin
from card.pkcs11 import failures, wire
from card.pkcs11.token import Token
from card.port import HolderCertificate, PadUse, PinPad, PinRules, Signature, Via, no_one
from card.signing import SigningKey
from card.text import clean

# CK_TOKEN_INFO.flags (PKCS#11 v2.40 §3.2, table 6).
CKF_PROTECTED_AUTHENTICATION_PATH = 0x00000100
CKF_USER_PIN_FINAL_TRY = 0x00020000
CKF_USER_PIN_LOCKED = 0x00040000
LABEL_COLUMNS = 32

CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS = 0x0001, 0x0040
CKM_ECDSA, CKM_ECDSA_SHA256 = 0x1041, 0x1044
# The same signature by a mechanism that hashes: kept by modules that do not sign what they are
# given. For RSA it is the one that the vendor's own software uses, so it is asked for first.
_HASHING = {CKM_RSA_PKCS: CKM_SHA256_RSA_PKCS, CKM_ECDSA: CKM_ECDSA_SHA256}


class Pkcs11Card:
    """A recognised card behind a module; `certificate` was checked before."""

    def __init__(
        self,
        token: Token,
        reopen: Callable[[], Token],
        certificate: HolderCertificate,
        key: SigningKey,
        *,
        pads: PadUse = PadUse.OFF,
    ) -> None:
        """`reopen` starts anew where the helper has ended. Raises KeyUnsupported."""
        self._token = token
        self._reopen = reopen
        self._certificate = certificate
        self._key = key
        self._pads = pads
        offered = token.mechanisms & {key.mechanism, _HASHING[key.mechanism]}
        if not offered:
            raise KeyUnsupported
        self._hashes = _HASHING[key.mechanism] in offered

    @property
    def reader(self) -> str:
        return self._token.reader

    @property
    def via(self) -> Via:
        return Via.PKCS11

    @property
    def label(self) -> str:
        return clean(self._token.info.label, LABEL_COLUMNS)

    @property
    def certificate(self) -> HolderCertificate:
        return self._certificate

    @property
    def pin_rules(self) -> PinRules:
        """ulMinPinLen and ulMaxPinLen; a module that does not know them says 0 or far too much."""
        info = self._token.info
        maximum = info.maximum if 0 < info.maximum <= CAPACITY else CAPACITY
        return PinRules(min(max(1, info.minimum), maximum), maximum, digits_only=False)

    @property
    def pin_pad(self) -> PinPad | None:
        """The protected authentication path; how long it waits only the module knows."""
        if self._pads is PadUse.OFF or not has_pad(self._token):
            return None
        return PinPad(None, keyboard=self._pads is not PadUse.ONLY)

    def tries_left(self) -> int | None:
        """0 when locked, 1 at the final try, else None.

        CKF_USER_PIN_COUNT_LOW says that a wrong PIN was entered since the last right one, and not
        how many are left: no number is made of it.
        """
        flags = self._ready().look().flags
        if flags & CKF_USER_PIN_LOCKED:
            return 0
        return 1 if flags & CKF_USER_PIN_FINAL_TRY else None

    def sign(
        self,
        pin: Pin | None,
        message: bytes,
        tries_shown: int | None,
        entered: Callable[[], None] = no_one,
    ) -> Signature:
        if pin is None:
            if self.pin_pad is None:
                raise PadRefused(0)
            self._ask_tries_again(tries_shown)
            helper = self._token.helper
            reply = helper.ask(wire.Login(self._token.slot))
            if isinstance(reply, wire.LoggedIn):
                entered()
                reply = helper.ask(self._request(message, logged_in=True))
        else:
            with pin.spend() as characters:
                verify.check(pin, self.pin_rules, verify.PRINTABLE)
                self._ask_tries_again(tries_shown)
                # From here on nothing is asked twice: the PIN may have reached the card.
                reply = self._token.helper.ask(self._request(message), characters)
        if isinstance(reply, wire.Signed):
            return self._key.signature(reply.value, message)
        module = self._token.helper.module
        raise self._token.explained(
            failures.of_login(
                reply, module, self.reader, self.pin_rules, self._tries_after, on_pad=pin is None
            )
        )

    def _ask_tries_again(self, shown: int | None) -> None:
        """No fewer than the person was shown. Raises PinBlocked, PinTriesChanged."""
        tries = self.tries_left()
        if tries == 0:
            raise PinBlocked
        if tries is not None and (shown is None or tries < shown):
            raise PinTriesChanged(shown, tries)

    def close(self) -> None:
        self._token.helper.close()

    def _ready(self) -> Token:
        """The token, through a new helper where the last one ended. Raises as `connect`."""
        if not self._token.helper.running:
            again = self._reopen()
            if not again.is_same_as(self._token):
                again.helper.close()
                raise CardRemoved(self.reader)
            self._token = again
        return self._token

    def _request(self, message: bytes, *, logged_in: bool = False) -> wire.Sign:
        if self._hashes:
            mechanism, data = _HASHING[self._key.mechanism], message
        else:
            mechanism, data = self._key.mechanism, self._key.prepare(sha256(message).digest())
        return wire.Sign(self._token.slot, self._token.key, mechanism, data, logged_in)

    def _tries_after(self) -> int | None:
        """After a wrong PIN; None too where the card is gone by then."""
        with suppress(CardError):
            return self.tries_left()
        return None


def has_pad(token: Token) -> bool:
    """Whether the module can have the PIN entered on the reader's keys."""
    return bool(token.info.flags & CKF_PROTECTED_AUTHENTICATION_PATH)
