"""The bodies of client/openapi.yaml as msgspec structs, and their way into the port's dataclasses.

Limits stand in the types, so an answer outside them does not decode. Text for people is cleaned
on the way in; identifiers are held to their alphabets instead.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from client import port
from client.form import is_plain
from client.purpose import Purpose
from client.text import clean

Identifier = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
FieldName = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,63}\Z")]
CategoryId = Annotated[str, Meta(pattern=r"\A[A-Z][A-Z0-9_]{0,31}\Z")]
Algorithm = Annotated[str, Meta(pattern=r"\A(RS|PS|ES)(256|384|512)\Z")]
Nonce = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9+/]{43,126}={0,2}\Z", min_length=44)]
Bearer = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._~+/=-]{16,512}\Z")]
ShortCard = Annotated[str, Meta(pattern=r"\A[0-9A-Z-]{4,32}\Z")]
Origin = Annotated[str, Meta(pattern=r"\Ahttps://[A-Za-z0-9.:\[\]-]{1,260}\Z")]
Version = Annotated[str, Meta(pattern=r"\A[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=500)]
AccountName = Annotated[str, Meta(min_length=1, max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]


class Label(Struct, frozen=True, rename={"zh": "zh-Hant"}):
    zh: Text
    en: Text


class Choice(Struct, frozen=True):
    value: Text
    label: Label


class FormField(Struct, frozen=True, omit_defaults=True):
    name: FieldName
    label: Label
    kind: port.FieldKind
    required: bool = True
    pattern: Annotated[str, Meta(max_length=200)] | None = None
    hint: Label | None = None
    max_length: Annotated[int, Meta(ge=1, le=1000)] = 200
    choices: Annotated[tuple[Choice, ...], Meta(max_length=200)] = ()
    autocomplete: Annotated[str, Meta(max_length=64)] = ""


class Category(Struct, frozen=True):
    id: CategoryId
    label: Label


class Versioned(Struct, frozen=True):
    """As much of a description as every version has."""

    version: Version


class Description(Struct, frozen=True):
    name: Label
    version: Version
    origin: Origin
    time: Moment
    categories: Annotated[tuple[Category, ...], Meta(min_length=1, max_length=20)]
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1, max_length=9)]
    account_form: Annotated[tuple[FormField, ...], Meta(max_length=64)]
    revocation: port.Revocation = port.Revocation.NONE


class ChallengeRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    purpose: Purpose
    account: AccountName | msgspec.UnsetType = msgspec.UNSET


class Challenge(Struct, frozen=True):
    id: Identifier
    nonce: Nonce
    purpose: Purpose
    account: AccountName | None
    expires: Moment


class VerificationRequest(Struct, frozen=True, forbid_unknown_fields=True):
    challenge: Identifier
    token: msgspec.Raw


class Verification(Struct, frozen=True):
    id: Identifier
    holder: Text
    category: CategoryId
    expires: Moment


class AccountRequest(Struct, frozen=True, forbid_unknown_fields=True):
    verification: Identifier
    fields: Annotated[dict[FieldName, Annotated[str, Meta(max_length=1000)]], Meta(max_length=64)]


class SessionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    account: AccountName
    password: Annotated[str, Meta(min_length=1, max_length=1000)]


class Session(Struct, frozen=True):
    account: AccountName
    token: Bearer
    expires: Moment
    bound_card: ShortCard | None


class BindingRequest(Struct, frozen=True, forbid_unknown_fields=True):
    verification: Identifier


class Receipt(Struct, frozen=True):
    id: Identifier
    purpose: Purpose
    account: AccountName
    holder: Text
    category: CategoryId
    card: ShortCard
    bound: Moment


class Problem(Struct, frozen=True, omit_defaults=True):
    """Problem details (RFC 9457) with the contract's members."""

    code: Annotated[str, Meta(pattern=r"\A[a-z0-9.-]{1,64}\Z")]
    title: Annotated[str, Meta(max_length=500)] = ""
    status: int = 0
    retry_after: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    fields: Annotated[tuple[FieldName, ...], Meta(max_length=64)] = ()


# --- into the port's dataclasses -----------------------------------------------------------------


def description(wire: Description) -> port.ServiceDescription:
    """Raises ValueError where a form cannot be rendered: a doubled name, a pattern not plain."""
    names = [field.name for field in wire.account_form]
    if len(set(names)) != len(names):
        raise ValueError("two fields of one name")
    return port.ServiceDescription(
        name=_label(wire.name),
        version=wire.version,
        origin=wire.origin,
        time=wire.time.astimezone(UTC),
        categories=tuple(port.CategoryOffer(c.id, _label(c.label)) for c in wire.categories),
        algorithms=wire.algorithms,
        account_form=tuple(_field(field) for field in wire.account_form),
        revocation=wire.revocation,
    )


def challenge(wire: Challenge) -> port.Challenge:
    return port.Challenge(
        wire.id, wire.nonce, wire.purpose, wire.account, wire.expires.astimezone(UTC)
    )


def verification(wire: Verification) -> port.Verification:
    return port.Verification(
        wire.id, clean(wire.holder, 100), wire.category, wire.expires.astimezone(UTC)
    )


def session(wire: Session) -> port.Session:
    return port.Session(wire.account, wire.token, wire.expires.astimezone(UTC), wire.bound_card)


def receipt(wire: Receipt) -> port.Receipt:
    return port.Receipt(
        id=wire.id,
        purpose=wire.purpose,
        account=clean(wire.account),
        holder=clean(wire.holder, 100),
        category=wire.category,
        card=wire.card,
        bound=wire.bound.astimezone(UTC),
    )


def _label(wire: Label) -> port.Label:
    return port.Label(clean(wire.zh), clean(wire.en))


def _field(wire: FormField) -> port.FormField:
    if wire.pattern is not None and not is_plain(wire.pattern):
        raise ValueError("a pattern outside the contract's subset")
    if (wire.kind is port.FieldKind.CHOICE) != bool(wire.choices):
        raise ValueError("choices without a choice, or the other way round")
    if any(clean(choice.value) != choice.value for choice in wire.choices):
        raise ValueError("a choice's value is not plain text")
    return port.FormField(
        name=wire.name,
        label=_label(wire.label),
        kind=wire.kind,
        required=wire.required,
        pattern=wire.pattern,
        hint=None if wire.hint is None else _label(wire.hint),
        max_length=wire.max_length,
        choices=tuple(port.Choice(c.value, _label(c.label)) for c in wire.choices),
        autocomplete=wire.autocomplete,
    )
