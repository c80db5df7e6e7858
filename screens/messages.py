"""What a screen asks of the program; the shell turns each into a transition or a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.message import Message

from client.purpose import Purpose

if TYPE_CHECKING:
    from card.pin import Pin


class Started(Message):
    """The procedure was chosen on the welcome screen."""

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = purpose
        super().__init__()


class TroubleshootingWanted(Message):
    """The person wants to look up a message."""


class LanguageWanted(Message):
    """Switch to the other language."""


class QuitWanted(Message):
    """Leave the program."""


class BackWanted(Message):
    """One step back, or cancel what runs."""


class Continued(Message):
    """Enter, on a step where Enter goes on, checks again or sends again."""


class ComponentWanted(Message):
    """Get what the component check found missing, or better."""


class CheckWanted(Message):
    """Run the component check once more."""


class ReaderChosen(Message):
    def __init__(self, reader: str) -> None:
        self.reader = reader
        super().__init__()


class CardConfirmed(Message):
    """Category and, for rebinding, the account name were given."""

    def __init__(self, category: str, account: str) -> None:
        self.category = category
        self.account = account
        super().__init__()


class LastTryConfirmed(Message):
    """The person typed that the card's last try may be used."""


class SecretEntered(Message):
    """Enter on a PIN or a password; its repr shows nothing of it."""

    def __init__(self, secret: Pin) -> None:
        self.secret = secret
        super().__init__()

    def __rich_repr__(self) -> list[str]:
        return []


class PadWanted(Message):
    """Enter, where the PIN is entered on the reader's keys: let the reader ask for it."""


class OtherKeysWanted(Message):
    """The keyboard in place of the reader's keys, or back."""


class FormLeft(Message):
    """The person looks at something else; `fields` is what stood in the form, without secrets."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields
        super().__init__()

    def __rich_repr__(self) -> list[str]:
        return []


class FormSubmitted(Message):
    """The account form was filled in; secret fields are bytearrays."""

    def __init__(self, fields: Mapping[str, str | bytearray]) -> None:
        self.fields = fields
        super().__init__()

    def __rich_repr__(self) -> list[str]:
        return []
