"""What the wizard knows when it stands at each step: invented, and plainly so.

The guide shows the real screens with these states, so what support sees is what users see.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from card.port import CardCategory, HolderCertificate, PinPad, PinRules, Slot, SlotState, Via
from client.port import (
    CategoryOffer,
    Challenge,
    Choice,
    FieldKind,
    FormField,
    Label,
    Receipt,
    ServiceDescription,
    Session,
    Verification,
)
from client.purpose import Purpose
from screens.wizard import CardOnTable, Check, Component, Failure, Step, Wizard

READER = "Demo Reader 00 00"
ACCOUNT = "demo-nurse"
HOLDER = "王測試"
_DAY = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)

_SERVICE = ServiceDescription(
    name=Label("自殺防治通報系統（示範）", "Suicide prevention reporting system (demo)"),
    version="1.0.0",
    origin="https://service.invalid",
    time=_DAY,
    categories=(
        CategoryOffer("HPC", Label("醫事人員卡", "Health professional card")),
        CategoryOffer("HOP", Label("醫事機構卡", "Medical institution card")),
    ),
    algorithms=("RS256",),
    account_form=(
        FormField("account", Label("帳號", "Account"), FieldKind.TEXT),
        FormField("password", Label("密碼", "Password"), FieldKind.SECRET),
        FormField("name", Label("姓名", "Name"), FieldKind.TEXT),
        FormField(
            "profession",
            Label("職業類別", "Profession"),
            FieldKind.CHOICE,
            choices=(Choice("nurse", Label("護理師", "Nurse")),),
        ),
        FormField("consent", Label("同意服務條款", "I agree to the terms"), FieldKind.CONSENT),
    ),
)
_CARD = CardOnTable(
    reader=READER,
    label="DEMO HPC",
    certificate=HolderCertificate(
        der=b"",
        holder=HOLDER,
        issuer="醫事憑證管理中心 TEST",
        category=CardCategory.HPC,
        not_before=_DAY,
        not_after=_DAY + timedelta(days=1825),
    ),
    rules=PinRules(minimum=6, maximum=8, digits_only=False),
    via=Via.PKCS11,
    tries_left=3,
)
_VERIFICATION = Verification("demo", HOLDER, "HPC", _DAY + timedelta(minutes=10))


def _receipt(purpose: Purpose) -> Receipt:
    return Receipt("DEMO-0000", purpose, ACCOUNT, HOLDER, "HPC", "DEM0", _DAY)


def state(step: Step, purpose: Purpose = Purpose.REGISTER) -> Wizard:
    """The wizard at `step`, waiting for the user; SIGN_IN is always that of rebinding."""
    if step is Step.SIGN_IN:
        purpose = Purpose.REBIND
    if step is Step.WELCOME:
        return Wizard()
    at = Wizard(
        step=step,
        purpose=purpose,
        checks=tuple(Check(part) for part in _CHECKED),
        service=_SERVICE,
        account=ACCOUNT if purpose is Purpose.REBIND else "",
    )
    if step is Step.COMPONENTS:
        return at
    at = replace(at, slots=(Slot(READER, SlotState.PRESENT),), reader=READER)
    match step:
        case Step.READER:
            return at
        case Step.CARD:
            return replace(at, card=_CARD)
        case Step.PIN:
            challenge = Challenge("demo", "A" * 44, purpose, at.account or None, _DAY)
            return replace(at, card=_CARD, challenge=challenge)
        case Step.RECEIPT:
            return replace(at, receipt=_receipt(purpose))
        case _:
            return replace(at, card=_CARD, verification=_VERIFICATION)


_CHECKED = (
    Component.LIBRARY,
    Component.SERVICE,
    Component.DRIVER,
    Component.CRYPTO,
    Component.REPORTING,
)


def failing(step: Step, code: str, purpose: Purpose = Purpose.REGISTER) -> Wizard:
    """The wizard at `step` after a failure with this code, without the facts of one."""
    at = state(step, purpose)
    if step is Step.COMPONENTS:
        failed = _component(code)
        rows = [
            replace(c, failure=Failure(code)) if c.component is failed else c for c in at.checks
        ]
        service = None if failed is Component.REPORTING else at.service
        at = replace(at, checks=tuple(rows), service=service)
    if code.startswith(("card.reader.none", "pcsc.", "component.")):
        at = replace(at, slots=(), card=None)
    elif code.startswith(_NO_CARD):
        at = replace(at, card=None)
    if code.startswith("card.pad.") and at.card is not None:
        at = replace(at, card=replace(at.card, pad=PinPad(seconds=30)))
    if code == "card.pin.blocked" and at.card is not None:
        at = replace(at, card=replace(at.card, tries_left=0))
    return replace(at, failure=Failure(code))


def _component(code: str) -> Component:
    """The row of the component check that shows a code."""
    for start, component in _ROWS:
        if code.startswith(start):
            return component
    return Component.REPORTING


_ROWS = (
    ("pcsc.library", Component.LIBRARY),
    ("pcsc.driver", Component.DRIVER),
    ("component.driver", Component.DRIVER),
    ("component.service", Component.SERVICE),
    ("component.", Component.LIBRARY),
    ("pcsc.", Component.SERVICE),
)
_NO_CARD = ("card.absent", "card.mute", "card.kind.", "card.data.", "card.reader.", "card.module")


def signed_in(at: Wizard) -> Wizard:
    """The sign-in step after the password was right."""
    return replace(at, session=Session(ACCOUNT, "", _DAY, "DEM0"))
