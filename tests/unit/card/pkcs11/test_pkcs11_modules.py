"""Which modules are found, and which cards each is offered to."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.pkcs11.modules import For, Places, find, maker, named


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize(
    ("name", "cards"),
    [
        ("HCAPKCS11.dll", {For.HPC}),
        ("HCAPKCS11v2.dll", {For.HPC}),
        ("libhcapkcs11.so", {For.HPC}),
        ("libhcapkcs11.so.2.1", {For.HPC}),
        ("opensc-pkcs11.so", {For.OTHER}),
        ("opensc-pkcs11.dll", {For.OTHER}),
        ("HiCOSPKCS11.dll", {For.MOICA}),
        ("libHicos_p11.so", {For.MOICA}),
        ("libHicos_p11.dylib", {For.MOICA}),
    ],
)
def test_what_a_module_is_for_is_known_by_its_name(name: str, cards: set[For]) -> None:
    line = maker(Path(name))
    assert line is not None
    assert line.cards == cards
    assert named(Path(name)).cards == cards  # a path in the settings changes nothing about that


@pytest.mark.parametrize(
    "name",
    ["libsofthsm2.so", "HCAPKCS11.txt", "HCAPKCS11", "opensc-pkcs11.so.bak", "xHCAPKCS11.dll", ""],
)
def test_a_name_that_stands_in_no_line(name: str) -> None:
    assert maker(Path(name)) is None


def test_no_line_but_the_vendors_is_for_the_hpc() -> None:
    for name in ("libHicos_p11.so", "HiCOSPKCS11.dll", "opensc-pkcs11.so"):
        assert For.HPC not in named(Path(name)).cards


def test_the_settings_decide_about_a_module_that_nobody_knows() -> None:
    assert named(Path("vendor.so")).cards == {For.HPC, For.OTHER}
    assert named(Path("vendor.so"), [For.OTHER]).cards == {For.OTHER}


def test_p11_kits_files_name_modules(tmp_path: Path) -> None:
    library, elsewhere = tmp_path / "lib/pkcs11", tmp_path / "opt"
    opensc = touched(library / "opensc-pkcs11.so")
    hca = touched(elsewhere / "libhcapkcs11.so")
    configuration = tmp_path / "modules"
    for name, text in {
        "opensc.module": "# comment\nmodule: opensc-pkcs11.so\n",
        "hca.module": f"trust-policy: no\n  module :  {hca}  \n",
        "unknown.module": "module: p11-kit-client.so\n",
        "none.module": "managed: yes\n",
        "bytes.module": "module: \udcff\n",
        "other.txt": "module: libHicos_p11.so\n",
    }.items():
        touched(configuration / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    found = find((), Places((configuration, tmp_path / "gone"), (library, tmp_path / "nowhere")))
    assert {module.path for module in found} == {opensc, hca}
    assert not any(module.named for module in found)


def test_known_names_in_library_folders(tmp_path: Path) -> None:
    names = ("HCAPKCS11.dll", "opensc-pkcs11.so", "libHicos_p11.so", "libc.so.6", "HCA.txt")
    for name in names:
        touched(tmp_path / name)
    found = find((), Places(libraries=(tmp_path,)))
    assert {module.path.name: set(module.cards) for module in found} == {
        "HCAPKCS11.dll": {For.HPC},
        "opensc-pkcs11.so": {For.OTHER},
        "libHicos_p11.so": {For.MOICA},
    }


def test_the_settings_come_first_and_each_file_once(tmp_path: Path) -> None:
    opensc = touched(tmp_path / "lib/opensc-pkcs11.so")
    link = tmp_path / "lib/pkcs11/opensc-pkcs11.so"
    link.parent.mkdir()
    link.symlink_to(opensc)
    own = named(touched(tmp_path / "vendor.so"))
    again = named(opensc, [For.HPC])
    found = find((own, again), Places(libraries=(link.parent, opensc.parent)))
    assert found == (own, again)


def test_a_module_of_the_settings_that_is_gone_is_kept_to_be_named(tmp_path: Path) -> None:
    gone = named(tmp_path / "gone.so")
    assert find((gone,), Places()) == (gone,)


def test_a_module_of_another_word_size_is_found_last_to_be_named(tmp_path: Path) -> None:
    other = touched(tmp_path / "usr/lib/i386-linux-gnu/pkcs11/libhcapkcs11.so")
    ours = touched(tmp_path / "usr/local/lib/libhcapkcs11.so")
    found = find((), Places.of("linux", tmp_path, tmp_path / "own"))
    assert [module.path for module in found] == [ours, other]


@pytest.mark.parametrize(
    ("system", "path"),
    [
        ("linux", "usr/lib/x86_64-linux-gnu/pkcs11/opensc-pkcs11.so"),
        ("linux", "usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"),
        ("linux", "usr/lib64/pkcs11/opensc-pkcs11.so"),
        ("linux", "usr/local/lib/opensc-pkcs11.so"),
        ("darwin", "Library/OpenSC/lib/opensc-pkcs11.so"),
        ("win32", "Windows/System32/HCAPKCS11.dll"),
        ("win32", "Windows/SysWOW64/HCAPKCS11.dll"),
        ("win32", "Program Files/OpenSC Project/OpenSC/pkcs11/opensc-pkcs11.dll"),
        ("win32", "Program Files (x86)/HCA/HCAPKCS11.dll"),
    ],
)
def test_where_each_system_keeps_modules(tmp_path: Path, system: str, path: str) -> None:
    module = touched(tmp_path / path)
    (found,) = find((), Places.of(system, tmp_path, tmp_path / "own"))
    assert found.path == module


def test_the_persons_own_configuration_comes_first(tmp_path: Path) -> None:
    own = touched(tmp_path / "own/pkcs11/modules/a.module")
    everybody_s = touched(tmp_path / "etc/pkcs11/modules/b.module")
    for file, module in ((own, "/opt/a/libhcapkcs11.so"), (everybody_s, "/opt/b/libhcapkcs11.so")):
        file.write_text(f"module: {module}\n")
    found = find((), Places.of("linux", tmp_path, tmp_path / "own"))
    expected = [tmp_path / "opt/a/libhcapkcs11.so", tmp_path / "opt/b/libhcapkcs11.so"]
    assert [module.path for module in found] == expected


def test_this_systems_places_are_folders_by_full_path() -> None:
    places = Places.of_this_system()
    assert places.libraries
    assert all(folder.is_absolute() for folder in (*places.configurations, *places.libraries))
