"""The embedded card and the embedded service: the whole procedure on one machine, for real."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from client.port import Revocation
from tui.scenarios import Entry, Scenario

if TYPE_CHECKING:
    from cryptography import x509

    from card.pkcs11.modules import Module
    from card.port import PadUse, Readers, Tracer
    from card.virtual.authority import Authority
    from card.virtual.card import VirtualCard
    from card.virtual.pad import VirtualPad
    from card.virtual.readers import EmbeddedReaders
    from client.port import Service
    from client.revocation.check import RevocationCheck
    from client.sandbox.responder import Responder
    from client.sandbox.server import Sandbox
    from screens.findings import ServiceChoice
    from screens.jobs import Outcome
    from screens.troubleshooting.support_code import Attachment
    from screens.wizard import Check
    from tui.equipment import Equipment

AT_THE_KEYS = 5.0  # seconds that the invented person takes on the reader's keys
ACCOUNT = "demo-nurse"
PASSWORD = "Demo-password-1"  # noqa: S105 - of an account that ends with the demo


class DemoBackends:
    """Virtual cards in this process and the sandbox over TLS on a free port of this machine.

    Everything is made at its first use, on whichever worker thread that is, and lives in a
    temporary folder that `close` removes.
    """

    def __init__(self, scenario: Scenario, tracer: Tracer | None = None) -> None:
        self._scenario = scenario
        self._lock = threading.RLock()
        self._folder: Path | None = None
        self._sandbox: Sandbox | None = None
        self._responder: Responder | None = None
        self._readers: EmbeddedReaders | None = None
        self._revocation: RevocationCheck | None = None
        self._equipment: Equipment | None = None
        self.cards: list[VirtualCard] = []
        self.tracer = tracer

    @property
    def folder(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="hca-bind-demo-"))
            return self._folder

    @property
    def embedded(self) -> EmbeddedReaders:
        """The readers, to plug and pull in a demo or a test."""
        with self._lock:
            if self._readers is None:
                self._readers = self._make_readers()
            return self._readers

    @property
    def sandbox(self) -> Sandbox:
        """The running service."""
        with self._lock:
            if self._sandbox is None:
                self._sandbox = self._start_sandbox()
            return self._sandbox

    @property
    def responder(self) -> Responder:
        """The CA's own word on its certificates; where the service wants it asked."""
        with self._lock:
            if self._responder is None:
                from card.virtual.authority import FILE
                from client.sandbox.responder import Desk, Responder

                faults = self.sandbox.faults  # with the sandbox, the CA's files are there
                desk = Desk.open(self.folder / "authority" / FILE, faults)
                self._responder = Responder(desk)
            return self._responder

    @property
    def authority(self) -> Authority:
        """The CA of the demo's cards."""
        from card.virtual.authority import Authority

        wanted = self._scenario.revocation is not Revocation.NONE
        responder = self.responder.url if wanted else None
        return Authority.load_or_create(self.folder / "authority", responder)

    def readers(self) -> Readers:
        return self.embedded

    def service(self) -> Service:
        from client.https import HttpsService

        return HttpsService(self.sandbox.url, ca_file=self.sandbox.ca_file)

    def pads(self) -> PadUse:
        from card.port import PadUse

        return PadUse.PREFER

    def library(self) -> str:
        if self._scenario.pcsc is not None:
            error = self._scenario.pcsc()
            if error.code == "pcsc.library.missing":
                raise error
        return "card.virtual"

    def driver(self) -> str:
        return "card.virtual"

    def equipment(self) -> Equipment:
        with self._lock:
            if self._equipment is None:
                from tui.practice import practice_equipment

                self._equipment = practice_equipment(self, self._scenario)
            return self._equipment

    def check(
        self, service: Callable[[], Service], report: Callable[[Check], None], needs_module: bool
    ) -> Outcome:
        from screens.jobs import check_components

        return check_components(self.equipment(), service, report, needs_module)

    def cancel_check(self) -> None:
        if self._equipment is not None:
            self._equipment.cancel()

    def apart(self) -> DemoBackends:
        return self

    def anchors(self) -> tuple[x509.Certificate, ...]:
        return (self.authority.issuing,)

    def revocation(self) -> RevocationCheck:
        with self._lock:
            if self._revocation is None:
                from client.revocation.check import RevocationCheck

                self._revocation = RevocationCheck()
            return self._revocation

    def modules(self) -> tuple[Module, ...]:
        return ()

    def socket(self) -> Path | None:
        return None

    def attachment(self, readers: Collection[str]) -> Attachment:  # noqa: ARG002 - none is real
        from screens.troubleshooting.support_code import Attachment

        return Attachment.EMBEDDED

    def choice(self) -> ServiceChoice:
        from screens.findings import ServiceChoice

        return ServiceChoice(self.sandbox.url, own_ca=True)

    @property
    def pin(self) -> str:
        """The PIN of the demo's cards; it is shown on the screen."""
        from card.virtual.profile import Profile

        profile = "digits" if self._scenario.pad else "ok"
        return Profile.named(profile).pin.value.decode()

    def close(self) -> None:
        """Stop the service and remove everything it stored."""
        with self._lock:
            if self._responder is not None:
                self._responder.stop()
                self._responder = None
            if self._sandbox is not None:
                self._sandbox.stop()
                self._sandbox = None
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def pad(self) -> VirtualPad | None:
        """The reader's keys, with an invented person at them."""
        from card.virtual.pad import Key, VirtualPad

        match self._scenario.pad:
            case Entry.TYPED:
                return VirtualPad(self.pin.encode(), after=AT_THE_KEYS)
            case Entry.CANCELLED:
                return VirtualPad(Key.CANCEL, after=AT_THE_KEYS)
            case Entry.TOO_LATE:
                return VirtualPad(Key.NONE, after=None)
        return None

    def _make_readers(self) -> EmbeddedReaders:
        from card.virtual.card import VirtualCard
        from card.virtual.profile import Profile
        from card.virtual.readers import EmbeddedReaders

        authority = self.authority
        readers = EmbeddedReaders()
        for name, profile in self._scenario.readers:
            readers.plug(name, self.pad())
            if profile is not None:
                card = VirtualCard(Profile.named(profile), authority)
                self.cards.append(card)
                readers.insert(name, card)
                readers.hold(name, self._scenario.held)
        if self._scenario.pcsc is not None:
            readers.fail(self._scenario.pcsc())
        return readers

    def _start_sandbox(self) -> Sandbox:
        from card.virtual.authority import Authority
        from client.sandbox.faults import Fault
        from client.sandbox.server import Sandbox

        authority = Authority.load_or_create(self.folder / "authority")
        faults = {Fault(self._scenario.service)} if self._scenario.service else set()
        sandbox = Sandbox(
            self.folder / "service",
            trusted_card_roots=[authority.chain_pem],
            faults=faults,
            revocation=self._scenario.revocation,
        )
        sandbox.start()
        sandbox.seed_account(ACCOUNT, PASSWORD.encode())
        return sandbox
