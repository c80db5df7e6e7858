"""`hca-bind doctor` on real parts: 0 where a binding could succeed now, else what is in its way."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from parts import HCA_BIND, PIN, Service, card_process
from pcscd import DEADLINE, Pcscd
from test_pcsc_daemon import NEWER, peer

from card.pcsc_daemon import ask
from screens.findings import Topic

Checks = Mapping[str, Mapping[str, object]]


def examined(pcscd: Pcscd, *options: str, **variables: str) -> tuple[int, Checks, str]:
    """Exit status, the checks by name, and everything that was printed."""
    done = subprocess.run(
        [HCA_BIND, "doctor", "--json", "--lang", "en", *options],
        env={**pcscd.environment, "PYTHONIOENCODING": "utf-8", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE * 3,
        check=False,
    )
    told = json.loads(done.stdout)
    assert told["ok"] == (done.returncode == 0)
    return done.returncode, {check["check"]: check for check in told["checks"]}, done.stdout


def test_all_is_well_with_a_card_and_a_service(
    pcscd: Pcscd, sandbox: Service, authority_folder: Path
) -> None:
    with card_process(pcscd, authority_folder):
        status, checks, printed = examined(pcscd, *sandbox.options)
    assert status == 0, printed
    assert list(checks) == [topic.value for topic in Topic]
    assert checks["protocol"]["evidence"] == "service 4:4, library 4:4"
    assert "Virtual PCD 00 00" in str(checks["readers"]["evidence"])
    assert sandbox.url in str(checks["address"]["evidence"])
    assert {"測試員甲", PIN}.isdisjoint(printed.split('"'))
    assert "測試員甲" not in printed, "the card's files were read"


def test_a_vpcd_reader_is_one_whose_line_is_in_clear(pcscd: Pcscd, sandbox: Service) -> None:
    _, checks, _ = examined(pcscd, *sandbox.options)
    assert "without encryption" in str(checks["socket"]["evidence"])


def test_without_a_card_nothing_can_be_bound(pcscd: Pcscd, sandbox: Service) -> None:
    status, checks, _ = examined(pcscd, *sandbox.options)
    assert (status, checks["cards"]["code"]) == (3, "card.absent")
    assert {name for name, check in checks.items() if check["outcome"] == "failure"} == {"cards"}


def test_without_a_daemon_the_service_is_still_looked_at(
    pcscd: Pcscd, sandbox: Service, tmp_path: Path
) -> None:
    status, checks, _ = examined(
        pcscd, *sandbox.options, PCSCLITE_CSOCK_NAME=str(tmp_path / "nobody")
    )
    assert status == 3
    assert str(checks["daemon"]["code"]).startswith("pcsc.")
    assert checks["clock"]["outcome"] == "ok"


def test_a_daemon_of_another_version_is_named_as_one(
    pcscd: Pcscd, sandbox: Service, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    socket = tmp_path / "comm"
    with peer(socket, NEWER, "pcscd"):
        _, checks, _ = examined(pcscd, *sandbox.options, PCSCLITE_CSOCK_NAME=str(socket))
    assert checks["daemon"]["outcome"] == "ok"
    assert checks["protocol"]["code"] == "pcsc.service.protocol"


def test_a_daemon_that_falls_silent_holds_one_check_up_and_not_the_list(
    pcscd: Pcscd, sandbox: Service, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    socket = tmp_path / "comm"
    same = ask(pcscd.socket).protocol
    with peer(socket, struct.pack("=iiI", same.major, same.minor, 0), "pcscd"):
        status, checks, _ = examined(pcscd, *sandbox.options, PCSCLITE_CSOCK_NAME=str(socket))
    assert status == 3
    assert list(checks) == [topic.value for topic in Topic]
    assert checks["permissions"]["code"] == "app.check.timeout"
    assert checks["clock"]["outcome"] == "ok"


@pytest.mark.parametrize(
    ("options", "check", "code"),
    [
        (["--service", "https://localhost:1"], "address", "net.refused"),
        (["--service", "http://service.invalid"], "settings", "net.address"),
        ([], "settings", "net.address.unset"),
    ],
)
def test_what_is_wrong_with_the_service_is_named(
    pcscd: Pcscd, tmp_path: Path, options: list[str], check: str, code: str
) -> None:
    status, checks, _ = examined(pcscd, *options, XDG_CONFIG_HOME=str(tmp_path))
    assert (status, checks[check]["code"]) == (3, code)


def test_a_certificate_that_nobody_vouches_for(pcscd: Pcscd, sandbox: Service) -> None:
    _, checks, _ = examined(pcscd, "--service", sandbox.url)
    assert checks["address"]["outcome"] == "ok"
    assert checks["tls"]["code"] == "net.tls.untrusted"
    assert checks["contract"]["outcome"] == "warning"
