"""What this machine has, what it lacks, and how that is had: cards, components and installation."""

from __future__ import annotations

import platform
import shutil
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from card import components
from card.components import Finding, Machine, Part, State
from card.errors import CardError, DriverUnknown
from card.pkcs11.modules import Module, find
from card.recognition import Kind
from client.components.manifest import Component, How, Platform
from client.errors import ClientCancelled, ClientError, ComponentKeyUnset
from client.port import Label
from screens.jobs import Listing
from screens.offers import Offer, Plan, Transfer
from tui import installation
from tui.errors import InstallDenied
from tui.installation import Places, Rights

if TYPE_CHECKING:
    from card.port import Readers, Slot
    from client.components.manifest import Manifest
    from client.components.progress import Progress
    from client.components.supply import Supply

SYSTEMS = {"win32": "windows", "darwin": "macos"}
# What Debian and Ubuntu bring themselves, for when no list is to be had.
PACKAGES = {
    Part.LIBRARY: ("libpcsclite1", Label("讀卡程式庫", "card reader library")),
    Part.SERVICE: ("pcscd", Label("智慧卡服務", "smart card service")),
    Part.DRIVER: ("libccid", Label("讀卡機驅動程式", "card reader driver")),
}


def this_platform(machine: Machine) -> Platform:
    """The present system as a component list names it (os-release(5) for the distribution)."""
    system = SYSTEMS.get(machine.system, "linux")
    ids: frozenset[str] = frozenset()
    if system == "linux":
        try:
            release = platform.freedesktop_os_release()
        except OSError:
            release = {}
        ids = frozenset([release.get("ID", ""), *release.get("ID_LIKE", "").split()]) - {""}
    return Platform(system, machine.architecture, ids)


@dataclass
class Equipment:
    """Implements `screens.jobs.Equipment`. Everything blocks, except `cancel`.

    `supply` is None where neither a key is pinned nor a folder given. `families` are card
    families beyond those that the inserted cards name. `modules` finds those that are known here
    or have one of the names; `look` judges them; the demo has its own look, and own parts.
    """

    readers: Callable[[], Readers]
    work: Path  # for logs of installations
    supply: Supply | None = None
    rights: Rights = Rights.NONE
    places: Places = field(default_factory=Places)
    machine: Machine = field(default_factory=Machine)
    families: Collection[str] = ()
    modules: Callable[[Collection[str]], Collection[Module]] = lambda names: find((), names=names)
    look: Callable[[Machine, Collection[str], Collection[Module]], Finding] = components.module
    parts: Callable[[], Iterable[Finding]] | None = None  # None: those of the machine
    _stop: threading.Event = field(default_factory=threading.Event, init=False)

    def findings(self) -> Iterable[Finding]:
        """The parts that every card needs, one after the other."""
        if self.parts is not None:
            yield from self.parts()
            return
        yield components.library(self.machine)
        yield components.service(self.machine, lambda: self.readers().slots())
        yield components.driver(self.machine, [slot.reader for slot in self._slots()])

    def listing(self, found: Collection[Finding], needs_module: bool) -> Listing:
        """The findings with what the list says of versions and modules, and what is to be had.

        A list that cannot be had or trusted is the listing's `error`: what the system itself
        offers and what is known of modules still count. Raises ClientCancelled.
        """
        manifest, trouble = self._manifest()
        here = this_platform(self.machine)
        listed = manifest.for_platform(here) if manifest else ()
        wanted = self._wanted(needs_module)
        modules = [each for each in listed if each.part == Part.MODULE and each.cards & wanted]
        findings = [_aged(each, listed) for each in found]
        names = components.module_names(
            [family for family in Kind if family.value in wanted],
            [each.file.name for each in modules if each.file],
        )
        if names or needs_module or self.families:
            lower = {name.lower() for name in names}
            fitting = [
                each
                for each in self.modules(names)
                if each.cards & wanted or each.path.name.lower() in lower
            ]
            findings.append(_aged(self.look(self.machine, names, fitting), modules))
        lacking = [
            each
            for each in findings
            if each.state not in {State.PRESENT, State.KEPT}
            # an installed service that does not answer is started, not installed once more
            and (each.part, each.state) != (Part.SERVICE, State.BROKEN)
        ]
        offered = {
            chosen.id: chosen for each in lacking if (chosen := _chosen(each, listed, wanted))
        }
        if self.supply is None and len(offered) < len(lacking):
            trouble = ComponentKeyUnset()
        return Listing(
            findings=tuple(findings),
            offers=tuple(Offer(each) for each in offered.values()),
            evidence="" if manifest is None else f"{manifest.serial}, {manifest.expires:%Y-%m-%d}",
            needs_module=needs_module or bool(self.families),
            error=trouble,
        )

    def fetch(self, offer: Offer, report: Callable[[Transfer], None]) -> Plan:
        """Fetch the offer's file; the plan for it. Raises as `Supply.fetch`."""
        component = offer.component
        self._stop = threading.Event()
        file = self._file(component, lambda at: report(_transfer(at)), self._stop)
        granted = installation.own_rights(component.how, self.rights)
        return Plan(
            offer=offer,
            commands=tuple(
                installation.typed(command, granted)
                for command in installation.commands(component, file, self.places)
            ),
            runs=granted is not Rights.NONE,
            asks=installation.asks(granted),
        )

    def install(self, plan: Plan) -> None:
        """Run the plan, on the file as it is now: its hash is computed once more.

        Raises InstallFailed, InstallDenied, and as `fetch`.
        """
        if not plan.runs:
            raise InstallDenied
        component = plan.offer.component
        self._stop = threading.Event()
        file = self._file(component, lambda at: None, self._stop)  # noqa: ARG005
        commands = installation.commands(component, file, self.places)
        granted = installation.own_rights(component.how, self.rights)
        installation.run(commands, granted, self.work / "installation.log")

    def cancel(self) -> None:
        """Make a download under way raise ClientCancelled; what it has is kept."""
        self._stop.set()
        if self.supply is not None:
            self.supply.cancel()

    def _manifest(self) -> tuple[Manifest | None, ClientError | None]:
        if self.supply is None:
            return None, None
        self._stop = threading.Event()
        try:
            return self.supply.manifest(self._stop), None
        except ClientCancelled:
            raise
        except ClientError as error:
            return None, error

    def _file(
        self, component: Component, report: Callable[[Progress], None], stop: threading.Event
    ) -> Path | None:
        if component.file is None or self.supply is None:
            return None
        return self.supply.fetch(component.file, report, stop)

    def _slots(self) -> tuple[Slot, ...]:
        try:
            return self.readers().slots()
        except CardError:
            return ()

    def _wanted(self, needs_module: bool) -> frozenset[str]:
        """The card families whose own module is wanted: of cards that lie here, or were met."""
        seen = components.families([slot.atr for slot in self._slots()])
        met = frozenset([Kind.HPC] if needs_module else [])
        own = [family.value for family in components.MODULES if family in seen | met]
        return frozenset([*self.families, *own])


def _aged(finding: Finding, listed: Collection[Component]) -> Finding:
    for each in listed:
        if each.part == finding.part and each.minimum:
            finding = components.aged(finding, each.minimum)
    return finding


def _chosen(
    finding: Finding, listed: Collection[Component], wanted: frozenset[str]
) -> Component | None:
    """The newest component on the list that cures the finding, else a package of the system."""
    usb = finding.error.usb if isinstance(finding.error, DriverUnknown) else None
    fitting = [
        each
        for each in listed
        if each.part == finding.part
        and (finding.part is not Part.MODULE or each.cards & wanted)
        and (usb is None or not each.usb or usb in each.usb)
    ]
    if fitting:
        return max(fitting, key=lambda each: [int(part) for part in each.version.split(".")])
    absent = finding.state in {State.MISSING, State.OLD} and usb is None
    if finding.part in PACKAGES and absent and shutil.which("apt-get"):
        package, name = PACKAGES[finding.part]
        everywhere = Platform("linux", "any")
        return Component(
            package, finding.part, name, "", "", "", everywhere, How.APT, packages=(package,)
        )
    return None


def _transfer(at: Progress) -> Transfer:
    return Transfer(at.done, at.total, at.speed, at.left)
