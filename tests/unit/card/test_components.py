"""What a card needs of this machine: present, too old, broken or missing, with evidence."""

from __future__ import annotations

import plistlib
import struct
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest
from pkcs11_module import build

from card import components
from card.components import (
    Finding,
    Machine,
    Part,
    State,
    aged,
    driver,
    examine,
    families,
    library,
    module_names,
    service,
)
from card.errors import PcscLibraryMissing, PcscServiceMissing
from card.library_file import architectures, this_architecture
from card.pkcs11.modules import Places, find
from card.recognition import Kind

HPC_ATR = bytes.fromhex("3BF91800008131FE4550565F4A3244303831B6")
MOICA_ATR = bytes.fromhex("3B8B80010031C1640840213000900057")
NAME = "libhcatest.so"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(system="linux", root=tmp_path / "root")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("module") / NAME)


def install(machine: Machine, library: Path, place: str = "usr/local/lib/pkcs11") -> Path:
    target = machine.root / place / NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(library.read_bytes())
    return target


def module(machine: Machine, names: Collection[str]) -> Finding:
    own = machine.root.parent / "home/.config/pkcs11"
    found = find((), Places.of(machine.system, machine.root, own), names)
    return components.module(machine, names, found)


def code(finding: Finding) -> str:
    return finding.error.code if finding.error else ""


# --- a card's own module -------------------------------------------------------------------------


def test_a_module_in_its_place(machine: Machine, good: Path) -> None:
    path = install(machine, good)
    assert module(machine, [NAME]) == Finding(Part.MODULE, State.PRESENT, str(path), "1.2", NAME)


@pytest.mark.parametrize(
    "registry",
    ["root/etc/pkcs11/modules", "root/usr/share/p11-kit/modules", "home/.config/pkcs11/modules"],
)
def test_a_module_registered_with_p11_kit(
    machine: Machine, good: Path, tmp_path: Path, registry: str
) -> None:
    path = install(machine, good, "opt/vendor")
    assert module(machine, [NAME]).state is State.MISSING
    folder = tmp_path / registry
    folder.mkdir(parents=True)
    (folder / "vendor.module").write_text(f"# a comment\nmodule: /opt/vendor/{NAME}\npriority: 1\n")
    assert module(machine, [NAME]).path == str(path)


def test_a_module_that_p11_kit_keeps_from_this_program(machine: Machine, good: Path) -> None:
    path = install(machine, good)
    file = machine.root / "etc/pkcs11/modules/vendor.module"
    file.parent.mkdir(parents=True)
    file.write_text(f"module: {NAME}\ndisable-in: hca-bind\n")
    finding = module(machine, [NAME])
    assert (finding.state, code(finding)) == (State.KEPT, "card.module.kept")
    assert (finding.path, finding.detail) == (str(path), str(file))


def test_a_missing_module(machine: Machine) -> None:
    finding = module(machine, [NAME, "other.so"])
    assert (finding.state, code(finding)) == (State.MISSING, "card.module.missing")
    assert finding.detail == f"{NAME}, other.so"


def test_a_module_of_another_word_size(machine: Machine, good: Path) -> None:
    path = install(machine, good)
    data = bytearray(path.read_bytes())
    data[4] = 1  # ELFCLASS32
    struct.pack_into("<H", data, 18, 3)  # EM_386
    path.write_bytes(data)
    finding = module(machine, [NAME])
    assert (finding.state, code(finding)) == (State.BROKEN, "component.word-size")
    assert finding.error is not None
    assert finding.error.facts() == {"path": str(path), "bits": 32, "wanted": 64}


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"MZ", b"a text, no library", bytes(5000)])
def test_a_file_that_is_no_library(machine: Machine, tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    path = install(machine, tmp_path / NAME)
    finding = module(machine, [NAME])
    assert (finding.state, code(finding), finding.path) == (
        State.BROKEN,
        "component.broken",
        str(path),
    )


def test_a_module_cut_off_in_the_middle(machine: Machine, good: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(good.read_bytes()[:3000])
    install(machine, tmp_path / NAME)
    assert code(module(machine, [NAME])) == "component.broken"


def test_a_library_that_is_no_module(machine: Machine, tmp_path: Path) -> None:
    install(machine, build(tmp_path / NAME, entry="something_else"))
    assert code(module(machine, [NAME])) == "component.broken"


@pytest.mark.parametrize("fault", ["abort()", "*(volatile int *)0 = 0", "exit(0)"])
def test_a_module_that_crashes_takes_nothing_along(
    machine: Machine, tmp_path: Path, fault: str
) -> None:
    install(machine, build(tmp_path / NAME, at_initialize=fault))
    assert code(module(machine, [NAME])) == "component.broken"


def test_a_module_that_hangs(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "PROBE_SECONDS", 1.0)
    install(machine, build(tmp_path / NAME, at_initialize="for (;;);"))
    assert code(module(machine, [NAME])) == "component.broken"


def test_a_module_whose_dependency_is_missing(machine: Machine, tmp_path: Path) -> None:
    needed = build(tmp_path / "libneeded.so.7", entry="needed")
    broken = build(
        tmp_path / NAME, link=("-Wl,--no-as-needed", "-L", str(tmp_path), "-l:libneeded.so.7")
    )
    needed.unlink()
    path = install(machine, broken)
    finding = module(machine, [NAME])
    assert finding.error is not None
    assert (finding.state, code(finding)) == (State.BROKEN, "component.dependency")
    assert finding.error.facts() == {"path": str(path), "library": "libneeded.so.7"}


def test_a_good_module_wins_over_a_broken_one(machine: Machine, good: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"no library")
    install(machine, tmp_path / NAME)
    path = install(machine, good, "usr/lib/x86_64-linux-gnu/pkcs11")
    assert module(machine, [NAME]).path == str(path)


def test_a_real_vendor_module_is_read(tmp_path: Path) -> None:
    """OpenSC's own module, on this machine."""
    finding = module(Machine(), ["opensc-pkcs11.so"])
    assert finding.state is State.PRESENT
    assert finding.version


def test_which_module_a_card_needs() -> None:
    assert families([HPC_ATR, MOICA_ATR, b"\x3b\x00"]) == {Kind.HPC, Kind.MOICA}
    assert module_names({Kind.HPC}) == ("HCAPKCS11.dll",)
    assert module_names({Kind.HPC}, ["libhca.so"]) == ("HCAPKCS11.dll", "libhca.so")
    assert module_names({Kind.MOICA, Kind.NHI}) == ()  # another card's module is never offered


# --- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "minimum", "state"),
    [
        ("1.5.2", "1.5.0", State.PRESENT),
        ("1.5", "1.5.0", State.PRESENT),
        ("1.10", "1.9", State.PRESENT),
        ("1.4.36", "1.5.0", State.OLD),
        ("", "1.5.0", State.PRESENT),  # unknown is not called old
        ("1.0", "", State.PRESENT),
    ],
)
def test_versions_are_compared_as_numbers(version: str, minimum: str, state: State) -> None:
    found = aged(Finding(Part.DRIVER, State.PRESENT, "/x", version), minimum)
    assert found.state is state
    if state is State.OLD:
        assert found.error is not None
        assert found.error.facts() == {"path": "/x", "version": version, "minimum": minimum}


# --- the service ---------------------------------------------------------------------------------


def daemon(machine: Machine, version: str) -> Path:
    path = machine.root / "usr/sbin/pcscd"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho 'pcsc-lite version {version}.'\n")
    path.chmod(0o755)
    return path


def unreachable() -> None:
    raise PcscServiceMissing


def test_the_service(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PCSCLITE_CSOCK_NAME", raising=False)
    finding = service(machine, unreachable)
    assert (finding.state, code(finding)) == (State.MISSING, "component.service.missing")
    path = daemon(machine, "2.3.3")
    assert service(machine, lambda: None) == Finding(
        Part.SERVICE, State.PRESENT, str(path), "2.3.3", "pcscd"
    )
    finding = service(machine, unreachable)
    assert (finding.state, code(finding), finding.path) == (
        State.BROKEN,
        "pcsc.service.missing",
        str(path),
    )
    path.write_text(path.read_text().replace("2.3.3", "1.8.23"))
    assert service(machine, lambda: None).state is State.OLD


def test_a_service_on_another_machine_is_only_asked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", "/run/user/0/forwarded")
    assert service(machine, lambda: None).state is State.PRESENT
    assert code(service(machine, unreachable)) == "pcsc.service.missing"


def test_the_library(machine: Machine, good: Path) -> None:
    def missing() -> None:
        raise PcscLibraryMissing

    assert library(machine, lambda: None).state is State.PRESENT
    finding = library(machine, missing)
    assert (finding.state, code(finding)) == (State.MISSING, "pcsc.library.missing")
    path = machine.root / "usr/lib/x86_64-linux-gnu/libpcsclite.so.1"
    path.parent.mkdir(parents=True)
    data = bytearray(good.read_bytes())
    struct.pack_into("<H", data, 18, 40)  # EM_ARM
    path.write_bytes(data)
    finding = library(machine, missing)
    assert (finding.state, code(finding)) == (State.BROKEN, "component.word-size")


# --- the reader's driver -------------------------------------------------------------------------


def bundle(
    machine: Machine, name: str, version: str, usb: list[tuple[str, str]], library: bytes
) -> None:
    contents = machine.root / f"usr/lib/pcsc/drivers/{name}.bundle/Contents"
    (contents / "Linux").mkdir(parents=True)
    (contents / "Linux/libdriver.so").write_bytes(library)
    info = {
        "CFBundleExecutable": "libdriver.so",
        "CFBundleShortVersionString": version,
        "ifdVendorID": [vendor for vendor, _ in usb],
        "ifdProductID": [product for _, product in usb],
    }
    (contents / "Info.plist").write_bytes(plistlib.dumps(info))


def plug(machine: Machine, port: str, vendor: str, product: str, kind: str = "0b") -> None:
    devices = machine.root / "sys/bus/usb/devices"
    (devices / f"{port}:1.0").mkdir(parents=True)
    (devices / f"{port}:1.0/bInterfaceClass").write_text(f"{kind}\n")
    (devices / port).mkdir()
    (devices / port / "idVendor").write_text(f"{vendor}\n")
    (devices / port / "idProduct").write_text(f"{product}\n")


def test_the_driver(machine: Machine, good: Path) -> None:
    assert code(driver(machine, [])) == "pcsc.driver.missing"
    assert driver(machine, ["A Reader 00 00"]).detail == "A Reader 00 00"  # it works: proof enough
    bundle(machine, "ifd-ccid", "1.5.2", [("0x072F", "0x90CC")], good.read_bytes())
    finding = driver(machine, [])
    assert (finding.state, finding.version, finding.detail) == (State.PRESENT, "1.5.2", "ifd-ccid")
    plug(machine, "1-1", "072f", "90cc")
    plug(machine, "1-2", "046d", "c52b", kind="03")  # a mouse
    assert driver(machine, []).state is State.PRESENT


def test_a_reader_that_wants_a_driver_of_its_own(machine: Machine, good: Path) -> None:
    bundle(machine, "ifd-ccid", "1.5.2", [("0x072F", "0x90CC")], good.read_bytes())
    plug(machine, "1-1", "058f", "9540")
    finding = driver(machine, [])
    assert (finding.state, code(finding)) == (State.MISSING, "component.driver.unknown")
    assert finding.error is not None
    assert finding.error.facts() == {"usb": "058f:9540"}
    bundle(machine, "vendor", "0.1", [("0x058F", "0x9540")], good.read_bytes())
    finding = driver(machine, [])
    assert (finding.state, finding.detail) == (State.PRESENT, "vendor")


def test_a_driver_that_is_old_or_broken(machine: Machine, good: Path) -> None:
    bundle(machine, "ifd-ccid", "1.4.9", [], good.read_bytes())
    assert driver(machine, []).state is State.OLD
    library = machine.root / "usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Linux/libdriver.so"
    library.write_bytes(b"damaged")
    assert (driver(machine, []).state, code(driver(machine, []))) == (
        State.BROKEN,
        "component.broken",
    )
    library.unlink()
    assert driver(machine, []).state is State.BROKEN


def test_the_driver_of_this_machine_loads() -> None:
    """libccid takes symbols from pcscd itself; that is no fault."""
    finding = driver(Machine(), [])
    assert finding.state is State.PRESENT, finding


# --- headers -------------------------------------------------------------------------------------


def pe(machine: int) -> bytes:
    return (
        b"MZ".ljust(0x3C, b"\0")
        + struct.pack("<I", 0x80)
        + bytes(64)
        + b"PE\0\0"
        + struct.pack("<H", machine)
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (pe(0x014C), {"i686"}),
        (pe(0x8664), {"x86_64"}),
        (b"\xcf\xfa\xed\xfe" + struct.pack("<I", 0x0100000C), {"aarch64"}),
        (
            b"\xca\xfe\xba\xbe"
            + struct.pack(">I", 2)
            + b"".join(struct.pack(">I16x", kind) for kind in (0x01000007, 0x0100000C)),
            {"x86_64", "aarch64"},
        ),
        (b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 243), {"0xf3"}),
        (b"MZ" + bytes(58) + b"\xff\xff\xff\x7f", set()),
        (b"#!/bin/sh", set()),
    ],
)
def test_headers(tmp_path: Path, content: bytes, expected: set[str]) -> None:
    (tmp_path / "x").write_bytes(content)
    assert architectures(tmp_path / "x") == expected


def test_a_windows_module_of_32_bits_in_a_64_bit_program(tmp_path: Path) -> None:
    path = tmp_path / "HCAPKCS11.dll"
    path.write_bytes(pe(0x014C))
    wrong = examine(path, replace(Machine(), architecture="x86_64"), "module")[1]
    assert wrong is not None
    assert wrong.facts() == {"path": str(path), "bits": 32, "wanted": 64}
    assert this_architecture() in {"x86_64", "aarch64", "i686", "arm"}
