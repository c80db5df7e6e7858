"""The real parts: readers through PC/SC, the service through HTTPS."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

    from card.components import Finding
    from card.pkcs11.modules import Module
    from card.port import PadUse, Readers, Tracer
    from client.components.supply import Supply
    from client.port import Service
    from client.revocation.check import RevocationCheck
    from screens.findings import ServiceChoice
    from screens.jobs import Outcome
    from screens.troubleshooting.support_code import Attachment
    from screens.wizard import Check
    from tui.check_process import CheckProcess
    from tui.equipment import Equipment


@dataclass(frozen=True)
class SupplyOptions:
    """The command line's folder of components, and keys to pin in place of the settings'."""

    folder: Path | None = None
    keys: tuple[str, ...] = ()
    install: bool = True  # False: nothing is ever installed from here, whatever the settings say


class RealBackends:
    """What `hca-bind` works with in earnest."""

    def __init__(
        self,
        service: str | None = None,
        ca: Path | None = None,
        tracer: Tracer | None = None,
        supply: SupplyOptions | None = None,
        pads: PadUse | None = None,
        *,
        anchors: tuple[Path, ...] | None = None,
    ) -> None:
        """`service`, `ca` and `pads` are the command line's; None comes from the settings."""
        self._given = (service, ca)
        self._pads = pads
        self._anchors = anchors
        self._supply = supply or SupplyOptions()
        self._readers: Readers | None = None
        self._revocation: RevocationCheck | None = None
        self._equipment: Equipment | None = None
        self._checking: CheckProcess | None = None
        self.tracer = tracer

    def readers(self) -> Readers:
        if self._readers is None:
            from card.pcsc import PcscReaders

            self._readers = PcscReaders()
        return self._readers

    def service(self) -> Service:
        from client.errors import ServiceUnset
        from client.https import HttpsService
        from tui.settings import load

        settings = load(*self._given)
        if settings.service is None:
            raise ServiceUnset
        return HttpsService(settings.service, ca_file=settings.ca)

    def anchors(self) -> tuple[x509.Certificate, ...]:
        from card.errors import CertificateMalformed
        from card.trust import anchors_in
        from tui.errors import FileUnusable
        from tui.settings import load_anchors

        found: list[x509.Certificate] = []
        for path in load_anchors() if self._anchors is None else self._anchors:
            try:
                found += anchors_in(path.read_bytes())
            except (OSError, CertificateMalformed) as error:
                raise FileUnusable(str(path)) from error
        return tuple(found)

    def revocation(self) -> RevocationCheck:
        if self._revocation is None:
            from client.revocation.check import RevocationCheck

            self._revocation = RevocationCheck()
        return self._revocation

    def modules(self, names: Collection[str] = ()) -> tuple[Module, ...]:
        from card.pkcs11.modules import find
        from tui.settings import load_modules

        return find(load_modules(), names=names)

    def pads(self) -> PadUse:
        if self._pads is not None:
            return self._pads
        from tui.settings import load_pads

        return load_pads()

    def library(self) -> str:
        from card.components import Machine, library

        return _proved(library(Machine()))

    def driver(self) -> str:
        from card.components import Machine, driver

        return _proved(driver(Machine(), ()))

    def equipment(self) -> Equipment:
        if self._equipment is None:
            self._equipment = self._make_equipment()
        return self._equipment

    def check(
        self,
        service: Callable[[], Service],  # noqa: ARG002 - the process makes its own
        report: Callable[[Check], None],
        needs_module: bool,
    ) -> Outcome:
        from tui.check_process import CheckProcess, Request

        self._checking = CheckProcess()
        return self._checking.run(Request(*self._given, self._supply, needs_module), report)

    def cancel_check(self) -> None:
        if self._checking is not None:
            self._checking.cancel()

    def apart(self) -> RealBackends:
        return RealBackends(
            *self._given, self.tracer, self._supply, self._pads, anchors=self._anchors
        )

    def socket(self) -> Path | None:
        from card.pcsc_daemon import socket_path

        return socket_path()

    def attachment(self, readers: Collection[str]) -> Attachment:
        from card.attachment import way
        from screens.troubleshooting.support_code import Attachment

        return Attachment(way(readers).value)

    def choice(self) -> ServiceChoice:
        from screens.findings import ServiceChoice
        from tui.settings import load

        settings = load(*self._given)
        return ServiceChoice(settings.service, settings.ca is not None)

    def _make_equipment(self) -> Equipment:
        import platformdirs

        from tui import installation
        from tui.equipment import Equipment
        from tui.settings import load_components

        stored = load_components()
        return Equipment(
            readers=self.readers,
            work=platformdirs.user_state_path("hca-bind"),
            modules=self.modules,
            supply=self._make_supply(self._supply.keys or stored.keys),
            rights=installation.rights(os.environ, allowed=stored.install and self._supply.install),
        )

    def _make_supply(self, keys: tuple[str, ...]) -> Supply | None:
        import platformdirs

        from client.address import parse_address
        from client.components.source import FolderSource, ServiceSource
        from client.components.supply import Supply
        from tui.settings import load

        settings = load(*self._given)
        origin = parse_address(settings.service).origin if settings.service else None
        source: FolderSource | ServiceSource
        if self._supply.folder is not None:
            source = FolderSource(self._supply.folder)
        elif origin is not None and keys:
            source = ServiceSource(origin, settings.ca)
        else:
            return None
        return Supply(
            source,
            keys=keys,
            service=origin,
            cache=platformdirs.user_cache_path("hca-bind") / "components",
            state=platformdirs.user_state_path("hca-bind"),
        )


def _proved(finding: Finding) -> str:
    """Name and version of a part. Raises CardError where it is not usable."""
    if finding.error is not None:
        raise finding.error
    return " ".join(filter(None, (finding.detail, finding.version)))
