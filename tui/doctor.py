"""The doctor: looks at everything a binding needs, and always finishes.

Each check runs in a thread of its own for at most PATIENCE seconds; whatever it raises becomes its
finding. No check asks for a PIN or opens a card: of a card, its answer to reset is all that is
looked at. What a finding says is made of versions, numbers, reader names and addresses.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from card.errors import (
    CardAbsent,
    CardError,
    CardIsMoica,
    CardIsNhi,
    CardMute,
    NoReader,
    PcscError,
    PcscProtocolMismatch,
    ReaderHeld,
)
from card.port import Slot, SlotState
from screens.findings import Finding, Outcome, Topic
from screens.language import N_
from screens.wizard import Failure, failure_of
from tui.errors import CharacterSet, CheckTimedOut, DiskLow, LibraryMissing, TerminalUnfit

if TYPE_CHECKING:
    from client.port import ServiceDescription
    from screens.findings import ServiceChoice
    from screens.jobs import Backends
    from screens.wizard import Fact

PATIENCE = 40.0  # seconds for one check; the service's own limits are below it
PCSC_PATIENCE = 8.0  # seconds for PC/SC to list the readers
ENOUGH_SPACE = 50 * 1024 * 1024  # bytes
PACKAGE = "hca-bind"
T = TypeVar("T")
# Which finding a failed answer of the service belongs to, by its code; any other is its version's.
_STAGES = (
    ("net.tls.", Topic.TLS),
    ("net.", Topic.ADDRESS),
    ("service.clock", Topic.CLOCK),
)
_SERVICE_TOPICS = (Topic.ADDRESS, Topic.TLS, Topic.CONTRACT, Topic.CLOCK)


@dataclass(frozen=True)
class Look:
    """What a check saw; `warning` is worth knowing and no reason to stop."""

    evidence: str = ""
    values: Mapping[str, Fact] = field(default_factory=dict)
    warning: Exception | None = None


class Doctor:
    """One examination of this computer and of the service it is set to."""

    def __init__(self, backends: Backends, patience: float = PATIENCE) -> None:
        """`patience` bounds each check, in seconds."""
        self._backends = backends.apart()
        self._patience = patience
        self._answer: ServiceDescription | Exception | None = None
        self._seen: tuple[Slot, ...] | Exception | None = None
        self._arrived = datetime.now(UTC)

    def examine(self) -> Iterator[Finding]:
        """A finding for every topic, in order, as each is known. Never raises."""
        self._answer = None
        self._seen = None
        for topic in Topic:
            yield self._finding(topic)

    def _checks(self) -> Mapping[Topic, Callable[[], Look]]:
        return {
            Topic.TERMINAL: self._terminal,
            Topic.PYTHON: self._python,
            Topic.LIBRARY: self._library,
            Topic.DAEMON: self._daemon,
            Topic.PROTOCOL: self._protocol,
            Topic.PERMISSIONS: self._permissions,
            Topic.SOCKET: self._socket,
            Topic.READERS: self._readers,
            Topic.CARDS: self._cards,
            Topic.MODULES: self._modules,
            Topic.SETTINGS: self._chosen,
            Topic.ADDRESS: self._address,
            Topic.TLS: self._tls,
            Topic.CONTRACT: self._contract,
            Topic.CLOCK: self._clock,
            Topic.DISK: self._disk,
        }

    def _finding(self, topic: Topic) -> Finding:
        check = self._checks()[topic]
        start = time.perf_counter()
        outcome = _bounded(check, self._patience)
        ms = (time.perf_counter() - start) * 1000
        if isinstance(outcome, Look) and outcome.warning is None:
            return Finding(topic, Outcome.OK, outcome.evidence, outcome.values, ms=ms)
        if isinstance(outcome, Look):
            failure, grade = failure_of(outcome.warning or Exception()), Outcome.WARNING
            evidence, values = outcome.evidence, outcome.values
        else:
            failure, grade = failure_of(outcome), Outcome.FAILURE
            evidence, values = "", {}
        return Finding(topic, grade, evidence, values, failure.code, _plain(failure), ms)

    # --- this computer ----------------------------------------------------------------------------

    def _terminal(self) -> Look:
        term = _word(os.environ.get("TERM", ""))
        # Not sys.stdout: that is Textual's own while the full screen runs.
        encoding = _word(sys.__stdout__.encoding if sys.__stdout__ else "").upper()
        size = shutil.get_terminal_size()
        warning: Exception | None = None
        if encoding not in {"UTF-8", "UTF8"}:
            warning = CharacterSet(encoding)
        elif not (sys.__stdin__ and sys.__stdin__.isatty()) or term in {"", "dumb", "unknown"}:
            warning = TerminalUnfit()
        return Look(f"{term} {size.columns}x{size.lines} {encoding}".strip(), warning=warning)

    def _python(self) -> Look:
        from importlib import metadata

        found = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
        for requirement in metadata.requires(PACKAGE) or ():
            name = re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]
            try:
                found.append(f"{name} {metadata.version(name)}")
            except metadata.PackageNotFoundError as error:
                raise LibraryMissing(name) from error
        return Look(", ".join(found))

    def _disk(self) -> Look:
        free = shutil.disk_usage(Path.home()).free
        warning = DiskLow(free // 1024**2) if free < ENOUGH_SPACE else None
        return Look(N_("{free} MB free"), {"free": free // 1024**2}, warning)

    # --- readers and cards ------------------------------------------------------------------------

    def _slots(self) -> tuple[Slot, ...]:
        """The readers, asked for once: where PC/SC hangs, one check waits for it and not six."""
        if self._seen is None:
            limit = min(self._patience, PCSC_PATIENCE)
            self._seen = _bounded(lambda: self._backends.readers().slots(), limit)
        if isinstance(self._seen, Exception):
            raise self._seen
        return self._seen

    def _library(self) -> Look:
        return Look(self._backends.library())

    def _daemon(self) -> Look:
        from card.pcsc_daemon import ask

        path = self._backends.socket()
        if path is None:
            self._slots()
            return Look(N_("answers"))
        ask(path)
        return Look(N_("answers"))

    def _protocol(self) -> Look:
        from card.pcsc_daemon import ask, library_protocol

        path = self._backends.socket()
        if path is None:
            return Look(N_("does not apply here"))
        theirs, ours = ask(path).protocol, library_protocol()
        try:
            self._slots()
        except (PcscError, CheckTimedOut) as error:
            if ours not in {None, theirs}:
                raise PcscProtocolMismatch(str(ours), str(theirs)) from error
        return Look(
            N_("service {theirs}, library {ours}"),
            {"theirs": str(theirs), "ours": str(ours or "?")},
        )

    def _permissions(self) -> Look:
        self._slots()
        return Look(N_("granted"))

    def _socket(self) -> Look:
        """How the readers are attached; a socket that others may use is not used at all."""
        from card.attachment import refuse_foreign
        from screens.attachment import ATTACHMENTS

        if self._backends.socket() is not None:
            refuse_foreign()
        try:
            names = [slot.reader for slot in self._slots()]
        except (PcscError, CheckTimedOut):
            names = []
        return Look(ATTACHMENTS[self._backends.attachment(names)])

    def _readers(self) -> Look:
        slots = self._slots()
        if not slots:
            raise NoReader
        return Look(", ".join(_reader_name(slot.reader) for slot in slots))

    def _cards(self) -> Look:
        """The best card decides; one that cannot be used is a failure only where it is alone."""
        slots = self._slots()
        problems = [problem for slot in slots if (problem := _problem(slot)) is not None]
        filled = sum(slot.filled for slot in slots)
        if not slots or len(problems) == len(slots):
            raise next(
                (each for each in problems if not isinstance(each, CardAbsent)),
                CardAbsent(slots[0].reader if slots else ""),
            )
        return Look(
            N_("cards inserted: {cards}, usable by their kind: {usable}"),
            {
                "cards": filled,
                "usable": len(slots) - len(problems),
            },
        )

    def _modules(self) -> Look:
        """The reader driver; and for a card that only a module can drive, that module."""
        from card.pkcs11.modules import For, lack

        try:
            slots = self._slots()
        except (PcscError, CheckTimedOut):
            slots = ()
        warning: Exception | None = None
        found: list[str] = []
        try:
            found.append(self._backends.driver())
        except CardError as error:  # a reader that is listed has one, wherever it is
            warning = None if slots else error
        modules = self._backends.modules()
        usable = [module for module in modules if module.kept is None]
        found += [_word(module.path.name) for module in usable]
        if any(_needs_module(slot) for slot in slots) and not any(
            For.HPC in module.cards for module in usable
        ):
            warning = lack(module for module in modules if For.HPC in module.cards)
        return Look(", ".join(dict.fromkeys(found)), warning=warning)

    # --- the service ------------------------------------------------------------------------------

    def _chosen(self) -> Look:
        from client.address import parse_address
        from client.errors import ServiceUnset

        choice = self._backends.choice()
        if choice.address is None:
            raise ServiceUnset
        trust = (
            N_("{origin}, its own CA file") if choice.own_ca else N_("{origin}, the system's CAs")
        )
        return Look(trust, {"origin": parse_address(choice.address).origin})

    def _described(self) -> ServiceDescription:
        """The service's answer, asked for once. Raises what asking raised."""
        if self._answer is None:
            try:
                service = self._backends.service()
                try:
                    self._answer = service.describe()
                    self._arrived = datetime.now(UTC)
                finally:
                    service.close()
            except Exception as error:  # noqa: BLE001 - told by each check that needed the answer
                self._answer = error
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def _stage(self, topic: Topic, good: Callable[[ServiceDescription], Look]) -> Look:
        """One part of the exchange: parts before the one that failed went well."""
        try:
            described = self._described()
        except Exception as error:
            code = failure_of(error).code
            failed = next((t for start, t in _STAGES if code.startswith(start)), Topic.CONTRACT)
            if _SERVICE_TOPICS.index(topic) < _SERVICE_TOPICS.index(failed):
                return Look(N_("reached"))
            if topic is failed:
                raise
            return Look(N_("not reached"), warning=error)
        return good(described)

    def _address(self) -> Look:
        return self._stage(Topic.ADDRESS, lambda service: Look(service.origin))

    def _tls(self) -> Look:
        return self._stage(Topic.TLS, lambda _: Look(N_("trusted")))

    def _contract(self) -> Look:
        return self._stage(Topic.CONTRACT, self._fits)

    def _fits(self, service: ServiceDescription) -> Look:
        """A service that wants certificates looked up needs to be told here whom to believe."""
        if not service.wants_look_up:
            return Look(service.version)
        if not self._backends.anchors():
            from client.errors import IssuerUnknown

            raise IssuerUnknown
        return Look(
            N_("{version}, certificates looked up by {way}"),
            {"version": service.version, "way": service.revocation.upper()},
        )

    def _clock(self) -> Look:
        def apart(service: ServiceDescription) -> Look:
            seconds = round((self._arrived - service.time).total_seconds())
            return Look(N_("differs from the service's by {seconds} s"), {"seconds": seconds})

        return self._stage(Topic.CLOCK, apart)


def choice_of(backends: Backends) -> ServiceChoice | None:
    """Which service is set; None where the settings cannot be read."""
    try:
        return backends.choice()
    except Exception:  # noqa: BLE001 - why it is so, the check of the settings says
        return None


def _bounded(check: Callable[[], T], seconds: float) -> T | Exception:
    """What `check` saw or raised; CheckTimedOut when it has not ended in time."""
    outcome: list[T | Exception] = []

    def work() -> None:
        try:
            outcome.append(check())
        except Exception as error:  # noqa: BLE001 - a defect too is one finding, not the end
            outcome.append(error)

    thread = threading.Thread(target=work, name="doctor", daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0] if outcome else CheckTimedOut(round(seconds))


def _problem(slot: Slot) -> Exception | None:
    """Why the card in this slot cannot be used, as far as its ATR and its reader tell."""
    from card.recognition import Kind, by_atr

    match slot.state:
        case SlotState.EMPTY:
            return CardAbsent(slot.reader)
        case SlotState.MUTE:
            return CardMute(slot.reader)
        case SlotState.HELD:
            return ReaderHeld(slot.reader)
    match by_atr(slot.atr):
        case Kind.NHI:
            return CardIsNhi()
        case Kind.MOICA:
            return CardIsMoica()
    return None


def _needs_module(slot: Slot) -> bool:
    from card.recognition import Kind, by_atr

    return by_atr(slot.atr) is Kind.HPC


def _reader_name(name: str) -> str:
    """Without what stands in brackets, where pcscd puts serial numbers, and without the unusual."""
    bare = re.sub(r"\s*[(\[][^)\]]*[)\]]", "", name)
    return re.sub(r"[^A-Za-z0-9 ._+/-]", "", bare)[:60]


def _word(text: str) -> str:
    """One word of an environment variable, as far as it is one."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "", text)[:40]


def _plain(failure: Failure) -> Mapping[str, Fact]:
    """The facts of a failure; a reader's name without its serial number, a path without whose."""
    kept = dict(failure.facts)
    for name in ("reader", "path"):
        if isinstance(kept.get(name), str):
            kept[name] = _reader_name(str(kept[name])) if name == "reader" else _tilde(kept[name])
    return kept


def _tilde(path: Fact) -> str:
    return str(path).replace(str(Path.home()), "~")
