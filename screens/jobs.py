"""The work behind the steps, without a screen: what the wizard and the line mode both run.

Everything here blocks; the wizard calls it from worker threads, the line mode directly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from card.errors import CardError
from card.pin import Pin
from card.port import Card, Readers, Tracer
from client.port import (
    Challenge,
    Service,
    ServiceDescription,
    Verification,
    idempotency_key,
    signed_message,
)
from screens.wizard import CardOnTable, Check, Component, failure_of


class Backends(Protocol):
    """Where readers and the service come from; made late, because importing them is slow."""

    def readers(self) -> Readers:
        """The readers of this machine, or the embedded ones. Raises CardError."""
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

    @property
    def tracer(self) -> Tracer | None: ...


def attempt(component: Component, look: Callable[[], str], *, warning: bool = False) -> Check:
    """Run one check; an error becomes its outcome, so the list always completes."""
    try:
        return Check(component, look())
    except Exception as error:  # noqa: BLE001 - a defect too is one row, not the end of the list
        return Check(component, failure=failure_of(error), warning=warning)


def check_components(
    backends: Backends, service: Callable[[], Service], report: Callable[[Check], None]
) -> tuple[tuple[Check, ...], ServiceDescription | None]:
    """Check what a binding needs, reporting each row as it is known.

    Returns the rows and the service's description, None when the service did not answer.
    """
    described: list[ServiceDescription] = []

    def reporting() -> str:
        described.append(service().describe())
        return service().origin

    rows: list[Check] = []
    for component, look, warning in (
        (Component.LIBRARY, backends.library, False),
        (Component.SERVICE, lambda: _pcsc(backends), False),
        (Component.DRIVER, lambda: _driver(backends), False),
        (Component.CRYPTO, _crypto, False),
        (Component.REPORTING, reporting, False),
    ):
        row = attempt(component, look, warning=warning)
        rows.append(row)
        report(row)
    return tuple(rows), described[0] if described else None


def _pcsc(backends: Backends) -> str:
    backends.readers().slots()
    return ""


def _driver(backends: Backends) -> str:
    """A reader that is listed has its driver, wherever it is; without one look on this machine."""
    try:
        slots = backends.readers().slots()
    except CardError:
        slots = ()
    return slots[0].reader if slots else backends.driver()


def _crypto() -> str:
    import cryptography

    return f"cryptography {cryptography.__version__}"


def open_card(backends: Backends, reader: str, service: ServiceDescription | None) -> Card:
    """Open and check the card in `reader`, of the categories that the service accepts."""
    from card.opening import open_card as opened

    accepted = {offer.id for offer in service.categories} if service is not None else None
    return opened(backends.readers(), reader, accepted=accepted, tracer=backends.tracer)


def on_table(card: Card) -> CardOnTable:
    """What the opened card told; its tries are read when the PIN is about to be asked for."""
    return CardOnTable(card.reader, card.label, card.certificate, card.pin_rules, tries_left=None)


def prove(
    card: Card, service: Service, challenge: Challenge, pin: Pin, tries_shown: int | None
) -> Verification:
    """One VERIFY, one signature, one verification; the PIN is wiped whatever happens.

    The message names this program's own idea of the origin, so a service in the middle gets a
    token that is worth nothing elsewhere. Raises PinError, CardError, ClientError.
    """
    try:
        message = signed_message(service.origin, challenge.nonce)
        signature = card.sign(pin, message, tries_shown)
    finally:
        pin.wipe()
    return service.verify(
        challenge,
        card.certificate.der,
        signature.algorithm,
        signature.value,
        idempotency_key(),
    )
