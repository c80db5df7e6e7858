"""The component check in its own process: what comes back, and that nothing stays behind."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from screens.wizard import Check, Component
from tui.backends import SupplyOptions
from tui.check_process import CheckFailed, CheckProcess, CheckProcessEnded, Request

SECONDS = 30.0  # a limit, never a wait


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(tmp_path / "no-daemon"))


def asked(service: str | None = None) -> Request:
    return Request(service, None, SupplyOptions(), needs_module=False)


def no_children() -> bool:
    """Has every process been waited for?"""
    try:
        return os.waitpid(-1, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return True


def test_rows_come_as_they_are_known_and_the_outcome_last() -> None:
    told: list[Check] = []
    rows, description, offers = CheckProcess().run(asked(), told.append)
    by_component = {row.component: row for row in rows}
    assert [row.component for row in told][-1] is Component.REPORTING
    failure = by_component[Component.REPORTING].failure
    assert failure is not None
    assert failure.code == "net.address.unset"
    assert by_component[Component.CRYPTO].failure is None
    assert description is None
    assert all(offer.component.name for offer in offers)
    assert no_children()


def test_settings_that_cannot_be_read_are_told_by_their_code(tmp_path: Path) -> None:
    folder = tmp_path / "hca-bind"
    folder.mkdir()
    (folder / "settings.toml").write_text("[service\n")
    with pytest.raises(CheckFailed) as raised:
        CheckProcess().run(asked(), lambda _: None)
    assert raised.value.code == "app.file"
    assert str(folder) in str(raised.value.facts())
    assert no_children()


def test_a_check_can_be_ended_while_the_service_says_nothing() -> None:
    """Its listener takes the connection and never answers."""
    outcome: list[BaseException] = []
    process = CheckProcess()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        request = asked(f"https://127.0.0.1:{silent.getsockname()[1]}")

        def run() -> None:
            try:
                process.run(request, lambda _: None)
            except CheckProcessEnded as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        connection, _ = silent.accept()
        with connection:
            process.cancel()
            thread.join(SECONDS)
    assert len(outcome) == 1
    assert no_children()
