"""The look-up itself: who is asked what, how often, and what becomes of every kind of answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp as library
from raw_server import RawServer, Reply, Then, http
from status_answers import HOUR, Ca, Listing
from status_answers import Reply as Answer

from card.virtual.authority import FILE, Authority
from card.virtual.profile import Profile
from client.errors import (
    CaFileUnusable,
    CertificateOnHold,
    CertificateRevoked,
    CertificateUnknown,
    ClientCancelled,
    ClientError,
    IssuerUnknown,
    ResponderUnavailable,
    RevocationError,
    RevocationForged,
    RevocationMalformed,
    RevocationStale,
    RevocationUnnamed,
)
from client.port import Revocation
from client.revocation.check import LIST_LIMIT, OCSP_LIMIT, RevocationCheck
from client.sandbox.faults import Fault
from client.sandbox.responder import Desk, Responder

OCSP, CRL = Revocation.OCSP, Revocation.CRL
WAYS = (OCSP, CRL)
LIMITS = {OCSP: OCSP_LIMIT, CRL: LIST_LIMIT}
EC = '[key]\ntype = "EC"\n[certificate]\n'
STATUS = {OCSP: "application/ocsp-response", CRL: "application/pkix-crl"}


class Office:
    """A CA with a responder of its own, and cards of it."""

    def __init__(self, folder: Path) -> None:
        self.faults: set[Fault] = set()
        Authority.load_or_create(folder)
        self.responder = Responder(Desk.open(folder / FILE, self.faults))
        self.authority = Authority.load_or_create(folder, self.responder.url)

    @property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        return (self.authority.issuing,)

    def card(self, status: str = "good") -> bytes:
        return self.authority.issue(Profile.parse(f'{EC}status = "{status}"\n')).certificate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority")


@pytest.fixture
def office(folder: Path) -> Iterator[Office]:
    office = Office(folder)
    yield office
    office.responder.stop()


def check(**limits: float) -> RevocationCheck:
    return RevocationCheck(**{"timeout": 5.0, "deadline": 10.0, **limits})


# --- a real responder ----------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_good_is_asked_once_while_it_holds(office: Office, way: Revocation) -> None:
    now = [datetime.now(UTC)]
    look_up = RevocationCheck(now=lambda: now[0])
    card = office.card()
    for _ in range(3):
        look_up.run(card, office.anchors, way)
    assert len(office.responder.asked) == 1
    look_up.run(office.card(), office.anchors, way)
    assert len(office.responder.asked) == 2, "another card is another question"
    now[0] += timedelta(hours=13)
    with pytest.raises(RevocationStale):  # asked again; the responder lives in our yesterday
        look_up.run(card, office.anchors, way)
    assert len(office.responder.asked) == 3


def test_forgotten_with_the_person(office: Office) -> None:
    look_up, card = check(), office.card()
    for _ in range(2):
        look_up.run(card, office.anchors, OCSP)
        look_up.forget()
    assert len(office.responder.asked) == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("status", "error"), [("revoked", CertificateRevoked), ("on-hold", CertificateOnHold)]
)
def test_not_good_is_asked_again(
    office: Office, way: Revocation, status: str, error: type[RevocationError]
) -> None:
    look_up, card = check(), office.card(status)
    for _ in range(2):
        with pytest.raises(error) as caught:
            look_up.run(card, office.anchors, way)
        assert caught.value.facts()["since"] == datetime.now(UTC).date().isoformat()
    assert len(office.responder.asked) == 2


def test_a_card_that_is_in_no_register(office: Office, folder: Path) -> None:
    card = office.card()
    (folder / "index.txt").unlink()
    with pytest.raises(CertificateUnknown):
        check().run(card, office.anchors, OCSP)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.STATUS_DOWN, ResponderUnavailable),
        (Fault.STATUS_NONSENSE, RevocationMalformed),
        (Fault.STATUS_STALE, RevocationStale),
        (Fault.STATUS_FORGED, RevocationForged),
    ],
)
def test_a_responder_in_trouble(
    office: Office, way: Revocation, fault: Fault, error: type[RevocationError]
) -> None:
    look_up, card = check(), office.card()
    office.faults.add(fault)
    with pytest.raises(error):
        look_up.run(card, office.anchors, way)
    office.faults.clear()
    look_up.run(card, office.anchors, way)


def test_a_responder_that_is_busy(office: Office) -> None:
    office.faults.add(Fault.STATUS_BUSY)
    with pytest.raises(ResponderUnavailable):
        check().run(office.card(), office.anchors, OCSP)


def test_nothing_but_the_serial_number_is_told(office: Office) -> None:
    card = office.card()
    check().run(card, office.anchors, OCSP)
    (sent,) = office.responder.asked
    asked = library.load_der_ocsp_request(sent)
    leaf = x509.load_der_x509_certificate(card)
    assert asked.serial_number == leaf.serial_number
    (extension,) = asked.extensions
    assert isinstance(extension.value, x509.OCSPNonce)
    for personal in ("測試員甲".encode(), b"TEST0000000001", leaf.signature):
        assert personal not in sent


def test_a_responder_needs_a_key_that_can_be_relied_upon(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / FILE).write_bytes(pem + Ca().certificate.public_bytes(Encoding.PEM))
    with pytest.raises(CaFileUnusable):
        Desk.open(tmp_path / FILE, set())


# --- whether anybody is asked --------------------------------------------------------------------


def test_nobody_is_asked_unless_the_service_wants_it(office: Office) -> None:
    check().run(office.card("revoked"), office.anchors, Revocation.NONE)
    check().run(b"no certificate at all", (), Revocation.NONE)
    assert office.responder.asked == ()


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_asked_about_a_card_that_no_anchor_issued(
    office: Office, way: Revocation
) -> None:
    """A forged card's URL is not followed: it cannot make this computer call anyone."""
    stranger = Authority.create()  # of the same name, with another key
    for anchors in ((), (office.authority.root,), (stranger.issuing,)):
        with pytest.raises(IssuerUnknown):
            check().run(office.card(), anchors, way)
    assert office.responder.asked == ()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "urls", [(), ("ldap://ca.invalid/cn=x",), ("http://user@ca.invalid/",), ("http://ca .invalid",)]
)
def test_a_certificate_that_names_no_place(way: Revocation, urls: tuple[str, ...]) -> None:
    ca = Ca(ocsp=urls, crl=urls)
    with pytest.raises(RevocationUnnamed):
        check().run(ca.issue().public_bytes(Encoding.DER), (ca.certificate,), way)


# --- a server that answers anything --------------------------------------------------------------


@contextmanager
def serving(reply: Callable[[int, bytes], Reply]) -> Iterator[tuple[RawServer, bytes, Ca]]:
    """The server, a card that names it, and the card's CA."""
    with RawServer(reply, context=None) as server:
        ca = Ca(ocsp=(place(server),), crl=(place(server),))
        yield server, ca.issue().public_bytes(Encoding.DER), ca


def place(server: RawServer) -> str:
    return f"http://localhost:{server.port}/status?of=TEST"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_a_redirect_is_not_followed(way: Revocation, status: str) -> None:
    with RawServer(lambda *_: Reply(), context=None) as elsewhere:
        moved = http(status, "text/html", b"", f"Location: {place(elsewhere)}")
        with serving(lambda *_: Reply(moved)) as (server, card, ca):
            with pytest.raises(RevocationMalformed):
                check().run(card, (ca.certificate,), way)
            assert len(server.requests) == 1
        assert elsewhere.connections == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(), ResponderUnavailable),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), ResponderUnavailable),
        (Reply(http("404 Not Found", "text/html", b"")), ResponderUnavailable),
        (Reply(http("500 Internal Server Error", "text/html", b"")), ResponderUnavailable),
        (Reply(http("200 OK", "text/html", b"")), RevocationMalformed),
        (Reply(http("204 No Content", "text/html", b"")), RevocationMalformed),
        (Reply(http("200 OK", "text/html", b"x", "Content-Encoding: gzip")), RevocationMalformed),
    ],
    ids=["nothing", "cut short", "404", "500", "empty", "204", "compressed"],
)
def test_what_is_no_answer(way: Revocation, reply: Reply, error: type[RevocationError]) -> None:
    with serving(lambda *_: reply) as (server, card, ca):
        with pytest.raises(error) as caught:
            check().run(card, (ca.certificate,), way)
        assert caught.value.facts() == {"host": "localhost"}
        assert len(server.requests) == 1


@pytest.mark.parametrize("way", WAYS)
def test_more_than_anyone_should_read(way: Revocation) -> None:
    """Endless, and more than is announced: reading stops at the limit."""
    body = b"HTTP/1.1 200 OK\r\n\r\n" + b"\x30" * (LIMITS[way] + 1)
    with (
        serving(lambda *_: Reply(body, Then.HANG)) as (_, card, ca),
        pytest.raises(RevocationMalformed),
    ):
        check(list_deadline=30.0).run(card, (ca.certificate,), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(then=Then.HANG),
        Reply(http("200 OK", STATUS[OCSP], b"")[:-4] + b"\r\nX: ", Then.DRIP),
    ],
    ids=["silent", "byte by byte"],
)
def test_no_wait_without_end(way: Revocation, reply: Reply) -> None:
    with serving(lambda *_: reply) as (_, card, ca), pytest.raises(ResponderUnavailable):
        check(deadline=0.5, list_deadline=0.5).run(card, (ca.certificate,), way)


@pytest.mark.parametrize("way", WAYS)
def test_cancelled(way: Revocation) -> None:
    asked = threading.Event()

    def reply(*_: object) -> Reply:
        asked.set()
        return Reply(then=Then.HANG)

    with serving(reply) as (_, card, ca):
        look_up, outcome = check(), []

        def run() -> None:
            try:
                look_up.run(card, (ca.certificate,), way)
            except ClientError as error:
                outcome.append(type(error))

        thread = threading.Thread(target=run)
        thread.start()
        assert asked.wait(10)
        look_up.cancel()
        thread.join(10)
        assert outcome == [ClientCancelled]
        look_up.cancel()  # of nothing: harmless, and no word on the next


@pytest.mark.parametrize("way", WAYS)
def test_the_next_place_where_the_first_does_not_answer(way: Revocation) -> None:
    def good(_: int, request: bytes) -> Reply:
        dates = {"since": datetime.now(UTC) - HOUR, "until": datetime.now(UTC) + HOUR}
        if way is CRL:
            return Reply(http("200 OK", STATUS[way], Listing(ca, **dates).der()))
        asked = library.load_der_ocsp_request(request.partition(b"\r\n\r\n")[2])
        nonce = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        answer = Answer(ca, leaf, nonce=nonce, **dates)
        return Reply(http("200 OK", STATUS[way], answer.der()))

    with (
        RawServer(lambda *_: Reply(), context=None) as broken,
        RawServer(good, context=None) as well,
    ):
        urls = ("ldap://ca.invalid", place(broken), place(well))
        ca = Ca(ocsp=urls, crl=urls)
        leaf = ca.issue()
        check().run(leaf.public_bytes(Encoding.DER), (ca.certificate,), way)
        assert (len(broken.requests), len(well.requests)) == (1, 1)
