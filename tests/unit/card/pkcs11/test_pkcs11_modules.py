"""Which modules are found, and which cards each is offered to."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.errors import CardModuleKept, CardModuleMissing
from card.pkcs11.modules import For, Module, Places, find, lack, maker, named
from card.pkcs11.p11_kit import Registry, own_folder


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
    registry = Registry(tmp_path / "pkcs11.conf", (configuration, tmp_path / "gone"))
    for name, text in {
        "opensc.module": "# comment\nmodule: opensc-pkcs11.so\n",
        "hca.module": f"trust-policy: no\n  module :  {hca}  \n",
        "unknown.module": "module: p11-kit-client.so\n",
        "none.module": "managed: yes\n",
        "bytes.module": "module: \udcff\n",
        "other.txt": "module: libHicos_p11.so\n",
    }.items():
        touched(configuration / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    found = find((), Places(registry, (library, tmp_path / "nowhere")))
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


def looked(tmp_path: Path, files: dict[str, str]) -> tuple[Module, ...]:
    """What is found with these files of p11-kit's; "own/..." are the person's."""
    for name, text in files.items():
        base = tmp_path / ("own" if name.startswith("own/") else "etc/pkcs11")
        file = base / Path(name).name
        touched(file if file.suffix == ".conf" else base / "modules" / file.name).write_text(text)
    return find((), Places.of("linux", tmp_path, tmp_path / "own"))


def registry(tmp_path: Path, files: dict[str, str]) -> list[str]:
    """The names of those that may be used."""
    return [module.path.name for module in looked(tmp_path, files) if module.kept is None]


def keeper(tmp_path: Path, files: dict[str, str]) -> str:
    """The file that keeps the one module there is."""
    (module,) = looked(tmp_path, files)
    assert module.kept is not None
    return str(module.kept.relative_to(tmp_path))


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


@pytest.mark.parametrize(
    ("theirs", "own", "ours"),
    [
        ("", "", [HCA, OPENSC]),
        ("user-config: merge", "", [HCA, OPENSC]),
        ("user-config: none", "", [OPENSC]),
        ("user-config: none", "user-config: only", [OPENSC]),
        ("user-config: none", "user-config: sometimes", [OPENSC]),
        ("user-config: only", "", [HCA]),
        ("user-config: override", "", [HCA]),
        ("user-config: only", "user-config: merge", [HCA, OPENSC]),
        ("", "user-config: none", [OPENSC]),
        ("", "user-config: only", [HCA]),
        ("user-config: sometimes", "", []),
        ("user-config: merge", "user-config:", []),
        ("no colon", "", []),
        ("", "[section]", []),
    ],
)
def test_whose_files_are_read(tmp_path: Path, theirs: str, own: str, ours: list[str]) -> None:
    """The person's has HCA's module, the system's OpenSC's."""
    for name in (HCA, OPENSC):
        touched(tmp_path / "usr/lib" / name)
    modules = {"own/a.module": f"module: {HCA}", "b.module": f"module: {OPENSC}"}
    files = {**modules, "pkcs11.conf": theirs, "own/pkcs11.conf": own}
    assert registry(tmp_path, files) == ours
    said = {module.kept for module in looked(tmp_path, files) if module.kept is not None}
    decides = "own" if own and theirs != "user-config: none" else "etc/pkcs11"
    assert said == ({tmp_path / decides / "pkcs11.conf"} if len(ours) < 2 else set())


@pytest.mark.parametrize("line", ["no colon", "[section]", "-----BEGIN CERTIFICATE-----"])
def test_a_line_that_p11_kit_does_not_understand_ends_all(tmp_path: Path, line: str) -> None:
    touched(tmp_path / "usr/lib" / HCA)
    hca = {"hca.module": f"module: {HCA}"}
    assert keeper(tmp_path, {**hca, "b.module": line}) == "etc/pkcs11/modules/b.module"
    assert keeper(tmp_path, {**hca, "own/c.module": f"x: y\n{line}", "b.module": ""}) == (
        "own/modules/c.module"
    )
    assert registry(tmp_path, {**hca, "pkcs11.conf": "user-config: none"}) == [HCA]


def test_which_file_keeps_a_module(tmp_path: Path) -> None:
    library = touched(tmp_path / "usr/lib" / HCA)
    assert keeper(tmp_path, {"hca.module": f"module: {HCA}\nenable-in: ssh"}) == (
        "etc/pkcs11/modules/hca.module"
    )
    files = {"hca.module": f"module: {HCA}", "own/hca.module": "disable-in: hca-bind"}
    assert keeper(tmp_path, files) == "own/modules/hca.module"
    assert keeper(tmp_path, {**files, "own/hca.module": "module:"}) == "own/modules/hca.module"
    error = lack(looked(tmp_path, files))
    assert isinstance(error, CardModuleKept)
    assert error.facts() == {
        "path": str(library),
        "file": str(tmp_path / "own/modules/hca.module"),
    }
    library.unlink()
    error = lack(looked(tmp_path, files))  # it is not even there
    assert (type(error), looked(tmp_path, files)) == (CardModuleMissing, ())


def test_whose_own_files_are_read_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("P11_KIT_NO_USER_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "")
    monkeypatch.setattr("os.getuid", lambda: 1000)
    assert own_folder() == tmp_path / ".config/pkcs11"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert own_folder() == Path("/elsewhere/pkcs11")
    monkeypatch.setenv("P11_KIT_NO_USER_CONFIG", "")
    assert own_folder() is None
    monkeypatch.delenv("P11_KIT_NO_USER_CONFIG")
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert own_folder() is None


def test_a_file_of_a_list_is_found_by_its_name(tmp_path: Path) -> None:
    library = touched(tmp_path / "usr/lib/libUnheardOf.so")
    places = Places.of("linux", tmp_path)
    assert find((), places) == ()
    assert find((), places, ["LIBunheardof.so"]) == (Module(library, frozenset()),)


def test_this_systems_places_are_folders_by_full_path() -> None:
    places = Places.of_this_system()
    assert places.registry is not None
    assert places.registry.folders
    assert places.libraries
    assert all(folder.is_absolute() for folder in (*places.registry.folders, *places.libraries))
