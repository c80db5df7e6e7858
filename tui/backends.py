"""The real parts: readers through PC/SC, the service through HTTPS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from card.port import Readers, Tracer
    from client.port import Service


class RealBackends:
    """What `hca-bind` works with in earnest."""

    def __init__(
        self, service: str | None = None, ca: Path | None = None, tracer: Tracer | None = None
    ) -> None:
        """`service` and `ca` are the command line's; what is None comes from the settings."""
        self._given = (service, ca)
        self._readers: Readers | None = None
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

    def library(self) -> str:
        from card.components import library

        return library()

    def driver(self) -> str:
        from card.components import reader_driver

        return reader_driver()
