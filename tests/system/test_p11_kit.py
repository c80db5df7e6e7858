"""p11-kit's own library is asked which modules it would load in `hca-bind`: we say the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import softhsm
from pcscd import DEADLINE, Pcscd

from card.pkcs11.p11_kit import PROGRAM, registered

FOLDER = Path("/usr/share/p11-kit/modules")  # compiled in, by Debian and by Fedora
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
while modules[count]:
    print(ctypes.string_at(kit.p11_kit_module_get_name(modules[count])).decode())
    count += 1
"""


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
    if not pcscd_home.private or not FOLDER.is_dir():
        pytest.skip("needs a mount namespace, and p11-kit's files where its library looks")
    modules = {OPENSC: "opensc-pkcs11.so", SOFTHSM: softhsm.MODULE}
    for name, module in modules.items():
        comment = "# enable-in: nobody\n"
        text = f"{comment}module: {module}\n{rule if name == SOFTHSM else ''}\n"
        (tmp_path / f"{name}.module").write_text(text)
    ask = (sys.executable, "-c", ASK, PROGRAM)
    bind = 'mount --bind "$0" "$1" && shift && exec "$@"'
    done = subprocess.run(
        [*pcscd_home.namespace, "sh", "-c", bind, tmp_path, FOLDER, *ask],
        env={"HOME": str(tmp_path / "nobody"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout.split() == ours
    given = registered([tmp_path], Path).given
    assert given == tuple(Path(modules[name]) for name in ours)
