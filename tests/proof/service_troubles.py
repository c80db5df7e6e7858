"""What can happen to one request and its answer: the columns of the service matrix."""

from __future__ import annotations

import gzip
import json
import ssl
import warnings
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from raw_server import identity
from relay import Answer, Stage, Then, Trouble

JSON, PROBLEM = "application/json", "application/problem+json"
STATUSES = (400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 429, 500, 501, 502, 503, 504)
REDIRECTS = (301, 302, 303, 307, 308)
# Codes with which the service refuses; none of them is true here, and the request never reached it.
REFUSALS = {
    409: ("service.challenge.used", "service.card.bound", "service.account.exists"),
    410: ("service.challenge.expired", "service.verification.expired"),
    422: (
        "service.challenge.unknown",
        "service.token.malformed",
        "service.token.signature",
        "service.verification.unknown",
        "service.form.invalid",
        "service.idempotency.conflict",
    ),
    401: ("service.session.expired",),
    403: ("service.card.untrusted", "service.card.revoked", "service.sign-in.refused"),
    400: ("service.request.invalid",),
}

# Members of an answer, the challenge's above all, that are those of something else.
OTHERS = (
    ("purpose", "register"),
    ("purpose", "rebind"),
    ("account", "somebody.else"),
    ("nonce", "A" * 43 + "="),
    ("id", "AAAAAAAAAAAAAAAAAAAAAA"),
    ("category", "NHI"),
)


def canned(status: int, kind: str, body: bytes, *headers: str) -> Trouble:
    """An answer in the service's place, before it saw the request."""
    answer = Answer(status, kind, body)
    name = f"{status} {kind} {body[:40]!r} {' '.join(headers)}"
    return Trouble(name, Stage.READ, lambda _: answer.encoded(*headers))


def column(folder: Path) -> list[Trouble]:
    """Every trouble; `folder` is for the keys of the servers that are not to be trusted."""
    return [*_connections(), *_tls(folder), *_refusals(), *_bodies()]


def _connections() -> list[Trouble]:
    troubles = [
        Trouble(f"{then.value} when {stage.value}", stage, None, then, slow=then is Then.HANG)
        for stage in (Stage.ACCEPTED, Stage.SECURED, Stage.READ, Stage.DONE)
        for then in (Then.CLOSE, Then.RESET, Then.HANG)
    ]
    troubles.append(Trouble("refused", Stage.REFUSED))
    for part in (1, 20, 0.5, 0.99):

        def cut(answer: Answer, part: float = part) -> bytes:
            whole = answer.encoded()
            return whole[: int(part) or int(len(whole) * part)]

        for then in (Then.CLOSE, Then.RESET, Then.HANG):
            slow = then is Then.HANG
            troubles.append(Trouble(f"{then.value} after {part}", Stage.DONE, cut, then, slow=slow))
    troubles.append(
        Trouble("byte by byte", Stage.DONE, lambda a: a.encoded(length=10**6), Then.DRIP, slow=True)
    )
    return troubles


def _tls(folder: Path) -> list[Trouble]:
    servers = {
        "untrusted": identity(_made(folder / "untrusted")),
        "wrong name": identity(_made(folder / "name"), ("reporting.example.org",)),
        "expired": identity(_made(folder / "old"), begin=datetime.now(UTC) - timedelta(days=999)),
        "not yet valid": identity(_made(folder / "new"), begin=datetime.now(UTC) + timedelta(9)),
        "old protocol": identity(_made(folder / "protocol")),
    }
    old = servers["old protocol"].context
    with warnings.catch_warnings(action="ignore"):  # Python warns of what this is about
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    return [
        Trouble(f"TLS {name}", Stage.READ, context=server.context)
        for name, server in servers.items()
    ]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _refusals() -> list[Trouble]:
    troubles = [canned(status, "text/html", b"<h1>No</h1>") for status in STATUSES]
    troubles += [canned(status, PROBLEM, b'{"code":"service.unheard-of"}') for status in STATUSES]
    troubles += [canned(status, PROBLEM, b"{") for status in (400, 500)]
    troubles += [
        canned(status, PROBLEM, json.dumps({"code": code, "fields": ["name"]}).encode())
        for status, codes in REFUSALS.items()
        for code in codes
    ]
    for after in ("0", "7", "99999999999999999999", "-1", "soon", "Fri, 01 Jan 2100 00:00:00 GMT"):
        troubles.append(canned(429, PROBLEM, b'{"code":"service.busy"}', f"Retry-After: {after}"))
    for status in REDIRECTS:
        for place in ("/v1/service", "https://example.invalid/", "http://localhost:1/", "//["):
            troubles.append(canned(status, "text/plain", b"", f"Location: {place}"))
    return troubles


def _bodies() -> list[Trouble]:
    """The service did it; what arrives is not what it said."""
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    bomb = gzip.compress(bytes(50_000_000))
    later = {"time": "2031-01-01T00:00:00Z", "expires": "2001-01-01T00:00:00Z"}
    bodies: dict[str, bytes] = {
        "empty": b"",
        "null": b"null",
        "a list": b"[]",
        "no members": b"{}",
        "no JSON": b"<html>",
        "not UTF-8": b'{"id":"\xff\xfe"}',
        "deep": deep,
        "deep lists": b"[" * 200_000,
        "huge": b'"' + b"x" * (3 << 20) + b'"',
        "wrong kinds": b'{"id":1,"name":2,"nonce":[],"expires":{},"receipt":null,"token":0}',
        "a huge number": b'{"id":' + b"9" * 10_000 + b"}",
        "NaN": b'{"id":NaN}',
        "no time": b'{"id":"c","nonce":"' + b"A" * 44 + b'","purpose":"register","expires":"soon"}',
    }

    def replaced(body: bytes) -> Trouble:
        def answer(own: Answer) -> bytes:
            return Answer(own.status, own.kind, body).encoded()

        return Trouble(f"body {body[:30]!r}, {len(body)}", Stage.DONE, answer)

    def halved(own: Answer) -> bytes:
        return Answer(own.status, own.kind, own.body[: len(own.body) // 2]).encoded()

    def skewed(own: Answer) -> bytes:
        members = json.loads(own.body or b"{}")
        changed = {**members, **{name: later[name] for name in later if name in members}}
        return Answer(own.status, own.kind, json.dumps(changed).encode()).encoded()

    def elsewhere(own: Answer) -> bytes:
        changed = {**json.loads(own.body or b"{}"), "origin": "https://other.example.invalid"}
        return Answer(own.status, own.kind, json.dumps(changed).encode()).encoded()

    def changed(name: str, value: str) -> Trouble:
        """One member, where the answer has it, says something else (no receipt's)."""

        def answer(own: Answer) -> bytes:
            members = json.loads(own.body or b"{}")
            other = name in members and "bound" not in members
            body = json.dumps({**members, name: value}).encode() if other else own.body
            return Answer(own.status, own.kind, body).encoded()

        return Trouble(f"another {name}: {value}", Stage.DONE, answer)

    def skewed_by(hours: int) -> Trouble:
        def answer(own: Answer) -> bytes:
            members = json.loads(own.body or b"{}")
            for name in later.keys() & members.keys():
                moment = datetime.fromisoformat(members[name]) + timedelta(hours=hours)
                members[name] = moment.isoformat().replace("+00:00", "Z")
            return Answer(own.status, own.kind, json.dumps(members).encode()).encoded()

        return Trouble(f"clock {hours:+} h", Stage.DONE, answer)

    def again() -> Trouble:
        """A challenge that it gave before, for ever."""
        kept: list[bytes] = []

        def answer(own: Answer) -> bytes:
            if b'"nonce"' not in own.body:
                return own.encoded()
            kept.append(own.body)
            return Answer(own.status, own.kind, kept[0]).encoded()

        return Trouble("a challenge again", Stage.DONE, answer)

    def of_kind(kind: str) -> Trouble:
        def answer(own: Answer) -> bytes:
            return Answer(own.status, kind, own.body).encoded()

        return Trouble(f"content type {kind}", Stage.DONE, answer)

    def packed(name: str, body: bytes) -> Trouble:
        def answer(own: Answer) -> bytes:
            return Answer(own.status, own.kind, body).encoded(f"Content-Encoding: {name}")

        return Trouble(f"{name} bomb", Stage.DONE, answer)

    def of_status(status: int) -> Trouble:
        def answer(own: Answer) -> bytes:
            return Answer(status, own.kind, own.body).encoded()

        return Trouble(f"status {status}", Stage.DONE, answer)

    raw = {
        "endless headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        "not HTTP": b"220 mail.example.org ESMTP\r\n\r\n",
        "header without an end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "early hints": b"HTTP/1.1 103 X\r\n\r\n" * 2000,
    }
    return [
        *map(replaced, bodies.values()),
        Trouble("half the body", Stage.DONE, halved),
        Trouble("other times", Stage.DONE, skewed),
        Trouble("another origin", Stage.DONE, elsewhere),
        *(changed(name, value) for name, value in OTHERS),
        *map(skewed_by, (-5, 5)),
        again(),
        *map(of_kind, ("text/html", "", "application/xml", f"{JSON}; charset=utf-7")),
        *map(of_status, (200, 202, 204, 206, 299)),
        packed("gzip", bomb),
        packed("deflate", zlib.compress(bytes(50_000_000))),
        packed("br", b"\x00" * 100),
        *(Trouble(name, Stage.DONE, lambda _, d=data: d) for name, data in raw.items()),
    ]
