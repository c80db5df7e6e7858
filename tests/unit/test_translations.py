"""Every message of the sources is translated, and so that it can be filled in and displayed."""

from __future__ import annotations

from gettext import GNUTranslations
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
PO = ROOT / "screens/locale/zh_Hant_TW/LC_MESSAGES/hca_bind.po"


def marked() -> set[str]:
    """The message ids that the sources mark with _() or N_()."""
    found = (
        message
        for package in ("screens", "tui")
        for _, _, message, _, _ in extract_from_dir(ROOT / package)
    )
    return {message if isinstance(message, str) else message[0] for message in found}


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with PO.open("rb") as source:
        return read_po(source, abort_invalid=True)


@pytest.fixture(scope="module")
def messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def placeholders(text: str) -> list[str]:
    """The `{names}` in a text, sorted, with their conversions and formats."""
    return sorted(
        f"{name}!{conversion}:{form}"
        for _, name, form, conversion in Formatter().parse(text)
        if name is not None
    )


def test_the_catalogue_has_the_messages_of_the_sources_and_no_others(
    messages: list[Message],
) -> None:
    assert {message.id for message in messages} == marked(), "run `make messages`"


def test_every_message_is_translated(messages: list[Message]) -> None:
    assert [message.id for message in messages if not str(message.string).strip()] == []


def test_nothing_is_fuzzy_or_obsolete(catalogue: Catalog, messages: list[Message]) -> None:
    assert [message.id for message in messages if message.fuzzy] == []
    assert list(catalogue.obsolete) == []


def test_translations_have_the_placeholders_of_their_messages(messages: list[Message]) -> None:
    differing = [
        message.id
        for message in messages
        if placeholders(str(message.id)) != placeholders(str(message.string))
    ]
    assert differing == []


def test_spaces_at_the_ends_are_kept(messages: list[Message]) -> None:
    def edges(text: str) -> tuple[bool, bool]:
        return text[:1].isspace(), text[-1:].isspace()

    differing = [m.id for m in messages if edges(str(m.id)) != edges(str(m.string))]
    assert differing == []


def test_no_simplified_characters(messages: list[Message]) -> None:
    """Big5 as used in Taiwan (cp950) has no characters that exist in simplified Chinese alone."""

    def foreign(text: str) -> str:
        return "".join(
            sign
            for sign in text
            if "\u4e00" <= sign <= "\u9fff" and not sign.encode("cp950", errors="ignore")
        )

    assert {m.id: foreign(str(m.string)) for m in messages if foreign(str(m.string))} == {}


def test_the_compiled_catalogue_is_that_of_the_source(messages: list[Message]) -> None:
    with PO.with_suffix(".mo").open("rb") as compiled:
        translations = GNUTranslations(compiled)
    stale = [m.id for m in messages if translations.gettext(str(m.id)) != m.string]
    assert stale == [], "run `make messages`"
