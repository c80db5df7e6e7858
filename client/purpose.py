"""What a challenge may be used for; apart from the port, because the first screen asks for it."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """The wire values."""

    REGISTER = "register"  # a new account with this card
    REBIND = "rebind"  # a new card for an existing account
    SIGN_IN = "sign-in"  # prove possession, bind nothing (`hca-bind verify`)
