"""Three PKCS#11 functions called without python-pkcs11.

C_GetTokenInfo, because python-pkcs11 keeps the PIN's shortest and longest length to itself;
C_Login and C_Logout, because it takes a PIN as `str` only, and leaves its session open when the
PIN is wrong. Here the module reads the PIN from the very buffer that is wiped afterwards.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

CKU_USER = 1
CKR_OK = 0
CKR_TOKEN_NOT_PRESENT = 0xE0

# What these three may return (PKCS#11 v2.40 §5.5, §5.6); others are shown as a number.
RETURN_VALUES = {
    0x02: "CKR_HOST_MEMORY",
    0x03: "CKR_SLOT_ID_INVALID",
    0x05: "CKR_GENERAL_ERROR",
    0x06: "CKR_FUNCTION_FAILED",
    0x07: "CKR_ARGUMENTS_BAD",
    0x30: "CKR_DEVICE_ERROR",
    0x31: "CKR_DEVICE_MEMORY",
    0x32: "CKR_DEVICE_REMOVED",
    0x50: "CKR_FUNCTION_CANCELED",
    0xA0: "CKR_PIN_INCORRECT",
    0xA1: "CKR_PIN_INVALID",
    0xA2: "CKR_PIN_LEN_RANGE",
    0xA3: "CKR_PIN_EXPIRED",
    0xA4: "CKR_PIN_LOCKED",
    0xB0: "CKR_SESSION_CLOSED",
    0xB3: "CKR_SESSION_HANDLE_INVALID",
    CKR_TOKEN_NOT_PRESENT: "CKR_TOKEN_NOT_PRESENT",
    0xE1: "CKR_TOKEN_NOT_RECOGNIZED",
    0x100: "CKR_USER_ALREADY_LOGGED_IN",
    0x102: "CKR_USER_PIN_NOT_INITIALIZED",
    0x104: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
    0x190: "CKR_CRYPTOKI_NOT_INITIALIZED",
}

_PACK = 1 if sys.platform == "win32" else 0  # PKCS#11 base specification §2.1: packed on Windows
_GET_TOKEN_INFO, _LOGIN, _LOGOUT = 6, 18, 19  # places in CK_FUNCTION_LIST (v2.40 §4.6)


class CkrError(Exception):
    """A function's return value other than CKR_OK, by name."""

    def __init__(self, value: int, *, login: bool = False) -> None:
        self.rv = RETURN_VALUES.get(value, f"0x{value:08X}")
        self.login = login  # it was C_Login's
        super().__init__(self.rv)


def _packed(fields: list[tuple[str, object]]) -> type[ctypes.Structure]:
    """A structure as the module's compiler laid it out on this system."""
    body: dict[str, object] = {"_fields_": fields}
    if _PACK:
        body["_pack_"] = _PACK
    return type("Packed", (ctypes.Structure,), body)


_TokenInfo = _packed(
    [
        ("label", ctypes.c_char * 32),
        ("manufacturer", ctypes.c_char * 32),
        ("model", ctypes.c_char * 16),
        ("serial", ctypes.c_char * 16),
        ("flags", ctypes.c_ulong),
        ("session_counts", ctypes.c_ulong * 4),
        ("longest_pin", ctypes.c_ulong),
        ("shortest_pin", ctypes.c_ulong),
        ("memory", ctypes.c_ulong * 4),
        ("versions_and_time", ctypes.c_char * 20),
    ]
)
_FunctionList = _packed(
    [("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * (_LOGOUT + 1))]
)


@dataclass(frozen=True)
class TokenInfo:
    """CK_TOKEN_INFO, as far as it is used; PIN lengths in bytes, CK_UNAVAILABLE… as it comes."""

    label: str
    serial: str
    flags: int
    shortest_pin: int
    longest_pin: int


class Cryptoki:
    """The three functions of a module that python-pkcs11 has initialised."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Raises AttributeError where it has no C_GetFunctionList, CkrError."""
        functions = ctypes.POINTER(_FunctionList)()
        _check(library.C_GetFunctionList(ctypes.byref(functions)))
        listed = functions.contents.functions
        number = ctypes.c_ulong
        self._token_info = ctypes.CFUNCTYPE(number, number, ctypes.c_void_p)(
            listed[_GET_TOKEN_INFO]
        )
        self._login = ctypes.CFUNCTYPE(number, number, number, ctypes.c_void_p, number)(
            listed[_LOGIN]
        )
        self._logout = ctypes.CFUNCTYPE(number, number)(listed[_LOGOUT])

    def token_info(self, slot: int) -> TokenInfo:
        """C_GetTokenInfo. Raises CkrError."""
        info = _TokenInfo()
        _check(self._token_info(slot, ctypes.addressof(info)))
        raw = bytes(info)
        return TokenInfo(
            label=_text(raw[:32]),
            serial=_text(raw[80:96]),
            flags=info.flags,
            shortest_pin=info.shortest_pin,
            longest_pin=info.longest_pin,
        )

    def login(self, session: int, pin: bytearray | None) -> None:
        """C_Login as the user, exactly once; `pin` is wiped on the way out. Raises CkrError.

        None: the protected authentication path, on which the module has the PIN entered elsewhere.
        """
        if pin is None:
            result = self._login(session, CKU_USER, None, 0)
        else:
            try:
                place = (ctypes.c_char * len(pin)).from_buffer(pin)
                result = self._login(session, CKU_USER, ctypes.addressof(place), len(pin))
            finally:
                for index in range(len(pin)):
                    pin[index] = 0
        if result != CKR_OK:
            raise CkrError(result, login=True)

    def logout(self, session: int) -> None:
        """C_Logout, whatever it says: the session is closed next."""
        self._logout(session)


def _check(value: int) -> None:
    if value != CKR_OK:
        raise CkrError(value)


def _text(field: bytes) -> str:
    """Blank-padded UTF-8; some modules pad with zeros."""
    return field.rstrip(b"\0 ").decode("utf-8", errors="replace")
