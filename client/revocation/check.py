"""Asks the place that a certificate names whether the certificate was revoked.

What is sent is the serial number, and hashes of the issuer's name and key; or, for a list,
nothing. The answers are signed, so plain http:// is as good as https:// for them; it is what
certificates name (RFC 5280 §8: https would go round in circles).

The place is a URL out of a card, and a card can be anyone's. It is only followed once a configured
authority is known to have signed the certificate, URL and all: a forged card cannot make this
computer call anyone, its own services and its neighbours' included. So no address is refused for
being local; an authority inside a hospital answers from there. No redirect is followed, no
credentials in a URL are used, and every answer is bounded in size and time.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from client.call import Call
from client.errors import (
    ClientCancelled,
    ClientError,
    IssuerUnknown,
    ResponderUnavailable,
    RevocationMalformed,
    RevocationUnnamed,
    ServiceNonsense,
)
from client.port import Revocation

if TYPE_CHECKING:
    from cryptography import x509

    from client.address import Address

OCSP_LIMIT = 64 * 1024  # bytes; an answer with a responder's certificate has some two thousand
LIST_LIMIT = 8 * 1024 * 1024  # bytes; some two hundred thousand certificates
NONCE_BYTES = 32  # RFC 9654 §2.1
PLACES = 3  # of those that a certificate names, how many are tried while they do not answer
LEAST = timedelta(minutes=5)  # a good answer is kept at least so long: one person's PIN takes it


class RevocationCheck:
    """Looks certificates up at their own responder or list, and keeps each answer while it holds.

    `timeout` bounds each step of an exchange, `deadline` a look-up by OCSP and `list_deadline`
    one in a list, all in seconds. Nothing is sent to the same place twice. `run` is for one
    thread at a time, `cancel` for any.
    """

    def __init__(
        self,
        *,
        timeout: float = 8.0,
        deadline: float = 15.0,
        list_deadline: float = 60.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._timeout = timeout
        self._deadlines = {Revocation.OCSP: deadline, Revocation.CRL: list_deadline}
        self._now = now
        self._lock = threading.Lock()
        self._call: Call | None = None
        self._good: dict[tuple[Revocation, bytes], datetime] = {}

    def run(
        self, certificate: bytes, issuers: Collection[x509.Certificate], method: Revocation
    ) -> None:
        """Return when `certificate` (DER) was surely not revoked; with NONE, at once.

        `issuers` are the configured authorities. Raises RevocationError: CertificateRevoked,
        CertificateOnHold, CertificateUnknown where that is the answer, another where there is none
        to rely on; ClientCancelled.
        """
        key = (method, certificate)
        known = self._good.get(key)
        if method is Revocation.NONE or (known is not None and self._now() < known):
            return
        from cryptography import x509

        leaf = x509.load_der_x509_certificate(certificate)
        issuer = _issuer(leaf, issuers)
        with self._calling(self._deadlines[method]) as call:
            ask = self._ask if method is Revocation.OCSP else self._look_up
            until = ask(call, leaf, issuer)
        self._good[key] = max(until, self._now() + LEAST)

    def cancel(self) -> None:
        """Make a look-up under way raise ClientCancelled."""
        with self._lock:
            if self._call is not None:
                self._call.cancel()

    def forget(self) -> None:
        """Keep no answer: the next person's card is none of this one's business."""
        self._good.clear()

    @contextmanager
    def _calling(self, deadline: float) -> Iterator[Call]:
        call = Call(until=time.monotonic() + deadline)
        with self._lock:
            self._call = call
        try:
            yield call
        finally:
            with self._lock:
                self._call = None

    def _ask(self, call: Call, leaf: x509.Certificate, issuer: x509.Certificate) -> datetime:
        from client.revocation import ocsp

        def ask(address: Address, path: str) -> datetime:
            asked = ocsp.request(leaf, issuer, secrets.token_bytes(NONCE_BYTES))
            body = bytearray(ocsp.encoded(asked))
            answer = self._fetch(call, address, path, OCSP_LIMIT, body)
            return ocsp.judge(answer, asked, issuer, self._now(), address.host)

        return _first_answer(ocsp.places(leaf), ask)

    def _look_up(self, call: Call, leaf: x509.Certificate, issuer: x509.Certificate) -> datetime:
        from client.revocation import crl

        def look(address: Address, path: str) -> datetime:
            data = self._fetch(call, address, path, LIST_LIMIT)
            return crl.judge(data, leaf, issuer, self._now(), address.host)

        return _first_answer(crl.places(leaf), look)

    def _fetch(
        self, call: Call, address: Address, path: str, limit: int, body: bytearray | None = None
    ) -> bytes:
        """One exchange. Raises ResponderUnavailable, RevocationMalformed, ClientCancelled."""
        from client.line import Line, Request
        from client.trust import tls_context

        headers = {"Accept-Encoding": "identity", "User-Agent": "hca-bind"}
        if body is not None:
            headers["Content-Type"] = "application/ocsp-request"  # RFC 6960 appendix A.1
        line = Line(address, tls_context(None))
        request = Request("GET" if body is None else "POST", path, headers, body)
        try:
            answer = call.exchange(line, request, self._timeout, limit)
        except ClientCancelled:
            raise
        except ServiceNonsense as error:
            raise RevocationMalformed(address.host) from error
        except ClientError as error:
            raise ResponderUnavailable(address.host) from error
        line.close()
        if answer.status == 200:
            return answer.body
        if answer.status < 400:  # to follow it would tell someone else which card this is
            raise RevocationMalformed(address.host)
        raise ResponderUnavailable(address.host)


def _issuer(leaf: x509.Certificate, issuers: Collection[x509.Certificate]) -> x509.Certificate:
    """The authority whose key signed `leaf`. Raises IssuerUnknown."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    for issuer in issuers:
        try:
            leaf.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        return issuer
    raise IssuerUnknown


def _first_answer(urls: Collection[str], ask: Callable[[Address, str], datetime]) -> datetime:
    """Of the places that are reached over HTTP, the first that answers; what LDAP would say is
    not asked. Raises RevocationUnnamed where there is none, and what `ask` raises.
    """
    from client.address import parse_resource

    places: list[tuple[Address, str]] = []
    for url in urls:
        with suppress(ValueError):
            places.append(parse_resource(url))
    if not places:
        raise RevocationUnnamed
    *others, last = places[:PLACES]
    for place in others:
        with suppress(ResponderUnavailable):
            return ask(*place)
    return ask(*last)
