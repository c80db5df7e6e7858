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


def registry(tmp_path: Path, files: dict[str, str]) -> list[str]:
    """The found modules' names, with these files of p11-kit's; "own/..." are the person's."""
    for name, text in files.items():
        own = name.startswith("own/")
        folder = tmp_path / ("own/pkcs11/modules" if own else "etc/pkcs11/modules")
        touched(folder / name.removeprefix("own/")).write_text(text)
    found = find((), Places.of("linux", tmp_path, tmp_path / "own"))
    return [module.path.name for module in found]


HCA, OPENSC = "libhcapkcs11.so", "opensc-pkcs11.so"


@pytest.mark.parametrize(
    ("rule", "ours"),
    [
        ("", True),
        ("enable-in: hca-bind", True),
        ("enable-in: firefox, hca-bind", True),
        ("enable-in: firefox,hca-bind,ssh", True),
        ("enable-in :  firefox  hca-bind ", True),
        ("enable-in: firefox", False),
        ("enable-in: xhca-bind, hca-bind-connect", False),
        ("enable-in:", False),
        ("disable-in: hca-bind", False),
        ("disable-in: p11-kit-proxy, hca-bind", False),
        ("disable-in: p11-kit-proxy", True),
        ("disable-in: hca-bind-connect", True),
        ("disable-in:", True),
        ("# disable-in: hca-bind", True),
        ("disable-in: firefox\ndisable-in: hca-bind", False),  # the last one in a file counts
        # Both, which the manual forbids: p11-kit itself goes by enable-in then.
        ("enable-in: hca-bind\ndisable-in: hca-bind", True),
        ("enable-in: ssh\ndisable-in: ssh", False),
    ],
)
def test_enable_in_and_disable_in(tmp_path: Path, rule: str, *, ours: bool) -> None:
    """Wherever the module lies: by its full path, or where we would find it by its name."""
    touched(tmp_path / "usr/lib" / HCA)
    for module in (HCA, f"/usr/lib/{HCA}"):
        files = {"hca.module": f"module: {module}\n{rule}\n"}
        assert registry(tmp_path, files) == ([HCA] if ours else [])


def test_a_module_that_is_kept_from_us_may_be_named_by_the_settings(tmp_path: Path) -> None:
    library = touched(tmp_path / "usr/lib" / HCA)
    assert registry(tmp_path, {"hca.module": f"module: {HCA}\ndisable-in: hca-bind\n"}) == []
    own = named(library)
    assert find((own,), Places.of("linux", tmp_path, tmp_path / "own")) == (own,)


def test_what_one_file_keeps_from_us_another_may_give(tmp_path: Path) -> None:
    touched(tmp_path / "usr/lib" / HCA)
    (tmp_path / "usr/lib/other.so").symlink_to(HCA)
    files = {"a.module": "module: other.so\ndisable-in: hca-bind", "b.module": f"module: {HCA}"}
    assert registry(tmp_path, files) == [HCA]


def test_the_persons_own_file_overrides_the_one_of_its_name(tmp_path: Path) -> None:
    """Each setting by itself; a blank module is no module."""
    touched(tmp_path / "usr/lib" / HCA)
    theirs = {"hca.module": f"module: {HCA}\ndisable-in: hca-bind\n"}
    assert registry(tmp_path, {**theirs, "own/other.module": "disable-in: firefox"}) == []
    assert registry(tmp_path, {**theirs, "own/hca.module": "disable-in: firefox"}) == [HCA]
    assert registry(tmp_path, {"hca.module": f"module: {HCA}", "own/hca.module": "module:"}) == []
    own = touched(tmp_path / "opt/libhcapkcs11v2.so")
    files = {"hca.module": f"module: {HCA}", "own/hca.module": "module: /opt/libhcapkcs11v2.so"}
    assert registry(tmp_path, files) == [own.name]


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [
        ("", "", [HCA, OPENSC]),
        ("", "priority: 1", [OPENSC, HCA]),
        ("priority: -1", "", [OPENSC, HCA]),
        ("priority: 10", "priority: 9", [HCA, OPENSC]),
        ("priority: high", "priority: 1", [OPENSC, HCA]),
    ],
)
def test_higher_priority_first_then_the_alphabet(
    tmp_path: Path, first: str, second: str, order: list[str]
) -> None:
    files = {
        "own/b.module": f"module: /opt/{OPENSC}\n{second}\n",
        "a.module": f"module: /opt/{HCA}\n{first}\n",
    }
    assert registry(tmp_path, files) == order


def test_this_systems_places_are_folders_by_full_path() -> None:
    places = Places.of_this_system()
    assert places.libraries
    assert all(folder.is_absolute() for folder in (*places.configurations, *places.libraries))
