"""PKCS#11's return values as this program's own errors, in one table."""

from __future__ import annotations

from collections.abc import Callable

from card.errors import (
    CardCancelled,
    CardDataMissing,
    CardError,
    CardRemoved,
    ModuleBroken,
    ModuleDependency,
    ModuleInvalid,
    ModuleSeesNoCard,
    PadEnded,
    PinBlocked,
    PinCharacters,
    PinExpired,
    PinLength,
    PinUnset,
    PinWrong,
)
from card.pkcs11 import wire
from card.port import PinRules


def _removed(_module: str, reader: str) -> CardError:
    return CardRemoved(reader)


# PKCS#11 v2.40 §5.4: of the card, whichever function says so.
_CARD: dict[str, Callable[[str, str], CardError]] = {
    "CKR_DEVICE_REMOVED": _removed,
    "CKR_TOKEN_NOT_PRESENT": _removed,
    "CKR_SESSION_CLOSED": _removed,  # which is what happens to sessions when a token is removed
    "CKR_SESSION_HANDLE_INVALID": _removed,
    "CKR_TOKEN_NOT_RECOGNIZED": ModuleSeesNoCard,
    "CKR_FUNCTION_CANCELED": lambda _module, _reader: CardCancelled(),
}
# Of the PIN: what C_Login says, beside CKR_PIN_INCORRECT.
_PIN: dict[str, Callable[[PinRules], CardError]] = {
    "CKR_PIN_LOCKED": lambda _rules: PinBlocked(),
    "CKR_PIN_LEN_RANGE": lambda rules: PinLength(rules.minimum, rules.maximum),
    "CKR_PIN_INVALID": lambda _rules: PinCharacters(),
    "CKR_PIN_EXPIRED": lambda _rules: PinExpired(),
    "CKR_USER_PIN_NOT_INITIALIZED": lambda _rules: PinUnset(),
}


def of(reply: wire.Reply, module: str, reader: str) -> CardError:
    """The error that a reply stands for, which is not the one that was hoped for."""
    match reply:
        case wire.Refused(rv=rv) if rv in _CARD:
            return _CARD[rv](module, reader)
        case wire.Refused(rv=rv):
            return ModuleBroken(module, rv)
        case wire.NotLoaded(missing=True, library=library):
            return ModuleDependency(module, library)
        case wire.NotLoaded() | wire.NoModule():
            return ModuleInvalid(module)
        case wire.NoKey():
            return CardDataMissing("private key")
    return ModuleBroken(module, "")


def of_login(
    reply: wire.Reply,
    module: str,
    reader: str,
    rules: PinRules,
    tries: Callable[[], int | None],
    *,
    on_pad: bool = False,
) -> CardError:
    """As `of`, for a request with the PIN; `tries` asks the token what is left after a wrong one.

    `on_pad`: it was entered on the reader's keys.

    Only C_Login speaks of the PIN. What it says that stands in no table is neither right nor
    wrong, and is not asked again.
    """
    match reply:
        case wire.Refused(rv="CKR_PIN_INCORRECT", login=True):
            left = tries()
            return PinBlocked() if left == 0 else PinWrong(left)
        case wire.Refused(rv="CKR_FUNCTION_CANCELED", login=True) if on_pad:
            return PadEnded()
        case wire.Refused(rv=rv, login=True) if rv in _PIN:
            return _PIN[rv](rules)
    return of(reply, module, reader)
