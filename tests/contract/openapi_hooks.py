"""Hooks for schemathesis: sign in where a session is needed, and make every other valid case real.

Generated data alone never gets past the token check, so the answers of success would go
unchecked. Loaded by the run of test_openapi.py, which sets the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import schemathesis
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from invented_card import Authority, account_fields, rsa_key
from schemathesis import GenerationMode

from client.https import HttpsService
from client.port import Purpose, idempotency_key, signed_message
from client.token import Token, members

ACCOUNT, PASSWORD = os.environ["SANDBOX_ACCOUNT"], os.environ["SANDBOX_PASSWORD"]

service = HttpsService(os.environ["SANDBOX_URL"], ca_file=Path(os.environ["SANDBOX_CA"]))
authority = Authority(
    key=load_pem_private_key(Path(os.environ["CARD_AUTHORITY_KEY"]).read_bytes(), None)  # type: ignore[arg-type]
)
card_key = rsa_key()
numbers = count()


@schemathesis.auth(refresh_interval=None)
class SignedIn:
    """A session of its own for each case, because cases sign out."""

    def get(self, _case: schemathesis.Case, _context: object) -> str:
        return service.sign_in(ACCOUNT, bytearray(PASSWORD.encode())).token

    def set(self, case: schemathesis.Case, token: str, _context: object) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


def verification_request() -> dict[str, object]:
    card = authority.issue(key=card_key)
    challenge = service.challenge(Purpose.SIGN_IN)
    signature = card.sign(signed_message(service.origin, challenge.nonce))
    return {"challenge": challenge.id, "token": members(Token(card.der, "RS256", signature))}


def account_request() -> dict[str, object]:
    verification = authority.issue(key=card_key).prove(service, Purpose.REGISTER)
    fields = account_fields(f"generated{next(numbers)}")
    return {"verification": verification.id, "fields": {**fields, "password": "p" * 12}}


def binding_request() -> dict[str, object]:
    card = authority.issue(key=card_key)
    return {"verification": card.prove(service, Purpose.REBIND, ACCOUNT).id}


def receipt_id() -> str:
    card = authority.issue(key=card_key)
    session = service.sign_in(ACCOUNT, bytearray(PASSWORD.encode()))
    verification = card.prove(service, Purpose.REBIND, ACCOUNT)
    return service.rebind(session, verification, idempotency_key()).id


BODIES: dict[str, Callable[[], dict[str, Any]]] = {
    "POST /v1/verifications": verification_request,
    "POST /v1/accounts": account_request,
    "POST /v1/bindings": binding_request,
    "POST /v1/sessions": lambda: {"account": ACCOUNT, "password": PASSWORD},
}


@schemathesis.hook
def before_call(_context: object, case: schemathesis.Case, _kwargs: object) -> None:
    """Every other case that is valid becomes one that succeeds."""
    positive = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if not positive or next(numbers) % 2:
        return
    label = case.operation.label
    if label in BODIES:
        case.body = BODIES[label]()
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = idempotency_key()
    elif label == "GET /v1/receipts/{id}":
        case.path_parameters["id"] = receipt_id()
