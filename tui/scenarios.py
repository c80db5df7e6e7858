"""The troubles that `hca-bind demo --scenario NAME` starts in, for training and for each remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from card.errors import CardError, PcscLibraryMissing, PcscServiceDenied, PcscServiceMissing
from client.port import Revocation
from screens.language import N_

READER = "Demo Reader 00 00"
SECOND_READER = "Demo Reader 01 00"
ONE_CARD: tuple[tuple[str, str | None], ...] = ((READER, "ok"),)


class Entry(Enum):
    """What the demo's invented person does at a reader with keys."""

    TYPED = "typed"
    CANCELLED = "cancelled"
    TOO_LATE = "too-late"


@dataclass(frozen=True)
class Scenario:
    """What lies on the demo's desk: readers with a card's profile in them, and what is wrong."""

    about: str  # message id
    readers: tuple[tuple[str, str | None], ...] = ONE_CARD
    held: bool = False
    pcsc: Callable[[], CardError] | None = None
    service: str | None = None  # a fault of the sandbox, by its name
    pad: Entry | None = None  # the readers have keys of their own
    missing: bool = False  # the card's module is not installed; with Enter it can be had
    revocation: Revocation = Revocation.NONE  # how the service wants certificates looked up


def _card(profile: str, about: str) -> Scenario:
    return Scenario(about, readers=((READER, profile),))


def _pad(entry: Entry, about: str) -> Scenario:
    return Scenario(about, readers=((READER, "digits"),), pad=entry)


def _service(fault: str, about: str) -> Scenario:
    return Scenario(about, service=fault)


def _status(
    about: str,
    *,
    profile: str = "ok",
    fault: str | None = None,
    way: Revocation = Revocation.OCSP,
) -> Scenario:
    return Scenario(about, readers=((READER, profile),), service=fault, revocation=way)


def _component(fault: str | None, about: str) -> Scenario:
    return Scenario(about, service=fault, missing=True)


SCENARIOS: dict[str, Scenario] = {
    "ok": Scenario(N_("everything works")),
    "wrong-pin-history": _card("wrong-pin-history", N_("a PIN was entered wrongly before")),
    "last-try": _card("last-try", N_("one try is left")),
    "blocked": _card("blocked", N_("the card is locked")),
    "expired": _card("expired", N_("the certificate has expired")),
    "not-yet-valid": _card("not-yet-valid", N_("the certificate is not valid yet")),
    "malformed-certificate": _card(
        "malformed-certificate", N_("a certificate that does not parse")
    ),
    "nhi-card": _card("nhi-card", N_("an NHI card (健保卡) is inserted")),
    "moica-card": _card("moica-card", N_("a citizen certificate (自然人憑證) is inserted")),
    "foreign-card": _card("foreign", N_("a card of an unknown kind is inserted")),
    "mute-card": _card("mute", N_("the card does not answer")),
    "no-card": Scenario(N_("the reader is empty"), readers=((READER, None),)),
    "no-reader": Scenario(N_("no reader is plugged in"), readers=()),
    "two-readers": Scenario(
        N_("two readers, one card"), readers=((READER, None), (SECOND_READER, "ok"))
    ),
    "two-cards": Scenario(
        N_("two readers, two cards"), readers=((READER, "nhi-card"), (SECOND_READER, "ok"))
    ),
    "pin-pad": _pad(Entry.TYPED, N_("the PIN is typed on the reader's own keys")),
    "pin-pad-cancelled": _pad(Entry.CANCELLED, N_("cancel is pressed on the reader")),
    "pin-pad-late": _pad(Entry.TOO_LATE, N_("nobody types the PIN on the reader")),
    "held": Scenario(N_("another program holds the card"), held=True),
    "no-daemon": Scenario(N_("the PC/SC service does not run"), pcsc=PcscServiceMissing),
    "denied": Scenario(N_("the PC/SC service refuses this login"), pcsc=PcscServiceDenied),
    "no-library": Scenario(N_("the card library is missing"), pcsc=PcscLibraryMissing),
    "service-down": _service("service-down", N_("the reporting system is down")),
    "service-slow": _service("service-slow", N_("the reporting system does not answer in time")),
    "service-busy": _service("service-busy", N_("the reporting system is overloaded")),
    "service-failed": _service("service-failed", N_("the reporting system has an error")),
    "service-nonsense": _service("service-nonsense", N_("the reporting system answers nonsense")),
    "service-redirect": _service("service-redirect", N_("a login page answers in its place")),
    "service-version": _service("service-version", N_("the reporting system is too new")),
    "service-origin": _service("service-origin", N_("the service names another address")),
    "clock": _service("service-clock", N_("the clocks differ")),
    "challenge-expired": _service("challenge-expired", N_("the challenge ran out")),
    "challenge-used": _service("challenge-used", N_("the challenge was used before")),
    "verification-expired": _service("verification-expired", N_("too slow after verifying")),
    "session-expired": _service("session-expired", N_("the sign-in ran out")),
    "card-revoked": _service("card-revoked", N_("the service knows the card as revoked")),
    "looked-up": _status(N_("the card's certificate is looked up before the PIN")),
    "revoked": _status(N_("the certificate was revoked"), profile="revoked"),
    "on-hold": _status(
        N_("the certificate is on hold, as a list says"), profile="on-hold", way=Revocation.CRL
    ),
    "status-down": _status(N_("nobody says whether it was revoked"), fault="status-down"),
    "status-slow": _status(N_("the same, and nobody hangs up"), fault="status-slow"),
    "status-forged": _status(N_("somebody else says that it is good"), fault="status-forged"),
    "status-stale": _status(N_("what is said of it is a week old"), fault="status-stale"),
    "component-missing": _component(None, N_("a component must be downloaded and installed")),
    "component-slow": _component("file-slow", N_("the same, over a slow network")),
    "component-break": _component("file-break", N_("the download breaks again and again")),
    "component-cut": _component("file-cut", N_("the download never gets to its end")),
    "component-gone": _component("file-missing", N_("the component's file is not there")),
    "component-size": _component("file-short", N_("the server offers a file of another size")),
    "component-other": _component("file-other", N_("the server sends another file")),
    "component-replaced": _component("file-replaced", N_("the file changes during the download")),
    "list-missing": _component("manifest-missing", N_("the service has no component list")),
    "list-tampered": _component("manifest-tampered", N_("the component list was tampered with")),
    "list-foreign": _component("manifest-foreign", N_("the component list is by someone else")),
    "list-expired": _component("manifest-expired", N_("the component list has expired")),
    "list-replayed": _component("manifest-replayed", N_("an old component list is sent again")),
    "list-malformed": _component("manifest-malformed", N_("the component list is malformed")),
}
