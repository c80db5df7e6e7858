"""p11-kit's own library is asked which modules it would load in `hca-bind`: we say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
import softhsm
from parts import HCA_BIND, card_in_reader
from pcscd import DEADLINE, Pcscd
from pkcs11_module import build

from card.pkcs11.p11_kit import PROGRAM, Registry, registered
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

FOLDER = Path("/usr/share/p11-kit/modules")  # compiled in, by Debian and by Fedora
SYSTEM = Path("/etc/pkcs11")  # too
OPENSC, SOFTHSM = "opensc", "softhsm"  # the names of the two files
ASK = """
import ctypes, sys
kit = ctypes.CDLL("libp11-kit.so.0")
kit.p11_kit_set_progname(sys.argv[1].encode())
kit.p11_kit_modules_load.restype = ctypes.POINTER(ctypes.c_void_p)
kit.p11_kit_module_get_name.restype = ctypes.c_void_p
kit.p11_kit_module_get_name.argtypes = [ctypes.c_void_p]
modules = kit.p11_kit_modules_load(None, 0)
count = 0
while modules and modules[count]:
    print(ctypes.string_at(kit.p11_kit_module_get_name(modules[count])).decode())
    count += 1
"""


MODULES = {OPENSC: "opensc-pkcs11.so", SOFTHSM: softhsm.MODULE}
AS_ROOT: tuple[str, ...] = ()
AS_PERSON = ("unshare", "-U", "--map-user=1000")  # root by another number, whom no file denies


class Files:
    """p11-kit's three folders, in one of a test's."""

    def __init__(self, folder: Path) -> None:
        self._package, self.system = folder / "package", folder / "system"
        self._home = folder / "home"
        self.own = self._home / ".config/pkcs11"
        for each in (self._package, self.system, self.own / "modules"):
            each.mkdir(parents=True)

    def package(self, name: str, rule: str = "") -> None:
        self._write(self._package, name, rule)

    def administrators(self, name: str, text: str) -> Path:
        file = self.system / "modules" / name
        file.parent.mkdir()
        file.write_text(text)
        return file

    def persons(self, name: str, rule: str = "") -> None:
        self._write(self.own / "modules", name, rule)

    def _write(self, folder: Path, name: str, rule: str) -> None:
        text = f"# enable-in: nobody\nmodule: {MODULES[name]}\n{rule}\n"
        (folder / f"{name}.module").write_text(text)

    def given(self, *, own: bool = True) -> list[str]:
        """The names of what we say is given to this program."""
        folders = (self.system / "modules", self._package)
        registry = Registry(self.system / "pkcs11.conf", folders, self.own if own else None)
        names = {Path(module): name for name, module in MODULES.items()}
        return [names[path] for path in registered(registry, Path).given]

    def in_place(self, pcscd: Pcscd) -> list[str]:
        """The command that runs its argument where these files are the system's."""
        if not pcscd.private or not FOLDER.is_dir() or not SYSTEM.is_dir():
            pytest.skip("needs a mount namespace, and p11-kit's files where its library looks")
        bind = 'mount --bind "$0" "$1" && mount --bind "$2" "$3" && shift 3 && exec "$@"'
        places = (str(self._package), str(FOLDER), str(self.system), str(SYSTEM))
        return [*pcscd.namespace, "sh", "-c", bind, *places]

    def asked(
        self, pcscd: Pcscd, who: tuple[str, ...], told: dict[str, str] | None = None
    ) -> list[str]:
        """What libp11-kit loads in a program of this name."""
        if subprocess.run([*pcscd.namespace, *who, "true"], check=False).returncode != 0:
            pytest.skip("needs a user namespace in which nobody is root")
        done = subprocess.run(
            [*self.in_place(pcscd), *who, sys.executable, "-c", ASK, PROGRAM],
            env={"HOME": str(self._home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(told or {})},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
        return done.stdout.split()


@pytest.mark.parametrize(
    ("rule", "ours"),
    [
        ("", [OPENSC, SOFTHSM]),
        ("enable-in: firefox, hca-bind", [OPENSC, SOFTHSM]),
        ("enable-in:\tssh\thca-bind", [OPENSC, SOFTHSM]),
        ("enable-in: xhca-bind", [OPENSC]),
        ("enable-in:", [OPENSC]),
        ("disable-in: firefox,hca-bind", [OPENSC]),
        ("disable-in: hca-bind-connect", [OPENSC, SOFTHSM]),
        ("disable-in: firefox\ndisable-in: hca-bind", [OPENSC]),
        ("enable-in: hca-bind\ndisable-in: hca-bind", [OPENSC, SOFTHSM]),
        ("enable-in: ssh\ndisable-in: ssh", [OPENSC]),
        ("module:", [OPENSC]),
        ("priority: 1", [SOFTHSM, OPENSC]),
        ("priority: high", [OPENSC, SOFTHSM]),
    ],
)
def test_p11_kit_says_the_same(
    pcscd_home: Pcscd, tmp_path: Path, rule: str, ours: list[str]
) -> None:
    files = Files(tmp_path)
    files.package(OPENSC)
    files.package(SOFTHSM, rule)
    assert files.given() == ours
    assert files.asked(pcscd_home, AS_ROOT) == ours


@pytest.mark.parametrize(
    ("theirs", "own", "ours"),
    [
        (None, None, [OPENSC, SOFTHSM]),
        ("user-config: merge", None, [OPENSC, SOFTHSM]),
        ("user-config: none", None, [OPENSC]),
        ("user-config: none", "user-config: only", [OPENSC]),
        ("user-config: none", "user-config: sometimes", [OPENSC]),
        ("user-config: only", None, [SOFTHSM]),
        ("user-config: override", None, [SOFTHSM]),
        ("user-config: only", "user-config: merge", [OPENSC, SOFTHSM]),
        ("user-config: only", "user-config: none", [OPENSC]),
        ("x-other: 1\n user-config :none\r", "x-other: 2", [OPENSC]),
        ("user-config: none\nuser-config: merge", None, [OPENSC, SOFTHSM]),
        ("# user-config: none", "# user-config: none", [OPENSC, SOFTHSM]),
        ("\ufeffuser-config: none", None, [OPENSC, SOFTHSM]),
        (None, "user-config: none", [OPENSC]),
        (None, "user-config: only", [SOFTHSM]),
        (None, "user-config: override", [SOFTHSM]),
        ("user-config: None", None, []),
        ("user-config:", None, []),
        ("user-config: none\nno colon", None, []),
        ("[section]", None, []),
        ("-----BEGIN X: Y", None, []),
        (None, "user-config: sometimes", []),
        (None, "no colon", []),
    ],
)
def test_whose_files_are_read(
    pcscd_home: Pcscd, tmp_path: Path, theirs: str | None, own: str | None, ours: list[str]
) -> None:
    """By pkcs11.conf and the person's own: the latter has SoftHSM2, the system OpenSC."""
    files = Files(tmp_path)
    files.package(OPENSC)
    files.persons(SOFTHSM)
    for folder, text in ((files.system, theirs), (files.own, own)):
        if text is not None:
            (folder / "pkcs11.conf").write_text(text + "\n", newline="")
    assert files.given() == ours
    assert files.asked(pcscd_home, AS_PERSON) == ours


@pytest.mark.parametrize("read", [True, False])
def test_a_line_that_is_not_understood(pcscd_home: Pcscd, tmp_path: Path, *, read: bool) -> None:
    files = Files(tmp_path)
    files.package(OPENSC)
    files.persons(SOFTHSM, "no colon")
    if not read:
        (files.system / "pkcs11.conf").write_text("user-config: none\n")
    ours = [] if read else [OPENSC]
    assert files.given() == ours
    assert files.asked(pcscd_home, AS_PERSON) == ours


@pytest.mark.parametrize(
    ("who", "told"), [((), {}), (AS_PERSON, {"P11_KIT_NO_USER_CONFIG": ""})], ids=["root", "told"]
)
@pytest.mark.parametrize("theirs", ["", "user-config: only"])
def test_nobodys_own_files(
    pcscd_home: Pcscd, tmp_path: Path, who: tuple[str, ...], told: dict[str, str], theirs: str
) -> None:
    files = Files(tmp_path)
    files.package(OPENSC)
    files.persons(SOFTHSM)
    (files.system / "pkcs11.conf").write_text(theirs)
    assert files.given(own=False) == [OPENSC]
    assert files.asked(pcscd_home, who, told) == [OPENSC]


HPC = 'kind = "foreign"\natr = "3BF91800008131FE4550565F4A3244303831B6"\n'


def test_the_program_says_which_file_keeps_a_cards_module(pcscd: Pcscd, tmp_path: Path) -> None:
    """Where a card needs it: in the component check, and of the card in its reader."""
    files = Files(tmp_path)
    module = build(tmp_path / "vendor/libhcapkcs11.so")
    file = files.administrators("hca.module", f"module: {module}\ndisable-in: {PROGRAM}\n")
    told = str(SYSTEM / "modules" / file.name)  # where the program sees it

    def said(command: str, *, as_json: bool = True) -> str:
        done = subprocess.run(
            [*files.in_place(pcscd), HCA_BIND, command, *(["--json"] if as_json else [])],
            env={**pcscd.environment, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=DEADLINE,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout

    def row() -> dict[str, object]:
        (found,) = [
            row for row in json.loads(said("components"))["components"] if row["part"] == "module"
        ]
        return cast("dict[str, object]", found)

    with card_in_reader(pcscd, VirtualCard(Profile.parse(HPC))):
        kept = row()
        assert (kept["state"], kept["code"]) == ("kept", "card.module.kept")
        assert kept["facts"] == {"path": str(module), "file": told}
        assert told in said("components", as_json=False)
        assert json.loads(said("readers").splitlines()[0])["code"] == "card.module.kept"
        assert "card.module.kept" in said("doctor")
        file.write_text(f"module: {module}\n")
        assert (row()["state"], row()["path"]) == ("present", str(module))
