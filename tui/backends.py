"""The real parts: readers through PC/SC, the service through HTTPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from card.port import Readers, Tracer
    from client.port import Service
    from tui.settings import Settings


class RealBackends:
    """What `hca-bind` works with in earnest."""

    def __init__(self, settings: Settings, tracer: Tracer | None = None) -> None:
        self._settings = settings
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

        if self._settings.service is None:
            raise ServiceUnset
        return HttpsService(self._settings.service, ca_file=self._settings.ca)

    def library(self) -> str:
        from card.components import library

        return library()

    def driver(self) -> str:
        from card.components import reader_driver

        return reader_driver()
