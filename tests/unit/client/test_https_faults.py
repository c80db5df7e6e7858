"""The client against a real TLS server that misbehaves, and what it repeats."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from raw_server import Identity, RawServer, Reply, Then, http, identity, json_reply, problem_reply

from client import errors
from client.errors import ClientError
from client.https import HttpsService
from client.port import Challenge, Label, Session, Verification, idempotency_key
from client.purpose import Purpose

NOW = datetime.now(UTC)
SOON = NOW + timedelta(minutes=5)
CHALLENGE = Challenge("c", "A" * 44, Purpose.REGISTER, None, SOON)
VERIFICATION = Verification("v", "測試員甲", "HPC", SOON)
SESSION = Session("tester", "t" * 32, SOON, None)
RECEIPT = (
    b'{"id":"R-0","purpose":"register","account":"tester","holder":"\xe7\x8e\x8b\xe6\xb8\xac'
    b'\xe8\xa9\xa6","category":"HPC","card":"0000-0000","bound":"2026-01-02T03:04:05Z"}'
)
UNAVAILABLE = problem_reply("503 Service Unavailable", b'{"code":"service.unavailable"}')

Call = Callable[[HttpsService], object]
REPEATED: dict[str, Call] = {
    "describe": lambda service: service.describe(),
    "receipt": lambda service: service.receipt("R-0"),
    "verify": lambda s: s.verify(CHALLENGE, b"\x30" * 80, "RS256", b"s", idempotency_key()),
    "register": lambda s: s.register(VERIFICATION, {"account": "tester"}, idempotency_key()),
    "rebind": lambda s: s.rebind(SESSION, VERIFICATION, idempotency_key()),
}
SENT_ONCE: dict[str, Call] = {
    "challenge": lambda service: service.challenge(Purpose.REGISTER),
    "sign-in": lambda service: service.sign_in("tester", bytearray(b"password")),
    "sign-out": lambda service: service.sign_out(SESSION),
}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return identity(tmp_path_factory.mktemp("trusted"))


@contextmanager
def service(server: RawServer, trusted: Identity, **limits: float) -> Iterator[HttpsService]:
    client = HttpsService(
        server.url,
        ca_file=trusted.ca_file,
        timeout=limits.get("timeout", 10.0),
        deadline=limits.get("deadline", 20.0),
        pauses=(0.0, 0.0),
    )
    try:
        yield client
    finally:
        client.close()


def failure(call: Call, client: HttpsService) -> ClientError:
    with pytest.raises(ClientError) as caught:
        call(client)
    return caught.value


# --- what is repeated ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("reply", [UNAVAILABLE, Reply()], ids=["unavailable", "lost"])
def test_harmless_requests_are_tried_three_times_unchanged(
    trusted: Identity, name: str, reply: Reply
) -> None:
    with RawServer(lambda *_: reply, trusted.context) as server, service(server, trusted) as client:
        error = failure(REPEATED[name], client)
        assert error.retriable
        assert len(server.requests) == 3
        assert len(set(server.requests)) == 1


@pytest.mark.parametrize("name", SENT_ONCE)
@pytest.mark.parametrize("reply", [UNAVAILABLE, Reply()], ids=["unavailable", "lost"])
def test_other_requests_are_sent_once(trusted: Identity, name: str, reply: Reply) -> None:
    with RawServer(lambda *_: reply, trusted.context) as server, service(server, trusted) as client:
        assert failure(SENT_ONCE[name], client).retriable
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (problem_reply("429 Too Many Requests", b"{}", "Retry-After: 7"), "service.busy"),
        (problem_reply("409 Conflict", b'{"code":"service.card.bound"}'), "service.card.bound"),
        (json_reply(b"{"), "service.nonsense"),
    ],
)
def test_what_a_repeat_cannot_mend_is_not_repeated(
    trusted: Identity, reply: Reply, code: str
) -> None:
    with RawServer(lambda *_: reply, trusted.context) as server, service(server, trusted) as client:
        assert failure(REPEATED["register"], client).code == code
        assert len(server.requests) == 1


def test_a_repeat_that_is_answered_is_an_answer(trusted: Identity) -> None:
    replies = [Reply(), UNAVAILABLE, json_reply(RECEIPT, "201 Created")]
    with (
        RawServer(lambda number, _: replies[number], trusted.context) as server,
        service(server, trusted) as client,
    ):
        receipt = client.register(VERIFICATION, {"account": "tester"}, idempotency_key())
        assert receipt.holder == "王測試"
        keys = {_header(request, b"idempotency-key") for request in server.requests}
        assert len(server.requests) == 3
        assert len(keys) == 1


def test_the_deadline_ends_the_repeats(trusted: Identity) -> None:
    with RawServer(lambda *_: UNAVAILABLE, trusted.context) as server:
        client = HttpsService(server.url, ca_file=trusted.ca_file, deadline=5.0, pauses=(0.0, 60.0))
        assert failure(REPEATED["describe"], client).code == "service.unavailable"
        assert len(server.requests) == 2
        client.close()


def test_a_busy_service_says_for_how_long(trusted: Identity) -> None:
    reply = Reply(http("429 Too Many Requests", "text/plain", b"", "Retry-After: 7"))
    with RawServer(lambda *_: reply, trusted.context) as server, service(server, trusted) as client:
        assert failure(SENT_ONCE["challenge"], client).facts() == {"retry_after": 7}


# --- answers that the contract does not allow ----------------------------------------------------

NONSENSE: dict[str, Reply] = {
    "not JSON": json_reply(b"<html>"),
    "half JSON": json_reply(b'{"name":'),
    "other JSON": json_reply(b"[]"),
    "a web page": Reply(http("200 OK", "text/html", b"<!doctype html>")),
    "no content type": Reply(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    ),
    "redirect": Reply(http("302 Found", "text/html", b"", "Location: https://localhost/")),
    "permanent redirect": Reply(http("308 X", "text/html", b"", "Location: /v1/other")),
    "another success": json_reply(b"{}", "202 Accepted"),
    "a problem with a success": problem_reply("200 OK", b'{"code":"service.card.bound"}'),
    "huge": json_reply(b'"' + b"x" * (2 * 1024 * 1024) + b'"'),
    "huge without a length": Reply(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (2 * 1024 * 1024)
    ),
    "compressed": Reply(http("200 OK", "application/json", b"\x1f\x8b", "Content-Encoding: gzip")),
    "not HTTP": Reply(b"220 mail.example.org ESMTP\r\n\r\n"),
    "endless headers": Reply(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n"),
    "no such page": Reply(http("404 Not Found", "text/html", b"<h1>Not Found")),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense(trusted: Identity, name: str) -> None:
    with (
        RawServer(lambda *_: NONSENSE[name], trusted.context) as server,
        service(server, trusted) as client,
    ):
        assert failure(REPEATED["describe"], client).code == "service.nonsense"
        assert len(server.requests) == 1


def test_an_answer_cut_short_is_a_lost_connection(trusted: Identity) -> None:
    cut = Reply(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
    with RawServer(lambda *_: cut, trusted.context) as server, service(server, trusted) as client:
        assert failure(SENT_ONCE["sign-in"], client).code == "net.lost"


def test_cookies_are_not_kept(trusted: Identity) -> None:
    reply = Reply(http("201 Created", "application/json", RECEIPT, "Set-Cookie: spy=1"))
    with RawServer(lambda *_: reply, trusted.context) as server, service(server, trusted) as client:
        for _ in range(2):
            REPEATED["register"](client)
        assert not any(b"spy" in request for request in server.requests)


def description(**changes: object) -> bytes:
    label = {"zh-Hant": "測試", "en": "Test"}
    return json.dumps(
        {
            "name": label,
            "version": "1.4.2",
            "origin": "https://localhost:1",
            "time": datetime.now(UTC).isoformat(),
            "categories": [{"id": "HPC", "label": label}],
            "algorithms": ["RS256"],
            "account_form": [],
            **changes,
        }
    ).encode()


@contextmanager
def described(trusted: Identity, **changes: object) -> Iterator[HttpsService]:
    def reply(_: int, request: bytes) -> Reply:
        host = _header(request, b"host").decode()
        return json_reply(description(**{"origin": f"https://{host}", **changes}))

    with RawServer(reply, trusted.context) as server, service(server, trusted) as client:
        yield client


def test_a_good_description(trusted: Identity) -> None:
    with described(trusted) as client:
        known = client.describe()
        assert (known.origin, known.name) == (client.origin, Label("測試", "Test"))


def test_another_major_version_is_named_whatever_its_shape(trusted: Identity) -> None:
    with described(trusted, version="2.0.0", name="not a label any more") as client:
        error = failure(REPEATED["describe"], client)
        assert (error.code, error.facts()) == ("service.version", {"version": "2.0.0"})


def test_another_origin_is_named(trusted: Identity) -> None:
    with described(trusted, origin="https://example.org") as client:
        error = failure(REPEATED["describe"], client)
        assert (error.code, error.facts()) == ("service.origin", {"origin": "https://example.org"})


@pytest.mark.parametrize("hours", [-1, 1])
def test_clocks_that_differ_are_told_apart(trusted: Identity, hours: int) -> None:
    then = datetime.now(UTC) + timedelta(hours=hours)
    with described(trusted, time=then.isoformat()) as client:
        error = failure(REPEATED["describe"], client)
        assert isinstance(error, errors.ServiceClock)
        assert abs(error.seconds - 3600) < 100


def test_a_challenge_for_something_else_is_nonsense(trusted: Identity) -> None:
    body = json.dumps(
        {
            "id": "c",
            "nonce": "A" * 44,
            "purpose": "rebind",
            "account": "other",
            "expires": SOON.isoformat(),
        }
    ).encode()
    reply = json_reply(body, "201 Created")
    with RawServer(lambda *_: reply, trusted.context) as server, service(server, trusted) as client:
        assert client.challenge(Purpose.REBIND, "other").account == "other"
        assert failure(lambda s: s.challenge(Purpose.REBIND, "tester"), client).code == (
            "service.nonsense"
        )
        assert failure(lambda s: s.challenge(Purpose.REGISTER), client).code == "service.nonsense"


# --- the way there -------------------------------------------------------------------------------


def code_of(url: str, ca_file: Path | None, **more: object) -> str:
    client = HttpsService(url, ca_file=ca_file, pauses=(), **more)  # type: ignore[arg-type]
    error = failure(REPEATED["describe"], client)
    client.close()
    return error.code


def test_a_certificate_of_another_authority(trusted: Identity, tmp_path: Path) -> None:
    other = identity(tmp_path)
    with RawServer(lambda *_: Reply(), other.context) as server:
        assert code_of(server.url, trusted.ca_file) == "net.tls.untrusted"
        assert code_of(server.url, None) == "net.tls.untrusted"
        assert not server.requests


@pytest.mark.parametrize("days", [-1000, 1000])
def test_a_certificate_that_is_not_valid_now(tmp_path: Path, days: int) -> None:
    wrong = identity(tmp_path, begin=datetime.now(UTC) + timedelta(days=days))
    with RawServer(lambda *_: Reply(), wrong.context) as server:
        assert code_of(server.url, wrong.ca_file) == "net.tls.expired"
        assert not server.requests


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    wrong = identity(tmp_path, ("reporting.example.org",))
    with RawServer(lambda *_: Reply(), wrong.context) as server:
        assert code_of(server.url, wrong.ca_file) == "net.tls.name"
        by_address = server.url.replace("localhost", "127.0.0.1")
        assert code_of(by_address, wrong.ca_file) == "net.tls.name"
        assert not server.requests


def test_a_server_without_tls(trusted: Identity) -> None:
    plain = Reply(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with RawServer(lambda *_: plain, None) as server:
        assert code_of(server.url, trusted.ca_file) == "net.tls.failed"


def test_a_server_of_old_tls_only(tmp_path: Path) -> None:
    old = identity(tmp_path)
    with warnings.catch_warnings(action="ignore"):  # Python warns of what the test is about
        old.context.minimum_version = ssl.TLSVersion.TLSv1
        old.context.maximum_version = ssl.TLSVersion.TLSv1_1
    old.context.set_ciphers("ALL:@SECLEVEL=0")
    with RawServer(lambda *_: Reply(), old.context) as server:
        assert code_of(server.url, old.ca_file) == "net.tls.failed"


def test_nobody_listens(trusted: Identity) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert code_of(f"https://localhost:{port}", trusted.ca_file) == "net.refused"


def test_a_name_that_does_not_exist(trusted: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    assert code_of("https://no-such-host.invalid", trusted.ca_file) in {"net.name", "net.timeout"}


def test_a_proxy_that_refuses(trusted: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = Reply(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with RawServer(lambda *_: reply, None) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert code_of("https://reporting.invalid", trusted.ca_file) == "net.proxy"
        assert proxy.requests[0].startswith(b"CONNECT reporting.invalid:443 ")
    assert code_of("https://reporting.invalid", trusted.ca_file) == "net.proxy"  # it has gone


def test_no_proxy_leads_to_this_same_computer(
    trusted: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with described(trusted) as client:
        assert client.describe().version == "1.4.2"


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----"])
def test_a_ca_file_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    client = HttpsService("https://localhost:9", ca_file=ca_file)
    error = failure(REPEATED["describe"], client)
    assert (error.code, error.facts()) == ("net.tls.ca-file", {"path": str(ca_file)})


def test_a_ca_file_in_der(trusted: Identity, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.cer"
    ca_file.write_bytes(ssl.PEM_cert_to_DER_cert(trusted.ca_file.read_text()))
    with described(trusted) as known:
        client = HttpsService(known.origin, ca_file=ca_file)
        assert client.describe().version == "1.4.2"
        client.close()


# --- time and patience ---------------------------------------------------------------------------

HANG = Reply(then=Then.HANG)
DRIP = Reply(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", Then.DRIP)


@pytest.mark.parametrize("reply", [HANG, DRIP], ids=["silent", "byte by byte"])
def test_a_service_that_is_too_slow(trusted: Identity, reply: Reply) -> None:
    with (
        RawServer(lambda *_: reply, trusted.context) as server,
        service(server, trusted, timeout=0.6, deadline=0.6) as client,
    ):
        assert failure(SENT_ONCE["challenge"], client).code == "net.timeout"


def test_a_silent_step_does_not_use_up_the_deadline(trusted: Identity) -> None:
    replies = [HANG, json_reply(RECEIPT)]
    with (
        RawServer(lambda number, _: replies[number], trusted.context) as server,
        service(server, trusted, timeout=2.0, deadline=60.0) as client,
    ):
        assert client.receipt("R-0").id == "R-0"


@pytest.mark.parametrize("reply", [HANG, DRIP], ids=["silent", "byte by byte"])
def test_a_person_can_cancel_and_go_on(trusted: Identity, reply: Reply) -> None:
    arrived = threading.Event()

    def answer(number: int, _: bytes) -> Reply:
        arrived.set()
        return reply if number == 0 else json_reply(RECEIPT)

    with (
        RawServer(answer, trusted.context) as server,
        service(server, trusted, timeout=60.0, deadline=60.0) as client,
    ):
        canceller = threading.Thread(target=lambda: arrived.wait(20) and client.cancel())
        canceller.start()
        assert failure(REPEATED["receipt"], client).code == "net.cancelled"
        canceller.join(20)
        assert client.receipt("R-0").id == "R-0"
        assert len(server.requests) == 2


def test_cancelling_ends_the_pause_before_a_repeat(trusted: Identity) -> None:
    asked = threading.Event()

    def answer(*_: object) -> Reply:
        asked.set()
        return UNAVAILABLE

    with RawServer(answer, trusted.context) as server:
        client = HttpsService(server.url, ca_file=trusted.ca_file, deadline=90.0, pauses=(80.0,))
        outcome: list[ClientError] = []
        caller = threading.Thread(
            target=lambda: outcome.append(failure(REPEATED["receipt"], client))
        )
        caller.start()
        assert asked.wait(20)
        while caller.is_alive():
            client.cancel()
            caller.join(0.05)
        assert outcome[0].code == "net.cancelled"


def test_cancelling_nothing_does_nothing(trusted: Identity) -> None:
    with described(trusted) as client:
        client.cancel()
        assert client.describe().version == "1.4.2"


def _header(request: bytes, name: bytes) -> bytes:
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    raise AssertionError(f"no {name!r}")
