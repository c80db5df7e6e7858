"""The work behind the steps, without a screen: what the wizard and the line mode both run.

Everything here blocks; the wizard calls it from worker threads, the line mode directly.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from card.pin import Pin
from card.port import Card, HolderCertificate, PadUse, Readers, Slot, Tracer, no_one
from client.port import (
    Challenge,
    Service,
    ServiceDescription,
    Verification,
    idempotency_key,
    signed_message,
)
from screens.wizard import CardOnTable, Check, Component, failure_of

if TYPE_CHECKING:
    from cryptography import x509

    from card.components import Finding
    from card.desk import Desk, Place
    from card.pkcs11.modules import Module
    from card.seen import Seen
    from client.errors import ClientError
    from client.revocation.check import RevocationCheck
    from screens.findings import ServiceChoice
    from screens.offers import Offer, Plan, Transfer
    from screens.troubleshooting.support_code import Attachment


class Backends(Protocol):
    """Where readers and the service come from; made late, because importing them is slow."""

    def readers(self) -> Readers:
        """The readers of this machine, or the embedded ones. Raises CardError."""
        ...

    def anchors(self) -> Collection[x509.Certificate]:
        """The CAs that must have issued a card; none: the service alone judges that.

        Raises where the settings cannot be read.
        """
        ...

    def revocation(self) -> RevocationCheck:
        """The same one at each call."""
        ...

    def modules(self) -> Collection[Module]:
        """The PKCS#11 modules of this machine, each with the cards that it is for.

        Raises an error with a code where the settings cannot be read.
        """
        ...

    def pads(self) -> PadUse:
        """What is set for readers with keys of their own.

        Raises an error with a code where the settings cannot be read.
        """
        ...

    def service(self) -> Service:
        """The service this run talks to. Raises ClientError."""
        ...

    def library(self) -> str:
        """The PC/SC library's name and version. Raises PcscLibraryMissing."""
        ...

    def driver(self) -> str:
        """The reader driver's name and version. Raises DriverMissing."""
        ...

    def apart(self) -> Backends:
        """The same, to be used on another thread at the same time."""
        ...

    def socket(self) -> Path | None:
        """The PC/SC daemon's socket; None where there is none to ask."""
        ...

    def attachment(self, readers: Collection[str]) -> Attachment:
        """How the readers of these names reach this program; blocks the first time only."""
        ...

    def choice(self) -> ServiceChoice:
        """Which service this run is set to. Raises where the settings cannot be read."""
        ...

    def equipment(self) -> Equipment:
        """The same one at each call. Raises ClientError."""
        ...

    def check(
        self, service: Callable[[], Service], report: Callable[[Check], None], needs_module: bool
    ) -> Outcome:
        """As `check_components`; asks `service` where that is done in this process."""
        ...

    def cancel_check(self) -> None:
        """End a check under way; safe from any thread."""
        ...

    @property
    def tracer(self) -> Tracer | None: ...


@dataclass(frozen=True)
class Listing:
    """All findings, what can be had for those that lack something, and where that is known from.

    `evidence` is the list's serial and last day, empty without a list; `error` says why there is
    none, where one would help. `needs_module`: the card surely needs its own module.
    """

    findings: tuple[Finding, ...]
    offers: tuple[Offer, ...]
    evidence: str
    needs_module: bool
    error: ClientError | None = None


class Equipment(Protocol):
    """What this machine has for cards, and how it gets what it lacks."""

    def findings(self) -> Iterable[Finding]:
        """The parts that every card needs, each as soon as it is known."""
        ...

    def listing(self, found: Collection[Finding], needs_module: bool) -> Listing:
        """What the service's component list adds to that. Raises ClientCancelled."""
        ...

    def fetch(self, offer: Offer, report: Callable[[Transfer], None]) -> Plan:
        """Download and verify; what would be run then. Raises ClientError."""
        ...

    def install(self, plan: Plan) -> None:
        """Run the plan. Raises InstallFailed, InstallDenied, ClientError."""
        ...

    def cancel(self) -> None:
        """End a download under way; safe from any thread."""
        ...


def attempt(component: Component, look: Callable[[], str], *, warning: bool = False) -> Check:
    """Run one check; an error becomes its outcome, so the list always completes."""
    try:
        return Check(component, look())
    except Exception as error:  # noqa: BLE001 - a defect too is one row, not the end of the list
        return Check(component, failure=failure_of(error), warning=warning)


# The rows of the check, the service's description (None when the service did not answer), and what
# can be had for the rows that lack something.
Outcome: TypeAlias = "tuple[tuple[Check, ...], ServiceDescription | None, tuple[Offer, ...]]"


def check_components(
    equipment: Equipment,
    service: Callable[[], Service],
    report: Callable[[Check], None],
    needs_module: bool = False,
) -> Outcome:
    """Check what a binding needs, reporting each row as it is known.

    `needs_module`: a card was met that only its own module can reach, so the lack of it is more
    than a note.
    """
    described: list[ServiceDescription] = []

    def reporting() -> str:
        described.append(service().describe())
        return service().origin

    rows: list[Check] = []

    def told(row: Check) -> None:
        rows.append(row)
        report(row)

    found: list[Finding] = []
    for finding in equipment.findings():
        found.append(finding)
        told(row_of(finding))
    told(attempt(Component.CRYPTO, _crypto))
    told(attempt(Component.REPORTING, reporting))
    listing = equipment.listing(found, needs_module)
    known = [row_of(finding, listing.needs_module) for finding in listing.findings]
    rest = [row for row in rows if row.component not in {row.component for row in known}]
    rows = [*known, *rest]
    if listing.error is not None:
        lacking = any(row.failure is not None and not row.warning for row in known)
        rows.append(Check(Component.LIST, "", failure_of(listing.error), warning=not lacking))
    elif listing.evidence:
        rows.append(Check(Component.LIST, listing.evidence))
    rows.sort(key=lambda row: [*Component].index(row.component))
    return tuple(rows), described[0] if described else None, listing.offers


COMPONENTS = {
    "library": Component.LIBRARY,
    "service": Component.SERVICE,
    "driver": Component.DRIVER,
    "module": Component.MODULE,
}


def row_of(finding: Finding, needs_module: bool = False) -> Check:
    """One line of the check; a card's own module is a note until a card has asked for it."""
    component = COMPONENTS[finding.part]
    if finding.error is not None:
        note = component is Component.MODULE and not needs_module
        return Check(component, finding.path, failure_of(finding.error), warning=note)
    words = (finding.detail, finding.version, finding.path)
    return Check(component, " ".join(filter(None, words)))


def _crypto() -> str:
    import cryptography

    return f"cryptography {cryptography.__version__}"


def open_card(
    backends: Backends, reader: str, service: ServiceDescription | None, seen: Seen | None = None
) -> Card:
    """Open and check the card in `reader`, of the categories that the service accepts."""
    return _opened(backends, reader, accepted_by(service), seen)


def look(
    backends: Backends,
    desk: Desk,
    slots: Iterable[Slot],
    accepted: Collection[str] | None,
    seen: Seen | None = None,
) -> tuple[Place, ...]:
    """Whose card of which kind lies in each reader; the usable ones stay open on the desk."""
    return desk.look(slots, lambda reader: _opened(backends, reader, None, seen), accepted)


def _opened(
    backends: Backends, reader: str, accepted: Collection[str] | None, seen: Seen | None
) -> Card:
    from card.opening import open_card

    return open_card(
        backends.readers(),
        reader,
        accepted=accepted,
        tracer=backends.tracer,
        modules=backends.modules,
        seen=seen,
        anchors=backends.anchors(),
        pads=backends.pads(),
    )


def accepted_by(service: ServiceDescription | None) -> set[str] | None:
    """The categories of cards that the service takes; None while it is not known."""
    return {offer.id for offer in service.categories} if service is not None else None


def refuse_revoked(
    backends: Backends, certificate: HolderCertificate, service: ServiceDescription | None
) -> None:
    """Look the certificate up, in the way that the service wants; nobody is asked where it wants
    none, or where an earlier answer still holds. Raises RevocationError, ClientCancelled.
    """
    if service is not None and service.wants_look_up:
        from card.trust import authorities

        issuers = authorities(certificate, backends.anchors())
        backends.revocation().run(certificate.der, issuers, service.revocation)


def on_table(card: Card) -> CardOnTable:
    """What the opened card told; its tries are read when the PIN is about to be asked for."""
    return CardOnTable(
        card.reader,
        card.label,
        card.certificate,
        card.pin_rules,
        card.via,
        tries_left=None,
        pad=card.pin_pad,
    )


def prove(
    card: Card,
    service: Service,
    challenge: Challenge,
    pin: Pin | None,
    tries_shown: int | None,
    *,
    entered: Callable[[], None] = no_one,
) -> Verification:
    """One VERIFY, one signature, one verification; the PIN is wiped whatever happens.

    No `pin`: it is entered on the reader's keys, and `entered` is called once the card took it.
    The message names this program's own idea of the origin, so a service in the middle gets a
    token that is worth nothing elsewhere. Raises PinError, PadError, CardError, ClientError.
    """
    try:
        message = signed_message(service.origin, challenge.nonce)
        signature = card.sign(pin, message, tries_shown, entered)
    finally:
        if pin is not None:
            pin.wipe()
    return service.verify(
        challenge,
        card.certificate.der,
        signature.algorithm,
        signature.value,
        idempotency_key(),
    )
