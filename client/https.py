"""The service port over HTTPS, as client/openapi.yaml says."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from client.address import Address, parse_address
from client.call import Call
from client.errors import (
    ClientError,
    ReceiptUnknown,
    RequestInvalid,
    ServiceClock,
    ServiceNonsense,
    ServiceOrigin,
    ServiceVersion,
    SessionExpired,
)
from client.port import Challenge, Receipt, ServiceDescription, Session, Verification
from client.purpose import Purpose

if TYPE_CHECKING:
    import ssl

    from client.line import Answer, Line, Request
    from client.secret import Members

CONTRACT = 1  # the major version of client/openapi.yaml that this client speaks
CLOCK_TOLERANCE = timedelta(minutes=2)  # a challenge lives five
PAUSES = (0.3, 1.0)  # seconds before the second and the third attempt, where a repeat is harmless
RECEIPT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
HEADERS = {
    "Accept": "application/json, application/problem+json",
    "Accept-Encoding": "identity",
    "User-Agent": "hca-bind",
}

Wire = TypeVar("Wire")
Port = TypeVar("Port")


class HttpsService:
    """A reporting service at `url`; implements `client.port.Service`.

    `ca_file` replaces the system's trust store. `timeout` bounds each step of an exchange and
    `deadline` a whole call with its repeats, both in seconds. Requests without side effects, and
    those with an Idempotency-Key, are repeated after a retriable error; others never are.

    Raises AddressInvalid here; every other ClientError comes from the methods. Secret values stay
    the caller's to wipe; what this class encodes of them it wipes itself.
    """

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        deadline: float = 30.0,
        pauses: tuple[float, ...] = PAUSES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._address: Address = parse_address(url)
        self._ca_file = ca_file
        self._timeout = timeout
        self._deadline = deadline
        self._pauses = pauses
        self._now = now
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._idle: list[Line] = []
        self._calls: list[Call] = []

    @property
    def origin(self) -> str:
        return self._address.origin

    def describe(self) -> ServiceDescription:
        """Raises ServiceVersion, ServiceOrigin and ServiceClock besides what every call raises."""
        from client import wire

        answer = self._send("GET", "/v1/service", success=200)
        version = _decode(answer, wire.Versioned, lambda versioned: versioned.version)
        if int(version.partition(".")[0]) != CONTRACT:
            raise ServiceVersion(version)
        described = _decode(answer, wire.Description, wire.description)
        if described.origin != self.origin:
            raise ServiceOrigin(described.origin)
        apart = abs(self._now() - described.time)
        if apart > CLOCK_TOLERANCE:
            raise ServiceClock(round(apart.total_seconds()))
        return described

    def challenge(self, purpose: Purpose, account: str | None = None) -> Challenge:
        from client import wire

        body: Members = {"purpose": purpose.value}
        if account is not None:
            body = {**body, "account": account}
        answer = self._send("POST", "/v1/challenges", body, success=201)
        challenge = _decode(answer, wire.Challenge, wire.challenge)
        if (challenge.purpose, challenge.account) != (purpose, account):
            raise ServiceNonsense
        return challenge

    def verify(
        self, challenge: Challenge, certificate: bytes, algorithm: str, signature: bytes, key: str
    ) -> Verification:
        from client import wire
        from client.token import Token, members

        token = members(Token(certificate, algorithm, signature))
        body: Members = {"challenge": challenge.id, "token": token}
        answer = self._send("POST", "/v1/verifications", body, key=key, success=201)
        return _decode(answer, wire.Verification, wire.verification)

    def register(
        self, verification: Verification, fields: Mapping[str, str | bytearray], key: str
    ) -> Receipt:
        body: Members = {"verification": verification.id, "fields": fields}
        return self._receipt(self._send("POST", "/v1/accounts", body, key=key, success=201))

    def sign_in(self, account: str, password: bytearray) -> Session:
        from client import wire

        body: Members = {"account": account, "password": password}
        answer = self._send("POST", "/v1/sessions", body, success=201)
        session = _decode(answer, wire.Session, wire.session)
        if session.account != account:
            raise ServiceNonsense
        return session

    def rebind(self, session: Session, verification: Verification, key: str) -> Receipt:
        body: Members = {"verification": verification.id}
        return self._receipt(
            self._send("POST", "/v1/bindings", body, key=key, bearer=session.token, success=201)
        )

    def sign_out(self, session: Session) -> None:
        try:
            self._send("DELETE", "/v1/sessions/current", bearer=session.token, success=204)
        except SessionExpired:
            return  # what was wanted

    def receipt(self, id: str) -> Receipt:
        if not RECEIPT_ID.fullmatch(id):
            raise ReceiptUnknown
        return self._receipt(self._send("GET", f"/v1/receipts/{id}", success=200))

    def cancel(self) -> None:
        with self._lock:
            calls = tuple(self._calls)
        for call in calls:
            call.cancel()

    def close(self) -> None:
        self.cancel()
        with self._lock:
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    # --- sending ---------------------------------------------------------------------------------

    def _receipt(self, answer: Answer) -> Receipt:
        from client import wire

        return _decode(answer, wire.Receipt, wire.receipt)

    def _send(
        self,
        method: str,
        path: str,
        body: Members | None = None,
        *,
        success: int,
        key: str | None = None,
        bearer: str | None = None,
    ) -> Answer:
        """Send, and send again where that is harmless; the answer has the status `success`."""
        from client.line import Request
        from client.secret import encode, wipe

        headers = dict(HEADERS)
        if key is not None:
            headers["Idempotency-Key"] = key
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        try:
            request = Request(method, path, headers, None if body is None else encode(body))
        except UnicodeEncodeError as error:  # half a surrogate pair, from a terminal's bytes
            raise RequestInvalid from error
        pauses = iter(self._pauses if method == "GET" or key is not None else ())
        try:
            with self._call() as call:
                while True:
                    try:
                        return self._exchange(call, request, success)
                    except ClientError as error:
                        pause = next(pauses, None)
                        if not error.retriable or pause is None or pause >= call.left:
                            raise
                    call.news.wait(pause)
        finally:
            if request.body is not None:
                wipe(request.body)

    @contextmanager
    def _call(self) -> Iterator[Call]:
        call = Call(until=time.monotonic() + self._deadline)
        with self._lock:
            self._calls.append(call)
        try:
            yield call
        finally:
            with self._lock:
                self._calls.remove(call)

    def _exchange(self, call: Call, request: Request, success: int) -> Answer:
        from client.failures import from_answer
        from client.line import ANSWER_LIMIT

        line = self._take_line()
        answer = call.exchange(line, request, self._timeout, ANSWER_LIMIT)
        with self._lock:
            self._idle.append(line)
        expected = "" if success == 204 else "application/json"
        if answer.status == success and answer.media_type == expected:
            return answer
        raise from_answer(answer)

    def _take_line(self) -> Line:
        from client.line import Line
        from client.trust import tls_context

        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._context is None:
                self._context = tls_context(self._ca_file)
            return Line(self._address, self._context)


def _decode(answer: Answer, shape: type[Wire], convert: Callable[[Wire], Port]) -> Port:
    """The answer's body, decoded and converted. Raises ServiceNonsense."""
    import msgspec

    try:
        return convert(msgspec.json.decode(answer.body, type=shape))
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise ServiceNonsense from error
