"""What the reporting service decides: challenges, verifications, accounts, sessions, bindings.

One method for each operation of client/openapi.yaml, each inside one transaction. A problem that
is raised undoes what the method did; a problem that is returned keeps it (a challenge stays
spent, a wrong password stays counted).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from client import wire
from client.errors import (
    AccountExists,
    CardAlreadyBound,
    CardCategoryRefused,
    ChallengeExpired,
    ChallengeUnknown,
    ChallengeUsed,
    ContractProblem,
    FormInvalid,
    ReceiptUnknown,
    RequestInvalid,
    SessionExpired,
    SignInPaused,
    SignInRefused,
    VerificationExpired,
    VerificationUnknown,
)
from client.form import accepts
from client.port import FieldKind, FormField, Revocation
from client.purpose import Purpose
from client.sandbox.faults import Fault
from client.sandbox.form import ACCOUNT, ACCOUNT_FORM, PASSWORD
from client.sandbox.holder import read_holder, short
from client.sandbox.password import hash_password, matches
from client.validator import ALGORITHMS, Expectation, validate

if TYPE_CHECKING:
    from cryptography import x509

CONTRACT_VERSION = "1.2.0"
CHALLENGE_LIFE = timedelta(minutes=5)
VERIFICATION_LIFE = timedelta(minutes=30)  # time to fill in the form
SESSION_LIFE = timedelta(minutes=30)
KEPT_AFTER = timedelta(hours=1)  # so that "expired" can be told from "unknown"
TRIES = 5  # wrong passwords before the pause
PAUSE = timedelta(minutes=5)
CATEGORIES = (
    wire.Category("HPC", wire.Label("醫事人員卡", "Health professional card (HPC)")),
    wire.Category("HOP", wire.Label("醫事機構卡", "Health organisation card (HOP)")),
)
READABLE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U


@dataclass
class Case:
    """One request inside its transaction; `account_id` and `card` are what the audit notes."""

    db: sqlite3.Connection
    now: datetime
    account_id: int | None = None
    account: str | None = None  # of the session, where the operation needs one
    card: str | None = None

    @property
    def seconds(self) -> int:
        return int(self.now.timestamp())

    def after(self, life: timedelta) -> datetime:
        return self.now.replace(microsecond=0) + life


@dataclass(frozen=True)
class Rules:
    """The service's decisions; `faults` may change while it runs."""

    origin: str
    roots: tuple[x509.Certificate, ...]
    faults: AbstractSet[Fault]
    form: tuple[FormField, ...] = ACCOUNT_FORM
    revocation: Revocation = Revocation.NONE  # what it asks of its clients

    def describe(self, case: Case) -> wire.Description:
        wrong_clock = timedelta(hours=1) if Fault.CLOCK in self.faults else timedelta()
        return wire.Description(
            name=wire.Label(
                "自殺防治通報系統（測試環境）", "Suicide prevention reporting system (sandbox)"
            ),
            version="2.0.0" if Fault.VERSION in self.faults else CONTRACT_VERSION,
            origin="https://other.invalid" if Fault.ORIGIN in self.faults else self.origin,
            time=case.now + wrong_clock,
            categories=CATEGORIES,
            algorithms=ALGORITHMS,
            account_form=tuple(_published(field) for field in self.form),
            revocation=self.revocation,
        )

    def challenge(self, case: Case, request: wire.ChallengeRequest) -> wire.Challenge:
        account = request.account if isinstance(request.account, str) else None
        if (request.purpose is Purpose.REBIND) != (account is not None):
            raise RequestInvalid
        _forget_old(case)
        issued = wire.Challenge(
            id=secrets.token_urlsafe(16),
            nonce=base64.b64encode(secrets.token_bytes(32)).decode(),
            purpose=request.purpose,
            account=account,
            expires=case.after(CHALLENGE_LIFE),
        )
        expired, used = (
            fault in self.faults for fault in (Fault.CHALLENGE_EXPIRED, Fault.CHALLENGE_USED)
        )
        case.db.execute(
            "INSERT INTO challenges (id, nonce, purpose, account, expires, used)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                issued.id,
                issued.nonce,
                issued.purpose,
                account,
                case.seconds if expired else int(issued.expires.timestamp()),
                used,
            ),
        )
        return issued

    def verify(
        self, case: Case, request: wire.VerificationRequest
    ) -> wire.Verification | ContractProblem:
        """Check the token; the challenge is spent whatever the outcome."""
        row = case.db.execute(
            "SELECT * FROM challenges WHERE id = ?", (request.challenge,)
        ).fetchone()
        if row is None:
            raise ChallengeUnknown
        if row["used"]:
            raise ChallengeUsed
        if row["expires"] <= case.seconds:
            raise ChallengeExpired
        case.db.execute("UPDATE challenges SET used = 1 WHERE id = ?", (row["id"],))
        try:
            return self._verify(case, row, bytes(request.token))
        except ContractProblem as problem:
            return problem

    def register(self, case: Case, request: wire.AccountRequest) -> wire.Receipt:
        verification = _verification(case, request.verification, Purpose.REGISTER)
        refused = self._refused_fields(request.fields)
        if refused:
            raise FormInvalid(",".join(refused))
        account = request.fields[ACCOUNT]
        known = case.db.execute("SELECT 1 FROM accounts WHERE account = ?", (account,)).fetchone()
        if known:
            raise AccountExists
        secret = {field.name for field in self.form if field.kind is FieldKind.SECRET}
        kept = {name: value for name, value in request.fields.items() if name not in secret}
        case.account_id = case.db.execute(
            "INSERT INTO accounts (account, password, fields, created) VALUES (?, ?, ?, ?)",
            (
                account,
                hash_password(request.fields[PASSWORD].encode()),
                json.dumps(kept, ensure_ascii=False),
                case.seconds,
            ),
        ).lastrowid
        return _bind(case, verification, account)

    def sign_in(self, case: Case, request: wire.SessionRequest) -> wire.Session | ContractProblem:
        """Check the password; names that do not exist are treated as those that do."""
        row = case.db.execute(
            "SELECT failures, since FROM sign_ins WHERE account = ?", (request.account,)
        ).fetchone()
        failures, since = row or (0, 0)
        over = since + int(PAUSE.total_seconds())
        if case.seconds >= over:
            failures = 0
        if failures >= TRIES:
            raise SignInPaused(over - case.seconds)
        account = case.db.execute(
            "SELECT id, password FROM accounts WHERE account = ?", (request.account,)
        ).fetchone()
        if not matches(request.password.encode(), account and account["password"]):
            case.db.execute(
                "INSERT OR REPLACE INTO sign_ins (account, failures, since) VALUES (?, ?, ?)",
                (request.account, failures + 1, case.seconds),
            )
            return SignInRefused()
        case.db.execute("DELETE FROM sign_ins WHERE account = ?", (request.account,))
        case.account_id = account["id"]
        token = secrets.token_urlsafe(32)
        expires = case.after(SESSION_LIFE)
        expired = Fault.SESSION_EXPIRED in self.faults
        case.db.execute(
            "INSERT INTO sessions (token, account_id, expires) VALUES (?, ?, ?)",
            (
                _hashed(token),
                case.account_id,
                case.seconds if expired else int(expires.timestamp()),
            ),
        )
        bound = case.db.execute(
            "SELECT card FROM bindings WHERE account_id = ?", (case.account_id,)
        ).fetchone()
        return wire.Session(
            request.account, token, expires, short(bound["card"]) if bound else None
        )

    def authenticate(self, case: Case, token: str) -> None:
        """Put the session's account into `case`. Raises SessionExpired."""
        row = case.db.execute(
            "SELECT accounts.id, account FROM sessions JOIN accounts ON accounts.id = account_id"
            " WHERE token = ? AND expires > ?",
            (_hashed(token), case.seconds),
        ).fetchone()
        if row is None:
            raise SessionExpired
        case.account_id, case.account = row["id"], row["account"]

    def sign_out(self, case: Case, token: str) -> None:
        case.db.execute("DELETE FROM sessions WHERE token = ?", (_hashed(token),))

    def rebind(self, case: Case, request: wire.BindingRequest) -> wire.Receipt:
        """The verified card replaces the account's former one."""
        verification = _verification(case, request.verification, Purpose.REBIND)
        if case.account is None or verification["account"] != case.account:
            raise VerificationUnknown
        case.db.execute("DELETE FROM bindings WHERE account_id = ?", (case.account_id,))
        return _bind(case, verification, case.account)

    def receipt(self, case: Case, id: str) -> wire.Receipt:
        row = case.db.execute(
            "SELECT receipts.*, account FROM receipts"
            " JOIN accounts ON accounts.id = account_id WHERE receipts.id = ?",
            (id,),
        ).fetchone()
        if row is None:
            raise ReceiptUnknown
        return wire.Receipt(
            id=row["id"],
            purpose=Purpose(row["purpose"]),
            account=row["account"],
            holder=row["holder"],
            category=row["category"],
            card=short(row["card"]),
            bound=datetime.fromtimestamp(row["bound"], UTC),
        )

    def _verify(self, case: Case, challenge: sqlite3.Row, token: bytes) -> wire.Verification:
        revoked = {row["card"] for row in case.db.execute("SELECT card FROM revoked")}
        expected = Expectation(
            origin=self.origin,
            roots=self.roots,
            revoked=lambda certificate: (
                Fault.CARD_REVOKED in self.faults or read_holder(certificate).card in revoked
            ),
        )
        holder = read_holder(validate(token, challenge["nonce"], expected, case.now))
        case.card = holder.short_card
        accepted = {category.id for category in CATEGORIES}
        if holder.category not in accepted or Fault.CARD_REFUSED in self.faults:
            raise CardCategoryRefused
        purpose = Purpose(challenge["purpose"])
        if purpose is not Purpose.SIGN_IN:  # said now rather than after the form is filled in
            _refuse_bound_elsewhere(case, holder.card, challenge["account"])
        expires = case.after(VERIFICATION_LIFE)
        expired = Fault.VERIFICATION_EXPIRED in self.faults
        id = secrets.token_urlsafe(16)
        case.db.execute(
            "INSERT INTO verifications (id, purpose, account, card, holder, category, expires)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                id,
                purpose,
                challenge["account"],
                holder.card,
                holder.name,
                holder.category,
                case.seconds if expired else int(expires.timestamp()),
            ),
        )
        return wire.Verification(id, holder.name, holder.category, expires)

    def _refused_fields(self, fields: dict[str, str]) -> list[str]:
        known = {field.name for field in self.form}
        wrong = [
            field.name for field in self.form if not accepts(field, fields.get(field.name, ""))
        ]
        return wrong + sorted(fields.keys() - known)


def _bind(case: Case, verification: sqlite3.Row, account: str) -> wire.Receipt:
    """Spend the verification, bind its card to the case's account, and write the receipt."""
    card = verification["card"]
    case.card = short(card)
    _refuse_bound_elsewhere(case, card, None)
    case.db.execute("UPDATE verifications SET used = 1 WHERE id = ?", (verification["id"],))
    case.db.execute(
        "INSERT INTO bindings (account_id, card, bound) VALUES (?, ?, ?)",
        (case.account_id, card, case.seconds),
    )
    groups = ("".join(secrets.choice(READABLE) for _ in range(4)) for _ in range(4))
    receipt = wire.Receipt(
        id="-".join(("R", *groups)),
        purpose=Purpose(verification["purpose"]),
        account=account,
        holder=verification["holder"],
        category=verification["category"],
        card=short(card),
        bound=case.after(timedelta()),
    )
    case.db.execute(
        "INSERT INTO receipts (id, purpose, account_id, card, holder, category, bound)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            receipt.id,
            receipt.purpose,
            case.account_id,
            card,
            receipt.holder,
            receipt.category,
            case.seconds,
        ),
    )
    return receipt


def _verification(case: Case, id: str, purpose: Purpose) -> sqlite3.Row:
    """The unspent verification. Raises VerificationUnknown, VerificationExpired."""
    row: sqlite3.Row | None = case.db.execute(
        "SELECT * FROM verifications WHERE id = ? AND purpose = ? AND used = 0", (id, purpose)
    ).fetchone()
    if row is None:
        raise VerificationUnknown
    if row["expires"] <= case.seconds:
        raise VerificationExpired
    return row


def _refuse_bound_elsewhere(case: Case, card: str, account: str | None) -> None:
    """Raises CardAlreadyBound where the card is bound to an account other than `account`."""
    bound = case.db.execute(
        "SELECT account FROM bindings JOIN accounts ON accounts.id = account_id WHERE card = ?",
        (card,),
    ).fetchone()
    if bound is not None and bound["account"] != account:
        raise CardAlreadyBound


def _forget_old(case: Case) -> None:
    """Drop what has expired; names and holders are not kept longer than they are needed."""
    gone = case.seconds - int(KEPT_AFTER.total_seconds())
    for table in ("challenges", "verifications", "sessions"):
        case.db.execute(f"DELETE FROM {table} WHERE expires < ?", (gone,))  # noqa: S608 - constants
    case.db.execute("DELETE FROM sign_ins WHERE since < ?", (gone,))
    case.db.execute("DELETE FROM answers WHERE created < ?", (case.seconds - 86_400,))


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _published(field: FormField) -> wire.FormField:
    return wire.FormField(
        name=field.name,
        label=wire.Label(field.label.zh, field.label.en),
        kind=field.kind,
        required=field.required,
        pattern=field.pattern,
        hint=None if field.hint is None else wire.Label(field.hint.zh, field.hint.en),
        max_length=field.max_length,
        choices=tuple(
            wire.Choice(choice.value, wire.Label(choice.label.zh, choice.label.en))
            for choice in field.choices
        ),
        autocomplete=field.autocomplete,
    )
