"""The troubles a demo can put the sandbox in, and lift again while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Fault(StrEnum):
    """One trouble; the value is its name on the command line."""

    # answers in place of the service's own
    DOWN = "service-down"  # 503
    BUSY = "service-busy"  # 429
    FAILED = "service-failed"  # 500
    SLOW = "service-slow"  # the right answer, a minute late
    NONSENSE = "service-nonsense"  # JSON that ends in the middle
    WRONG_TYPE = "service-wrong-type"  # a web page
    HUGE = "service-huge"  # more than a client should read
    REDIRECT = "service-redirect"
    # what the service says of itself
    VERSION = "service-version"
    ORIGIN = "service-origin"
    CLOCK = "service-clock"
    # what the service decides
    CHALLENGE_EXPIRED = "challenge-expired"
    CHALLENGE_USED = "challenge-used"
    VERIFICATION_EXPIRED = "verification-expired"
    SESSION_EXPIRED = "session-expired"
    CARD_REVOKED = "card-revoked"
    CARD_REFUSED = "card-category"
    # the responder that certificates name
    STATUS_DOWN = "status-down"  # 503
    STATUS_BUSY = "status-busy"  # "try later"
    STATUS_SLOW = "status-slow"  # the right answer, a minute late
    STATUS_NONSENSE = "status-nonsense"  # a web page
    STATUS_STALE = "status-stale"  # the right answer of last week
    STATUS_FORGED = "status-forged"  # signed by somebody else in its name
    # the list of components
    MANIFEST_MISSING = "manifest-missing"
    MANIFEST_TAMPERED = "manifest-tampered"  # changed after it was signed
    MANIFEST_UNSIGNED = "manifest-unsigned"
    MANIFEST_FOREIGN = "manifest-foreign"  # signed with a key that nobody pins
    MANIFEST_SERVICE = "manifest-service"  # for another service
    MANIFEST_MALFORMED = "manifest-malformed"
    MANIFEST_EXPIRED = "manifest-expired"
    MANIFEST_FUTURE = "manifest-future"
    MANIFEST_REPLAYED = "manifest-replayed"  # each list is older than the one before
    MANIFEST_CHANGED = "manifest-changed"  # one serial, each time another content
    # the files of components
    FILE_MISSING = "file-missing"
    FILE_SLOW = "file-slow"
    FILE_BREAK = "file-break"  # the connection breaks again and again
    FILE_CUT = "file-cut"  # it breaks for good in the middle
    FILE_SHORT = "file-short"  # announces fewer bytes than the list
    FILE_LONG = "file-long"  # announces and sends more
    FILE_ENDLESS = "file-endless"  # announces nothing and sends more
    FILE_OTHER = "file-other"  # another file of the same size
    FILE_REPLACED = "file-replaced"  # another version, with its ETag, until a break in the middle
    FILE_SAME_ETAG = "file-same-etag"  # the same, but both versions have one ETag
    FILE_NO_RANGE = "file-no-range"  # breaks once, and always sends the whole file
    FILE_WRONG_RANGE = "file-wrong-range"  # breaks once, and sends another range than asked for


SLOW_SECONDS = 60.0
PROBLEM = "application/problem+json"
JSON = "application/json"
CANNED: dict[Fault, tuple[int, dict[str, str], bytes]] = {
    Fault.DOWN: (503, {"Content-Type": PROBLEM}, b'{"code":"service.unavailable","status":503}'),
    Fault.BUSY: (
        429,
        {"Content-Type": PROBLEM, "Retry-After": "30"},
        b'{"code":"service.busy","status":429,"retry_after":30}',
    ),
    Fault.FAILED: (500, {"Content-Type": PROBLEM}, b'{"code":"service.failed","status":500}'),
    Fault.NONSENSE: (200, {"Content-Type": JSON}, b'{"name": {"zh-Hant": "\xe8\x87\xaa'),
    Fault.WRONG_TYPE: (200, {"Content-Type": "text/html"}, b"<!doctype html><p>It works!"),
    Fault.HUGE: (200, {"Content-Type": JSON}, b'"' + b"x" * (4 * 1024 * 1024) + b'"'),
    Fault.REDIRECT: (302, {"Location": "https://example.invalid/"}, b""),
}


class Troubles:
    """ASGI middleware: answers in the service's place while `faults` names one of CANNED."""

    def __init__(self, app: ASGIApp, faults: AbstractSet[Fault]) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import Response

        if scope["type"] == "http":
            if Fault.SLOW in self._faults:
                await asyncio.sleep(SLOW_SECONDS)
            for fault, (status, headers, body) in CANNED.items():
                if fault in self._faults:
                    await Response(body, status, headers)(scope, receive, send)
                    return
        await self._app(scope, receive, send)
