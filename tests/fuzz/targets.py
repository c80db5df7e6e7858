"""What is fuzzed: for each parser one function of bytes that returns, or breaks its promise.

The promise: whatever the bytes, the parser gives a value or raises an error of its own typed tree,
and the catalogue explains it. Anything else leaves the function as an exception. The first byte
chooses among several entrances where a subject has them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from status_authority import NONCE, NOW, answer, appointed, certificates, good, signed

from card import certificate, tlv, trust
from card.errors import CardError, CardRemoved
from card.opening import open_card
from card.pin import Pin
from card.piv import application as piv
from card.pkcs15 import application, objects
from card.port import Connection, Slot
from card.signing import signing_key
from client import token, wire
from client.address import Address
from client.components import manifest
from client.errors import ClientError, ResponderUnavailable
from client.failures import from_answer
from client.https import _decode
from client.line import Answer
from client.revocation import crl, ocsp
from client.revocation.check import _first_answer, _issuer
from client.revocation.judgement import SKEW
from client.validator import Expectation, validate
from screens.troubleshooting import catalogue, support_code

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
READER = "Fuzz 00 00"
PIN = b"12345678"
MESSAGE = b"m" * 64
ENOUGH = 4000  # commands; a card that can keep the program busy for longer is a hang
ORIGIN = "https://localhost:8443"


@dataclass(frozen=True)
class Target:
    """`longest` bytes are enough to reach all of it; `words` are what its format is made of."""

    name: str
    run: Callable[[bytes], None]
    longest: int
    words: tuple[bytes, ...] = ()

    @property
    def corpus(self) -> Path:
        return CORPUS / self.name

    def seeds(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.corpus.iterdir())]


@contextmanager
def explained() -> Iterator[None]:
    """An error of the typed trees that the catalogue has an entry for ends the run; no other."""
    try:
        yield
    except (CardError, ClientError) as error:
        error.facts()
        catalogue.entry(error.code)


# --- cards ---------------------------------------------------------------------------------------


def _tlv(data: bytes) -> None:
    with explained():
        found = tlv.parse(data, "EF")
        whole = b"".join(each.encoded for each in found)
        assert data.startswith(whole)
        assert not data[len(whole) :].strip(b"\x00\xff")
        assert tlv.missing(data, "EF") in (None, 0)
    with explained():
        first = tlv.first(data, "EF")
        assert tlv.parse(first.encoded, "EF") in ((first,), ())
    for single in (False, True):
        with explained():
            lacks = tlv.missing(data, "EF", single)
            assert lacks is None or 0 <= lacks <= tlv.LONGEST
    with explained():
        fields = tlv.Fields(data, "EF")
        fields.optional(tlv.INTEGER)
        fields.skip()
        tlv.integer(fields.take(tlv.INTEGER, tlv.ENUMERATED).value, "EF")
        tlv.named_bits(fields.take(tlv.BIT_STRING).value, "EF")


@dataclass
class Tape:
    """card.port.Readers and its one connection: a card whose answers were written down before.

    Two bytes of length and an answer, again and again; behind the last one the card is gone.
    """

    answers: Iterator[bytes]
    atr: bytes
    reader: str = READER
    stay: object | None = None
    sent: int = 0
    pins: int = 0
    buffers: list[bytearray] = field(default_factory=list)

    def slots(self) -> tuple[Slot, ...]:
        raise NotImplementedError

    wait = cancel = slots

    def connect(self, reader: str) -> Connection:
        assert reader == self.reader
        return self

    def transmit(self, command: bytes | bytearray) -> bytes:
        self.sent += 1
        assert self.sent < ENOUGH, "a card could keep the program busy for ever"
        if command[1] == 0x20 and len(command) > 5:
            self.pins += 1
            assert isinstance(command, bytearray)
            self.buffers.append(command)
        try:
            return next(self.answers)
        except StopIteration:
            raise CardRemoved(READER) from None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def close(self) -> None:
        """Nothing to release."""


def answers_of(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 2], "big")
        yield data[position + 2 : position + 2 + size]
        position += 2 + size


def tape_of(answers: list[bytes]) -> bytes:
    return b"".join(len(answer).to_bytes(2, "big") + answer for answer in answers)


# The virtual card's: with extended length, and without (ISO 7816-4 §12.1.1.9).
ATRS = tuple(
    map(
        bytes.fromhex,
        ("3b8d8131fe458073b421c067484341544553541b", "3b8d8131fe458073b4218067484341544553545b"),
    )
)


def session(tape: Tape) -> None:
    """A binding's whole talk with a card. Raises CardError."""
    card = open_card(tape, READER)
    tries = card.tries_left()
    pin = Pin()
    for byte in PIN:
        pin.append(byte)
    signature = card.sign(pin, MESSAGE, tries)
    signing_key(card.certificate.der).signature(signature.value, MESSAGE)


def _talk(atr: bytes, data: bytes) -> None:
    tape = Tape(answers_of(data), atr)
    try:
        with explained():
            session(tape)
    finally:
        assert tape.pins <= 1, "a PIN was sent twice"
        assert not any(map(any, tape.buffers)), "a PIN was left in its command"


PKCS15: dict[int, Callable[[bytes], object]] = {
    ord("D"): objects.directory,
    ord("T"): objects.token_info,
    ord("A"): objects.pins,
    ord("K"): objects.private_keys,
    ord("C"): objects.certificates,
    ord("E"): application._applications,
    ord("W"): application._whole_certificate,
}
PIV: dict[int, Callable[[bytes], object]] = {
    ord("D"): piv.primary_pin,
    ord("C"): piv.certificate_in,
}


def _card(parsers: Mapping[int, Callable[[bytes], object]], data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    if kind in (b"0", b"1"):
        _talk(ATRS[int(kind)], rest)
    elif kind and kind[0] in parsers:
        with explained():
            parsers[kind[0]](rest)


def _anchors() -> tuple[x509.Certificate, ...]:
    return tuple(x509.load_pem_x509_certificates((HERE / "anchors.pem").read_bytes()))


def _certificate(anchors: tuple[x509.Certificate, ...], data: bytes) -> None:
    if data.startswith(b"-----"):
        with explained():
            trust.anchors_in(data)
        return
    with explained():
        signing_key(data)
    with explained():
        holder = certificate.read(data)
        with explained():
            certificate.check(holder, NOW)
        with explained():
            trust.chain(holder, (), NOW)
        with explained():
            trust.chain(holder, anchors, NOW)
        issuing, *roots = anchors
        trust.chain(holder, roots, NOW, (data, issuing.public_bytes(Encoding.DER)))


# --- the service ---------------------------------------------------------------------------------


def _token(expected: Expectation, data: bytes) -> None:
    with explained():
        read = token.parse(data)
        assert token.parse(token.build(read)) == read
    with explained():
        validate(data, "A" * 44, expected, NOW)


KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))  # signs what the fuzzer makes up
PINNED = {manifest.key_name(public := KEY.public_key().public_bytes_raw()): public}


def _manifest(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    if kind == b"S":  # the signature's file, over nothing in particular
        content, signatures = b"", rest
    elif kind == b"K":  # the keys of the settings
        with explained():
            manifest.pinned(rest.decode(errors="replace").split("\n"))
        return
    else:
        content = rest
        signatures = b" ".join(
            (manifest.key_name(public).encode(), b64encode(KEY.sign(content)), b"\n")
        )
    with explained():
        opened = manifest.open_manifest(
            content,
            signatures,
            PINNED,
            service=ORIGIN if kind == b"1" else None,
            base=f"{ORIGIN}{manifest.PATH}" if kind == b"1" else "",
        )
        with explained():
            manifest.check_age(opened, NOW)
        opened.for_platform(manifest.Platform("linux", "x86_64", frozenset({"debian"})))


STATUSES = (400, 401, 403, 404, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504, 200, 302)
TYPES = ("application/problem+json", "application/json", "text/html", "")


def _problem(data: bytes) -> None:
    """First byte: the status (four bits), the media type (two), whether Retry-After is there."""
    kind = data[0] if data else 0
    after = 7 if kind & 0x40 else None
    answer = Answer(STATUSES[kind & 15], TYPES[kind >> 4 & 3], data[1:], after)
    error = from_answer(answer)
    error.facts()
    catalogue.entry(error.code)


ANSWERS: dict[bytes, Callable[[Answer], object]] = {
    b"V": lambda answer: _decode(answer, wire.Versioned, lambda versioned: versioned.version),
    b"D": lambda answer: _decode(answer, wire.Description, wire.description),
    b"C": lambda answer: _decode(answer, wire.Challenge, wire.challenge),
    b"P": lambda answer: _decode(answer, wire.Verification, wire.verification),
    b"S": lambda answer: _decode(answer, wire.Session, wire.session),
    b"R": lambda answer: _decode(answer, wire.Receipt, wire.receipt),
}


def _answer(data: bytes) -> None:
    decode = ANSWERS.get(data[:1])
    if decode is not None:
        with explained():
            decode(Answer(200, "application/json", data[1:], None))


# --- what the authority says of a certificate ----------------------------------------------------


def _nobody(address: Address, _: str) -> datetime:
    raise ResponderUnavailable(address.host)


def _places(issuer: x509.Certificate, data: bytes) -> None:
    """Whom a card's certificate would have asked."""
    with explained():
        leaf = x509.load_der_x509_certificate(certificate.read(data).der)
        with explained():
            _issuer(leaf, (issuer,))
        for places in (ocsp.places(leaf), crl.places(leaf)):
            with explained():
                _first_answer(places, _nobody)


def judges() -> dict[bytes, Callable[[bytes], datetime]]:
    """Answers and lists as they come, and what the authority, or its responder, signed of them."""
    issuer, leaf, _ = certificates()
    asked, host = ocsp.request(leaf, issuer, NONCE), "ca.invalid"
    by_responder = partial(appointed, good())

    def by_ocsp(data: bytes) -> datetime:
        return ocsp.judge(data, asked, issuer, NOW, host)

    def by_list(data: bytes) -> datetime:
        return crl.judge(data, leaf, issuer, NOW, host)

    return {
        b"O": by_ocsp,
        b"R": lambda content: by_ocsp(answer(content)),
        b"D": lambda content: by_ocsp(by_responder(content)),
        b"L": by_list,
        b"E": lambda content: by_list(signed(content)),
    }


def _revocation(
    issuer: x509.Certificate, judges: Mapping[bytes, Callable[[bytes], datetime]], data: bytes
) -> None:
    kind, rest = data[:1], data[1:]
    if kind == b"C":
        _places(issuer, rest)
    elif kind in judges:
        with explained():
            assert judges[kind](rest) >= NOW - SKEW, "it does not hold any more"


# --- support -------------------------------------------------------------------------------------


def _support_code(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")  # as the command line gives it
    with suppress(support_code.SupportCodeInvalid):
        facts = support_code.decode(text)
        assert support_code.decode(support_code.encode(facts)) == facts
        catalogue.entry(facts.code)


TAGS = (b"\x30\x82", b"\x30\x80", b"\xa1", b"\x04\x02\x3f\x00", b"\x5f\x2f", b"\x7f\x49", b"\xff")
WORDS = (b"\x90\x00", b"\x61\xff", b"\x6c\x10", b"\x63\xc1", b"\x69\x83", b"\x6a\x82", b"\x62\x82")
TIMES = (b"\x18\x0f99991231235959Z", b"\x18\x0f00010101000000Z", b"\x17\x0d491231235959Z")
MEMBERS = (
    b"code fields retry_after title status id nonce purpose account expires holder category card"
    b" bound token bound_card name version origin time categories algorithms account_form zh-Hant"
    b" en kind required pattern hint max_length choices value label"
)
VALUES = (b"null", b"[]", b"{}", b"\\u0000", b"1e999", b'"0001-01-01T00:00:00+14:00"')
JSON = (*(b'"%s"' % word for word in MEMBERS.split()), *VALUES)
COMPONENTS = tuple(
    b'"%s"' % word
    for word in (
        b"hca-bind-components type format service serial issued expires components part licence"
        b" platform system machine distributions install how packages minimum cards usb file"
        b" address size sha256 apt deb module linux any"
    ).split()
)


def targets() -> dict[str, Target]:
    """Every target by its name."""
    anchors = _anchors()
    expected = Expectation(ORIGIN, anchors)
    all_of_them = (
        Target("tlv", _tlv, 4096, TAGS),
        Target("pkcs15", partial(_card, PKCS15), 8192, TAGS + WORDS),
        Target("piv", partial(_card, PIV), 8192, TAGS + WORDS),
        Target("certificate", partial(_certificate, anchors), 4096, TAGS),
        Target("revocation", partial(_revocation, certificates()[0], judges()), 4096, TAGS + TIMES),
        Target("token", partial(_token, expected), 10_100, VALUES),
        Target("manifest", _manifest, 4096, JSON + COMPONENTS),
        Target("problem", _problem, 1024, JSON),
        Target("answer", _answer, 4096, JSON),
        Target("support-code", _support_code, 64, (b"-", b"\xef\xbc\x90", b"\xe2\x80\x94")),
    )
    return {target.name: target for target in all_of_them}
