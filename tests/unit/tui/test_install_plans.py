"""What would be run, and with whose rights: plans are data, so every system's can be looked at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from client.components.manifest import Component, File, How, Platform
from client.port import Label
from tui import installation
from tui.errors import InstallDenied, InstallFailed
from tui.installation import Places, Rights, commands, own_rights, rights, run, typed

FILE = File("lib.so", "https://x.example/lib.so", 3, "ab" * 32)
APT = (
    "env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=60 install --yes "
    "--no-install-recommends "
)


def component(how: How, *packages: str) -> Component:
    return Component(
        id="x",
        part="module",
        name=Label("測試元件", "test"),
        version="1",
        minimum="",
        licence="MIT",
        platform=Platform("linux", "any"),
        how=how,
        packages=packages,
        file=None if packages else FILE,
    )


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "modules", tmp_path / "registry")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cache file"
    path.write_bytes(b"abc")
    return path


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (How.DEB, APT + "'{file}'"),
        (How.MSI, "msiexec /i '{file}'"),
        (How.EXE, "'{file}'"),
        (How.PKG, "open -W '{file}'"),
    ],
)
def test_installers(file: Path, places: Places, how: How, expected: str) -> None:
    (command,) = commands(component(how), file, places)
    assert typed(command, Rights.ROOT) == expected.format(file=file)


def test_packages_of_the_distribution(places: Places) -> None:
    (command,) = commands(component(How.APT, "pcscd", "libccid"), None, places)
    assert typed(command, Rights.SUDO) == f"sudo {APT}pcscd libccid"
    assert typed(command, Rights.PKEXEC) == f"pkexec {APT}pcscd libccid"
    assert typed(command, Rights.NONE) == f"sudo {APT}pcscd libccid"


def test_a_bare_module_is_copied_and_registered(file: Path, places: Places, tmp_path: Path) -> None:
    plan = commands(component(How.MODULE), file, places)
    assert not places.modules.exists()  # a plan runs nothing
    run(plan, Rights.OWN, tmp_path / "log")
    assert (places.modules / "lib.so").read_bytes() == b"abc"
    registration = (places.registry / "x.module").read_text()
    assert registration == f"module: {places.modules / 'lib.so'}\n"


def test_a_module_in_use_is_replaced_and_not_written_into(
    file: Path, places: Places, tmp_path: Path
) -> None:
    places.modules.mkdir()
    old = places.modules / "lib.so"
    old.write_bytes(b"old")
    with old.open("rb") as in_use:
        run(commands(component(How.MODULE), file, places), Rights.OWN, tmp_path / "log")
        assert in_use.read() == b"old"
    assert old.read_bytes() == b"abc"


def test_the_first_command_that_fails_ends_it(tmp_path: Path) -> None:
    mark, log = tmp_path / "mark", tmp_path / "state" / "log"
    plan = [("sh", "-c", "echo what went wrong >&2; exit 7"), ("touch", str(mark))]
    with pytest.raises(InstallFailed) as caught:
        run(plan, Rights.OWN, log)
    assert caught.value.facts() == {"program": "sh", "status": 7, "log": str(log)}
    assert log.read_text() == "what went wrong\n"
    assert not mark.exists()
    with pytest.raises(InstallFailed) as caught:
        run([("no-such-program",)], Rights.OWN, log)
    assert caught.value.status == 127


def test_without_rights_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(InstallDenied):
        run([("touch", str(mark))], Rights.NONE, tmp_path / "log")
    assert not mark.exists()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with only what a test puts there, for someone who is not root."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_which_rights(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rights({}) is Rights.NONE
    program(programs, "sudo", "exit 0")
    assert rights({"DISPLAY": ":0"}) is Rights.SUDO
    program(programs, "pkexec", "exit 0")
    assert rights({"DISPLAY": ":0"}) is Rights.PKEXEC
    assert rights({"WAYLAND_DISPLAY": "wayland-0"}) is Rights.PKEXEC
    assert rights({}) is Rights.SUDO  # pkexec has no window to ask in
    assert rights({"DISPLAY": ":0"}, allowed=False) is Rights.NONE  # a kiosk
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert rights({}) is Rights.ROOT
    assert rights({}, allowed=False) is Rights.NONE
    assert own_rights(How.MSI, Rights.SUDO) is Rights.OWN
    assert own_rights(How.MSI, Rights.NONE) is Rights.NONE


def test_sudo_is_asked_for_its_password_only_where_it_needs_one(programs: Path) -> None:
    program(programs, "sudo", "exit 1")
    assert installation.asks(Rights.SUDO) == ("sudo", "-v")
    program(programs, "sudo", "exit 0")
    assert installation.asks(Rights.SUDO) == ()
    assert installation.asks(Rights.PKEXEC) == ()


@pytest.mark.parametrize(
    ("name", "granted", "status"),
    [("sudo", Rights.SUDO, 1), ("pkexec", Rights.PKEXEC, 126), ("pkexec", Rights.PKEXEC, 127)],
)
def test_a_right_that_is_refused(
    programs: Path, tmp_path: Path, name: str, granted: Rights, status: int
) -> None:
    program(programs, name, f"exit {status}")
    with pytest.raises(InstallDenied):
        run([("anything",)], granted, tmp_path / "log")


def test_sudo_runs_the_very_command_without_asking_again(programs: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    program(programs, "sudo", f"printf '%s|' \"$@\" > {said}")
    run([("apt-get", "install", "x y")], Rights.SUDO, tmp_path / "log")
    assert said.read_text() == "-n|apt-get|install|x y|"
    assert shutil.which("apt-get") is None
