"""The sandbox as an ASGI application: routes, bodies, idempotency and problem details."""

from __future__ import annotations

import hashlib
import logging
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from client import errors, wire
from client.errors import ClientError, ContractProblem
from client.sandbox.faults import JSON, PROBLEM, Troubles
from client.sandbox.password import derive
from client.sandbox.rules import Case

if TYPE_CHECKING:
    from starlette.requests import Request

    from client.sandbox.components import Shelf
    from client.sandbox.rules import Rules
    from client.sandbox.store import Store

log = logging.getLogger(__name__)

BODY_LIMIT = 64 * 1024  # bytes
KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
BEARER = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]{16,512})")
STATUS: dict[type[ClientError], int] = {
    errors.RequestInvalid: 400,
    errors.SessionExpired: 401,
    errors.CardUntrusted: 403,
    errors.CardCertificateExpired: 403,
    errors.CardRevoked: 403,
    errors.CardUsageRefused: 403,
    errors.CardCategoryRefused: 403,
    errors.SignInRefused: 403,
    errors.ReceiptUnknown: 404,
    errors.ChallengeUsed: 409,
    errors.CardAlreadyBound: 409,
    errors.AccountExists: 409,
    errors.ChallengeExpired: 410,
    errors.VerificationExpired: 410,
    errors.ChallengeUnknown: 422,
    errors.TokenMalformed: 422,
    errors.TokenSignatureWrong: 422,
    errors.TokenAlgorithmRefused: 422,
    errors.VerificationUnknown: 422,
    errors.FormInvalid: 422,
    errors.IdempotencyConflict: 422,
    errors.SignInPaused: 429,
    errors.ServiceFailed: 500,
    errors.ServiceUnavailable: 503,
}
UNDO = "undo"  # the savepoint that a raised problem goes back to

Handler = Callable[[Case, Any], Any]


@dataclass(frozen=True)
class Operation:
    """One operation of the contract; `handler` gets the decoded body, a path part, or the token."""

    method: str
    path: str
    handler: Handler
    status: int = 200
    body: type[msgspec.Struct] | None = None
    keyed: bool = False  # needs an Idempotency-Key
    bearer: bool = False  # needs a session
    secret: bool = False  # the body has a password in it

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Incoming:
    """A request as far as it can be read without a transaction."""

    body: bytes
    key: str
    token: str
    id: str


@dataclass(frozen=True)
class Outcome:
    """An answer before it is HTTP; `note` is for the audit trail."""

    status: int
    body: bytes
    note: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        media_type = None if not self.body else PROBLEM if self.status >= 400 else JSON
        return Response(self.body, self.status, self.headers, media_type)


def create_app(store: Store, rules: Rules, shelf: Shelf) -> Starlette:
    """The application. Its handlers run in Starlette's thread pool, one transaction at a time."""
    operations = (
        Operation("GET", "/v1/service", lambda case, _: rules.describe(case)),
        Operation("POST", "/v1/challenges", rules.challenge, 201, wire.ChallengeRequest),
        Operation(
            "POST", "/v1/verifications", rules.verify, 201, wire.VerificationRequest, keyed=True
        ),
        Operation(
            "POST",
            "/v1/accounts",
            rules.register,
            201,
            wire.AccountRequest,
            keyed=True,
            secret=True,
        ),
        Operation("POST", "/v1/sessions", rules.sign_in, 201, wire.SessionRequest),
        Operation("DELETE", "/v1/sessions/current", rules.sign_out, 204, bearer=True),
        Operation(
            "POST", "/v1/bindings", rules.rebind, 201, wire.BindingRequest, keyed=True, bearer=True
        ),
        Operation("GET", "/v1/receipts/{id}", rules.receipt),
    )
    return Starlette(
        routes=[
            Route(operation.path, _endpoint(operation, store, rules), methods=[operation.method])
            for operation in operations
        ]
        + shelf.routes(),
        middleware=[Middleware(Troubles, faults=rules.faults)],
        exception_handlers={HTTPException: _off_the_map},
    )


def _endpoint(operation: Operation, store: Store, rules: Rules) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            incoming = await _read(request, operation)
            return await run_in_threadpool(_serve, operation, store, rules, incoming)
        except ClientError as error:
            return _refusal(error).response()
        except HTTPException:
            raise
        except ClientDisconnect:  # cancelled over there; nobody reads this answer
            return Response()
        except sqlite3.Error:  # locked by another program, or the disk is full
            log.exception("%s: the store", operation.name)
            return _refusal(errors.ServiceUnavailable()).response()
        except Exception:
            log.exception("%s: a defect", operation.name)
            return _refusal(errors.ServiceFailed()).response()

    return endpoint


async def _read(request: Request, operation: Operation) -> Incoming:
    key = token = ""
    if operation.bearer:
        found = BEARER.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            raise errors.SessionExpired
        token = found[1]
    if operation.keyed:
        key = request.headers.get("idempotency-key", "")
        if not KEY.fullmatch(key):
            raise errors.RequestInvalid
    body = bytearray()
    if operation.body is not None:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise HTTPException(415)
        async for part in request.stream():
            body += part
            if len(body) > BODY_LIMIT:
                raise HTTPException(413)
    return Incoming(bytes(body), key, token, request.path_params.get("id", ""))


def _serve(operation: Operation, store: Store, rules: Rules, incoming: Incoming) -> Response:
    """One request, one transaction, one line in the audit trail unless it only reads."""
    with store.transaction() as db:
        case = Case(db, datetime.now(UTC))
        db.execute(f"SAVEPOINT {UNDO}")
        try:
            outcome = _decide(operation, rules, incoming, case)
        except ContractProblem as error:
            db.execute(f"ROLLBACK TO {UNDO}")
            outcome = _refusal(error)
        if operation.method != "GET":
            db.execute(
                "INSERT INTO audit (time, event, outcome, account_id, card) VALUES (?, ?, ?, ?, ?)",
                (case.seconds, operation.name, outcome.note, case.account_id, case.card),
            )
    return outcome.response()


def _decide(operation: Operation, rules: Rules, incoming: Incoming, case: Case) -> Outcome:
    """The operation's outcome, or the one it already had under the same Idempotency-Key."""
    if operation.bearer:
        rules.authenticate(case, incoming.token)
    subject: object = incoming.token if operation.bearer else incoming.id
    if operation.body is not None:
        try:
            subject = msgspec.json.decode(incoming.body, type=operation.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise errors.RequestInvalid from error
    if not operation.keyed:
        return _outcome(operation, operation.handler(case, subject))
    route = f"{operation.name} {case.account_id or ''}"
    fingerprint = _fingerprint(operation, incoming)
    row = case.db.execute(
        "SELECT fingerprint, status, body FROM answers WHERE key = ? AND route = ?",
        (incoming.key, route),
    ).fetchone()
    if row is not None:
        if row["fingerprint"] != fingerprint:
            raise errors.IdempotencyConflict
        return Outcome(row["status"], row["body"], "repeated")
    outcome = _outcome(operation, operation.handler(case, subject))
    case.db.execute(
        "INSERT INTO answers (key, route, fingerprint, status, body, created)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (incoming.key, route, fingerprint, outcome.status, outcome.body, case.seconds),
    )
    return outcome


def _outcome(operation: Operation, result: msgspec.Struct | ContractProblem | None) -> Outcome:
    if isinstance(result, ContractProblem):
        return _refusal(result)
    return Outcome(operation.status, b"" if result is None else msgspec.json.encode(result))


def _fingerprint(operation: Operation, incoming: Incoming) -> bytes:
    """What tells two bodies under one key apart; slow to guess from where a password is in it."""
    if operation.secret:
        return derive(incoming.body, incoming.key.encode())
    return hashlib.sha256(incoming.body).digest()


def _refusal(error: ClientError) -> Outcome:
    facts = error.facts()
    retry_after, fields = facts.get("retry_after"), facts.get("fields")
    headers = {}
    if isinstance(retry_after, int):
        headers["Retry-After"] = str(retry_after)
    if isinstance(error, errors.SessionExpired):
        headers["WWW-Authenticate"] = "Bearer"
    details = wire.Problem(
        code=error.code,
        title=type(error).__name__,
        status=STATUS[type(error)],
        retry_after=retry_after if isinstance(retry_after, int) else None,
        fields=tuple(fields.split(",")) if isinstance(fields, str) else (),
    )
    return Outcome(details.status, msgspec.json.encode(details), error.code, headers)


async def _off_the_map(_request: Request, error: Exception) -> Response:
    """No such path or method, a body too large or of another type: 404, 405, 413, 415."""
    if not isinstance(error, HTTPException):
        raise error
    details = wire.Problem(errors.RequestInvalid.code, "RequestInvalid", error.status_code)
    return Response(
        msgspec.json.encode(details), error.status_code, error.headers, media_type=PROBLEM
    )
