"""The main job on real parts: a person types through both flows, and SQLite has the bindings.

pcscd, the virtual card on vpcd, the sandbox over TLS and the wizard in a terminal are a process
each; the keys and the screen's cells are all that this test shares with the wizard.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from parts import (
    ACCOUNT,
    HCA_BIND,
    PASSWORD,
    PIN,
    WRONG_PIN,
    Service,
    card_process,
    pins_sent,
    trace,
)
from pcscd import Pcscd
from terminal import Terminal
from wizard_walk import HOLDER, to_the_pin

from screens.language import Language, Words

MOST_APDUS = 24  # for one binding, from the first SELECT to the last
CARD_OF = "SELECT card FROM bindings JOIN accounts ON id = account_id WHERE account = ?"
FORM = (
    "wang.test",
    "Invented-password-1",
    "王測試",
    "0000000000",
    "",
    " ",  # the choice after the first
    "wang@example.invalid",
    "02-0000-0000",
)


def wizard(pcscd: Pcscd, sandbox: Service, language: Language, trace_file: Path) -> Terminal:
    command = [HCA_BIND, "--lang", "zh" if language is Language.ZH else "en", *sandbox.options]
    return Terminal([*command, "--trace", str(trace_file)], pcscd.environment)


def prove(screen: Terminal, _: Words, sandbox: Service) -> None:
    """The PIN, and the result 驗證成功."""
    assert screen.shows(sandbox.url.removeprefix("https://")), "which host the signature is for"
    screen.type(PIN)
    assert PIN not in screen.text
    screen.press("enter")
    screen.until(_("You may take the card out now."))
    assert screen.shows(_("Verified"))
    assert screen.shows(HOLDER)
    screen.press("enter")


def sign_in(screen: Terminal, _: Words) -> None:
    """The account's password; after it the binding is one key away."""
    screen.until(_("Your account's password (not the PIN), then Enter:"))
    screen.type(PASSWORD)
    screen.press("enter")
    screen.until(_("Signed in. Press Enter: bind the new card to this account."))


def receipt_on(screen: Terminal, _: Words) -> str:
    """The number of the receipt on the screen."""
    screen.until(_("Keep the receipt's number. You can now sign in with this card."))
    (line,) = (line for line in screen.lines if line.strip().startswith(_("Receipt")))
    return line.split()[-1]


@pytest.mark.parametrize("language", Language)
def test_a_new_account(
    pcscd: Pcscd, authority_folder: Path, sandbox: Service, tmp_path: Path, language: Language
) -> None:
    _ = Words(language)
    account = f"{FORM[0]}.{language.name.lower()}"
    file = tmp_path / "trace"
    with (
        card_process(pcscd, authority_folder),
        wizard(pcscd, sandbox, language, file) as screen,
    ):
        to_the_pin(screen, _)
        prove(screen, _, sandbox)
        screen.until(_("Your account application. * must be filled in."))
        for text in (account, *FORM[1:]):
            screen.type(text)
            screen.type("\t")
        screen.type(" ")
        screen.press("ctrl+s")
        receipt = receipt_on(screen, _)
        screen.press("f10")
        assert screen.ends() == 0
        assert not screen.raw
    assert sandbox.bindings(account) == [(receipt, "register", HOLDER)]
    assert PIN.encode() not in screen.written
    assert FORM[1].encode() not in screen.written
    rows = trace(file)
    assert pins_sent(rows) == 1
    assert len(rows) <= MOST_APDUS


def test_a_new_card_after_a_wrong_pin(
    pcscd: Pcscd, authority_folder: Path, sandbox: Service, tmp_path: Path
) -> None:
    _ = Words(Language.ZH)
    file = tmp_path / "trace"
    with (
        card_process(pcscd, authority_folder),
        wizard(pcscd, sandbox, Language.ZH, file) as screen,
    ):
        to_the_pin(screen, _, "2")
        assert screen.shows(_("bind this card to the account {account}", account=ACCOUNT))
        screen.type(WRONG_PIN)
        screen.press("enter")
        screen.until(_("Tries left before the card locks: {tries}", tries=2))
        screen.until(_("Your card's PIN, then Enter:"))
        assert pins_sent(trace(file)) == 1
        prove(screen, _, sandbox)
        sign_in(screen, _)
        assert sandbox.bindings(ACCOUNT) == []
        screen.press("enter")
        receipt = receipt_on(screen, _)
        screen.press("f10")
        assert screen.ends() == 0
    assert sandbox.bindings(ACCOUNT) == [(receipt, "rebind", HOLDER)]
    assert pins_sent(trace(file)) == 2


def test_a_second_card_replaces_the_first(
    pcscd: Pcscd, authority_folder: Path, sandbox: Service, tmp_path: Path
) -> None:
    """Within the APDUs allowed, and with the card of the former test bound until the last key."""
    _ = Words(Language.ZH)
    file = tmp_path / "trace"
    with (
        card_process(pcscd, authority_folder),
        wizard(pcscd, sandbox, Language.ZH, file) as screen,
    ):
        to_the_pin(screen, _, "2")
        prove(screen, _, sandbox)
        sign_in(screen, _)
        before = sandbox.rows(CARD_OF, ACCOUNT)
        screen.press("enter")
        receipt = receipt_on(screen, _)
    assert sandbox.bindings(ACCOUNT) == [(receipt, "rebind", HOLDER)]
    assert sandbox.rows(CARD_OF, ACCOUNT) != before
    rows = trace(file)
    assert pins_sent(rows) == 1
    assert len(rows) <= MOST_APDUS
