"""The two languages of the program: Traditional Chinese first, English one key away."""

from __future__ import annotations

from enum import StrEnum
from gettext import translation
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from client.port import Label


LOCALE_FOLDER = Path(__file__).with_name("locale")


class Language(StrEnum):
    """BCP 47 tags; the English texts are the message ids."""

    ZH = "zh-Hant"
    EN = "en"

    @property
    def other(self) -> Language:
        return Language.EN if self is Language.ZH else Language.ZH


class Words:
    """Translates message ids into one language: `_ = Words(Language.ZH); _("Card")`."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._catalogue = (
            translation("hca_bind", LOCALE_FOLDER, ["zh_Hant_TW"])
            if language is Language.ZH
            else None
        )

    def __call__(self, message: str, **facts: object) -> str:
        """The message in this language, with its `{placeholders}` filled from `facts`."""
        text = self._catalogue.gettext(message) if self._catalogue else message
        return text.format(**facts) if facts else text

    def of(self, label: Label) -> str:
        """The text of a label that the service sent in both languages."""
        return label.zh if self.language is Language.ZH else label.en


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for a message translated later
    """Mark a message id for extraction where it is data; it is translated when it is shown."""
    return message
