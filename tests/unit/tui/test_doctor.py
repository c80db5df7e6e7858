"""The doctor finishes whatever fails, names the layer that failed, and opens no card."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from card.errors import PcscServiceDenied
from card.port import Exchange
from card.virtual.authority import Authority
from client.errors import TlsUntrusted
from client.port import Service
from screens.findings import Finding, Outcome, ServiceChoice, Topic, explained, lines, succeeds
from screens.language import Language, Words
from tui.demo import DemoBackends
from tui.doctor import Doctor
from tui.errors import FileUnusable
from tui.scenarios import SCENARIOS

PC_SC = {Topic.DAEMON, Topic.PERMISSIONS, Topic.READERS, Topic.CARDS}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    Authority.load_or_create(folder)
    return folder


@pytest.fixture
def demo(authority: Path) -> Iterator[Callable[[str], DemoBackends]]:
    """The demo in a scenario, closed at the end."""
    made: list[DemoBackends] = []

    def make(scenario: str) -> DemoBackends:
        backends = DemoBackends(SCENARIOS[scenario])
        (backends.folder / "authority").symlink_to(authority)
        made.append(backends)
        return backends

    yield make
    for backends in made:
        (backends.folder / "authority").unlink()
        backends.close()


def examined(backends: DemoBackends) -> dict[Topic, Finding]:
    return {finding.topic: finding for finding in Doctor(backends).examine()}


def failures(found: dict[Topic, Finding]) -> dict[Topic, str | None]:
    return {
        topic: finding.code
        for topic, finding in found.items()
        if finding.outcome is Outcome.FAILURE and topic is not Topic.TERMINAL
    }


def test_every_topic_is_looked_at_once_and_in_order(demo: Callable[[str], DemoBackends]) -> None:
    found = tuple(Doctor(demo("ok")).examine())
    assert [finding.topic for finding in found] == list(Topic)
    assert [finding.number for finding in found] == list(range(1, len(Topic) + 1))
    assert all(finding.ms >= 0 for finding in found)
    assert succeeds(found)
    assert not succeeds(found[:-1])


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("ok", {}),
        ("looked-up", {}),
        ("two-cards", {}),
        ("two-readers", {}),
        ("no-card", {Topic.CARDS: "card.absent"}),
        ("mute-card", {Topic.CARDS: "card.mute"}),
        ("held", {Topic.CARDS: "card.reader.held"}),
        ("nhi-card", {Topic.CARDS: "card.kind.nhi"}),
        ("moica-card", {Topic.CARDS: "card.kind.moica"}),
        ("no-reader", {Topic.READERS: "card.reader.none", Topic.CARDS: "card.absent"}),
        ("no-daemon", dict.fromkeys(PC_SC, "pcsc.service.missing")),
        ("denied", dict.fromkeys(PC_SC, "pcsc.service.denied")),
        ("service-version", {Topic.CONTRACT: "service.version"}),
        ("service-nonsense", {Topic.CONTRACT: "service.nonsense"}),
        ("clock", {Topic.CLOCK: "service.clock"}),
    ],
)
def test_the_layer_that_failed_is_named(
    demo: Callable[[str], DemoBackends], scenario: str, expected: dict[Topic, str]
) -> None:
    found = examined(demo(scenario))
    assert failures(found) == expected
    assert succeeds(found.values()) == (not expected)


def test_no_card_is_connected_to_and_no_pin_is_asked_for(
    demo: Callable[[str], DemoBackends],
) -> None:
    sent: list[Exchange] = []
    backends = demo("ok")
    backends.tracer = sent.append
    examined(backends)
    assert sent == []
    assert [card.tries_left for card in backends.cards] == [3]


class Unsettled(DemoBackends):
    """Nobody told this computer which CA's word on a card counts."""

    def anchors(self) -> tuple[()]:
        return ()


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [("ok", {}), ("looked-up", {Topic.CONTRACT: "revocation.issuer"})],
)
def test_a_look_up_needs_a_ca(scenario: str, expected: dict[Topic, str]) -> None:
    backends = Unsettled(SCENARIOS[scenario])
    try:
        found = examined(backends)
        assert failures(found) == expected
    finally:
        backends.close()


class Broken(DemoBackends):
    """Backends on which everything raises what nobody foresaw."""

    def apart(self) -> DemoBackends:
        return self

    def library(self) -> str:
        raise RuntimeError

    def driver(self) -> str:
        raise RuntimeError

    def readers(self) -> None:  # type: ignore[override]
        raise RuntimeError

    def anchors(self) -> tuple[()]:
        return ()

    def modules(self) -> tuple[()]:
        raise RuntimeError

    def service(self) -> Service:
        raise RuntimeError

    def choice(self) -> ServiceChoice:
        raise RuntimeError

    def attachment(self, _: Collection[str]) -> None:  # type: ignore[override]
        raise RuntimeError


def test_the_list_is_whole_when_everything_is_broken() -> None:
    found = {finding.topic: finding for finding in Doctor(Broken(SCENARIOS["ok"])).examine()}
    assert found.keys() == set(Topic)
    assert found[Topic.PYTHON].outcome is Outcome.OK
    assert found[Topic.LIBRARY].code == "app.unexpected"
    assert found[Topic.LIBRARY].facts == {"kind": "RuntimeError"}


class Hanging(DemoBackends):
    """A PC/SC library that never comes back."""

    def __init__(self) -> None:
        super().__init__(SCENARIOS["ok"])
        self.stop = threading.Event()

    def library(self) -> str:
        self.stop.wait()
        return ""


def test_a_check_that_never_ends_is_left_behind() -> None:
    backends = Hanging()
    try:
        doctor = Doctor(backends, patience=0.2).examine()
        found = {finding.topic: finding for finding in (next(doctor), next(doctor), next(doctor))}
        assert found[Topic.LIBRARY].code == "app.check.timeout"
        assert found[Topic.LIBRARY].outcome is Outcome.FAILURE
    finally:
        backends.stop.set()
        backends.close()


class Untrusted(DemoBackends):
    def service(self) -> Service:
        raise TlsUntrusted("service.invalid")

    def choice(self) -> ServiceChoice:
        raise FileUnusable("settings.toml")


def test_what_lies_before_the_failure_was_reached_and_what_lies_behind_was_not() -> None:
    backends = Untrusted(SCENARIOS["ok"])
    found = examined(backends)
    backends.close()
    assert found[Topic.SETTINGS].code == "app.file"
    assert found[Topic.ADDRESS].outcome is Outcome.OK
    assert (found[Topic.TLS].outcome, found[Topic.TLS].code) == (
        Outcome.FAILURE,
        "net.tls.untrusted",
    )
    for topic in (Topic.CONTRACT, Topic.CLOCK):
        assert (found[topic].outcome, found[topic].code) == (Outcome.WARNING, "net.tls.untrusted")


@pytest.mark.parametrize("language", Language)
def test_a_failure_is_told_with_its_remedy_once(language: Language) -> None:
    words = Words(language)
    denied = PcscServiceDenied.code
    found = [
        Finding(topic, Outcome.FAILURE, code=denied) for topic in (Topic.DAEMON, Topic.READERS)
    ]
    (_, remedy), (_, again) = explained(found, words)
    assert denied in remedy[0]
    assert remedy[1].startswith("1. ")
    assert len(again) == 1
    assert str(found[0].number) in again[0]
    assert len(lines(found, words)) == 2 + len(remedy) + 1
