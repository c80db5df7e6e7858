"""Components on the real system: apt, the module folder and p11-kit; and the command line's report.

As root, as CI is: a package and a module of a test are installed and removed again. Without the
right to do that, what is planned for sudo, pkexec and an administrator is still checked
(tests/unit/tui/test_install_plans.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from pkcs11_module import build
from terminal import Terminal

from card.components import State
from client.components.source import ServiceSource
from client.components.supply import Supply
from client.sandbox.faults import Fault
from client.sandbox.server import Sandbox
from tui.equipment import Equipment
from tui.installation import Places, rights

if TYPE_CHECKING:
    from card.port import Readers, Slot

HCA_BIND = Path(sys.executable).with_name("hca-bind")
PACKAGE = "hca-bind-test-component"
MODULE = "libhcabindtest.so"
SECONDS = 120
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="installs on the real system")
PLACES = Places()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox") as sandbox:
        yield sandbox


def hca_bind(sandbox: Sandbox, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`hca-bind components` against the sandbox, with a home of its own."""
    return subprocess.run(
        [
            *(HCA_BIND, "components", "--lang", "en"),
            *("--service", sandbox.url, "--ca", sandbox.ca_file),
            *("--component-key", sandbox.shelf.public_key),
            *arguments,
        ],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "NO_PROXY": "localhost",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def entry(part: str, how: str, name: str) -> dict[str, object]:
    return {
        "id": "system-test",
        "part": part,
        "name": {"zh-Hant": "測試元件", "en": "component of a test"},
        "version": "3.0",
        "minimum": "99",
        "licence": "MIT",
        "platform": {"system": "linux", "machine": "any"},
        "install": {"how": how},
        "file": {"name": name},
    }


def test_the_report_of_this_machine(sandbox: Sandbox, tmp_path: Path) -> None:
    report = hca_bind(sandbox, tmp_path, "--json")
    data = json.loads(report.stdout)
    parts = {row["part"]: row for row in data["components"]}
    assert parts["library"]["state"] == "present"
    assert Path(parts["library"]["path"]).exists()
    assert parts["driver"]["state"] == "present"
    assert parts["driver"]["version"]
    assert parts["service"]["path"] == "/usr/sbin/pcscd"
    assert parts["service"]["version"]
    assert data["list"]["evidence"]
    lacking = [row for row in data["components"] if row["state"] != "present"]
    assert report.returncode == (3 if lacking else 0)
    assert all(row["code"] for row in lacking)
    told = hca_bind(sandbox, tmp_path)
    assert "Reader driver: present (ifd-ccid" in told.stdout


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.MANIFEST_EXPIRED, "component.manifest.expired"),
        (Fault.MANIFEST_FOREIGN, "component.manifest.foreign"),
        (Fault.MANIFEST_TAMPERED, "component.manifest.signature"),
    ],
)
def test_a_list_that_is_refused_is_said_so(
    sandbox: Sandbox, tmp_path: Path, fault: Fault, code: str
) -> None:
    sandbox.faults.add(fault)
    data = json.loads(hca_bind(sandbox, tmp_path, "--json").stdout)
    assert data["list"]["code"] == code
    assert data["offers"] == []


def test_without_internet_from_a_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    """No service at all: the folder, the pinned key, and an old driver that the folder cures."""
    folder = tmp_path / "stick"
    folder.mkdir()
    sandbox.shelf.put(entry("driver", "deb", "driver.deb"), b"a package")
    sandbox.shelf.export(folder)
    run = subprocess.run(
        [
            *(HCA_BIND, "components", "--json", "--get"),
            *("--components", folder, "--component-key", sandbox.shelf.public_key),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    data = json.loads(run.stdout)
    (row,) = (row for row in data["components"] if row["part"] == "driver")
    assert (row["state"], row["code"]) == ("old", "component.old")
    (plan,) = data["plans"]
    assert "driver.deb" in plan["commands"][0]
    cached = list((tmp_path / ".cache/hca-bind/components").glob("*-driver.deb"))
    assert [path.read_bytes() for path in cached] == [b"a package"]


# --- the installation itself ---------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    """A Debian package with one file, removed again at the end."""
    root = tmp_path / "package"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(
        f"Package: {PACKAGE}\nVersion: 3.0\nArchitecture: all\n"
        "Maintainer: Test <test@example.invalid>\nDescription: made by a test\n"
    )
    (root / f"usr/share/{PACKAGE}").mkdir(parents=True)
    (root / f"usr/share/{PACKAGE}/file").write_text("installed\n")
    path = tmp_path / "component.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", root, path], check=True, capture_output=True
    )
    yield path
    subprocess.run(["dpkg", "--purge", PACKAGE], check=False, capture_output=True)


def installed() -> bool:
    return Path(f"/usr/share/{PACKAGE}/file").exists()


def typed_at_the_question(sandbox: Sandbox, home: Path, answer: str) -> tuple[int, str]:
    """`hca-bind components --install` on a terminal; its exit status and last screen."""
    command = [
        *(str(HCA_BIND), "components", "--install", "--lang", "en"),
        *("--service", sandbox.url, "--ca", str(sandbox.ca_file)),
        *("--component-key", sandbox.shelf.public_key),
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_PROXY": "localhost",
    }
    with Terminal(command, environment, size=(120, 40)) as terminal:
        terminal.until("type YES:")
        assert not installed()  # shown first
        assert terminal.shows("apt-get")
        terminal.type(answer)
        terminal.press("enter")
        status = terminal.ends(SECONDS)
        return status, terminal.text


@AS_ROOT
def test_a_package_through_apt(sandbox: Sandbox, tmp_path: Path, package: Path) -> None:
    """Shown, confirmed by a typed word, installed by apt itself, and looked at again."""
    sandbox.shelf.put(entry("driver", "deb", "component.deb"), package)
    status, screen = typed_at_the_question(sandbox, tmp_path, "no")
    assert (status, installed()) == (3, False), screen
    assert "component.install.denied" in screen
    _, screen = typed_at_the_question(sandbox, tmp_path, "yes")
    assert installed(), screen
    query = ["dpkg-query", "--show", "--showformat=${Version} ${db:Status-Status}", PACKAGE]
    shown = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    assert shown == "3.0 installed"


@AS_ROOT
def test_a_package_that_apt_refuses(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.shelf.put(entry("driver", "deb", "component.deb"), b"no package at all")
    status, screen = typed_at_the_question(sandbox, tmp_path, "yes")
    assert status == 3
    assert "component.install.failed" in screen
    log = tmp_path / ".local/state/hca-bind/installation.log"
    assert "component.deb" in log.read_text()


class NoReaders:
    """A machine with nothing plugged in."""

    def slots(self) -> tuple[Slot, ...]:
        return ()


@pytest.fixture
def no_trace() -> Iterator[None]:
    folders = [folder for folder in (PLACES.modules, PLACES.registry) if not folder.exists()]
    yield
    (PLACES.modules / MODULE).unlink(missing_ok=True)
    (PLACES.registry / "system-test.module").unlink(missing_ok=True)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@AS_ROOT
def test_a_bare_module_is_registered_with_p11_kit(
    sandbox: Sandbox, tmp_path: Path, no_trace: None
) -> None:
    """Missing, fetched, copied into place, found by p11-kit itself, present at the next look."""
    library = build(tmp_path / MODULE, version=(3, 0))
    sandbox.shelf.put(
        {**entry("module", "module", MODULE), "cards": ["HPC"], "minimum": "3.0"}, library
    )
    equipment = Equipment(
        readers=cast("Callable[[], Readers]", NoReaders),
        work=tmp_path,
        supply=Supply(
            ServiceSource(sandbox.url, sandbox.ca_file),
            keys=[sandbox.shelf.public_key],
            service=sandbox.url,
            cache=tmp_path / "cache",
            state=tmp_path / "state",
        ),
        rights=rights({}),
    )
    before = equipment.listing((), needs_module=True)
    (finding,) = before.findings
    assert finding.state is State.MISSING
    (offer,) = before.offers
    plan = equipment.fetch(offer, lambda _: None)
    assert not (PLACES.modules / MODULE).exists()
    equipment.install(plan)
    shown = subprocess.run(
        ["p11-kit", "list-modules"], capture_output=True, text=True, check=False
    ).stdout
    assert "library-description: test module" in shown
    after = equipment.listing((), needs_module=True)
    (finding,) = after.findings
    assert (finding.state, finding.version) == (State.PRESENT, "3.0")
    assert finding.path == str(PLACES.modules / MODULE)
    assert after.offers == ()
