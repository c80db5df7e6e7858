"""The demo's equipment: a component to practise on, installed into the demo's own folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from card.components import Finding, Machine, Part, State
from card.errors import CardError, CardModuleMissing
from client.errors import ClientError
from tui.equipment import Equipment
from tui.installation import Places, Rights

if TYPE_CHECKING:
    from card.pkcs11.modules import Module
    from client.components.supply import Supply
    from tui.demo import DemoBackends
    from tui.scenarios import Scenario

FAMILY = "PRACTICE"  # of the component that the sandbox offers
VIRTUAL = "card.virtual"


def practice_equipment(backends: DemoBackends, scenario: Scenario) -> Equipment:
    """Real downloads from the demo's service; the machine it looks at is the demo's folder."""
    places = Places(backends.folder / "modules", backends.folder / "registry")

    def parts() -> Iterable[Finding]:
        looks: tuple[tuple[Part, Callable[[], object]], ...] = (
            (Part.LIBRARY, backends.library),
            (Part.SERVICE, lambda: backends.readers().slots()),
            (Part.DRIVER, backends.driver),
        )
        for part, look in looks:
            try:
                look()
            except CardError as error:
                yield Finding(part, State.BROKEN, error=error)
            else:
                yield Finding(part, State.PRESENT, detail=VIRTUAL)

    def module(_machine: Machine, names: Collection[str], _modules: Collection[Module]) -> Finding:
        """In its place and registered; it is no program, so it is not loaded."""
        lines = {file.read_text("utf-8") for file in places.registry.glob("*.module")}
        for name in names:
            path = places.modules / name
            if path.exists() and f"module: {path}\n" in lines:
                return Finding(Part.MODULE, State.PRESENT, str(path), detail=name)
        return Finding(Part.MODULE, State.MISSING, error=CardModuleMissing())

    return Equipment(
        readers=backends.readers,
        work=backends.folder,
        supply=_supply(backends, scenario) if scenario.missing else None,
        rights=Rights.OWN,
        places=places,
        families={FAMILY} if scenario.missing else (),
        look=module,
        parts=parts,
    )


def _supply(backends: DemoBackends, scenario: Scenario) -> Supply:
    from client.components.source import ServiceSource
    from client.components.supply import Supply

    sandbox = backends.sandbox
    supply = Supply(
        ServiceSource(sandbox.url, sandbox.ca_file),
        keys=[sandbox.shelf.public_key],
        service=sandbox.url,
        cache=backends.folder / "cache",
        state=backends.folder / "state",
    )
    if scenario.service == "manifest-replayed":
        try:
            supply.manifest(threading.Event())  # the list that was seen yesterday
        except ClientError:
            return supply
    return supply
