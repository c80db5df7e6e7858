"""The kiosk's systemd unit: what systemd and polkit say of it, and a binding under its lines."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from kiosk import ACCOUNT, AS_ACCOUNT, Place, place
from parts import HCA_BIND, Service, card_in_reader
from pcscd import Pcscd
from terminal import DEADLINE
from test_kiosk import MARKS, bind, bound, marked_card

from screens.language import Language, Words
from tui.kiosk.run import install
from tui.kiosk.unit import out_of_reach, unit

__all__ = ["place"]

POLKITD = Path("/usr/lib/polkit-1/polkitd")
POLICY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/PolicyKit/1.0/policyconfig.dtd">
<policyconfig>
  <action id="org.debian.pcsc-lite.access_pcsc">
    <defaults><allow_active>yes</allow_active></defaults>
    <description>PC/SC</description><message>PC/SC</message></action>
</policyconfig>
"""  # as pcsc-lite has it: only who sits at the computer
ASK_POLKIT = """
set -e
mount -t tmpfs tmpfs /run
mkdir /run/dbus
mount --bind "$0/passwd" /etc/passwd
mount --bind "$0/actions" /usr/share/polkit-1/actions
mount --bind "$0/rules" /etc/polkit-1/rules.d
bus=$(dbus-daemon --system --fork --print-pid)
"$1" >/dev/null 2>&1 &
trap 'kill $! $bus' EXIT
gdbus wait --system --timeout 20 org.freedesktop.PolicyKit1
for user in "$2" 65534; do
    setpriv --reuid="$user" --regid=65534 --clear-groups sh -c 'pkcheck --process $$ \
        --action-id org.debian.pcsc-lite.access_pcsc' && echo yes || echo no
done
"""


def test_the_unit(place: Place) -> None:
    """systemd has nothing against it, and finds little that could still be closed."""
    done = subprocess.run(
        [*place.program, "kiosk", "install", "--print", "--settings", "/etc/hca-bind/kiosk.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    if analyze := shutil.which("systemd-analyze"):
        file = place.folder / "hca-bind-kiosk.service"
        file.write_text(done.stdout)
        for question in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=20"]):
            asked = subprocess.run(
                [analyze, *question, str(file)],
                capture_output=True,
                text=True,
                check=False,
                timeout=DEADLINE,
            )
            assert asked.returncode == 0, f"{asked.stdout}{asked.stderr}"


def test_a_program_that_the_account_cannot_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where root has installed it at home: said when the unit is made, not by systemd later."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        program = home / "hca-bind"
        program.touch()
        monkeypatch.setattr(sys, "argv", [str(program)])
        monkeypatch.setattr(sys, "executable", "/bin/sh")
        for path in (Path(folder), home, program):
            path.chmod(0o755)
        assert out_of_reach() is None
        home.chmod(0o700)
        assert out_of_reach() == program
        assert install(Words(Language.EN), print, Path("/etc/hca-bind/kiosk.toml")) == 1
        assert f"cannot run {program}" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "login"), [("0", True), ("70", False), ("KILL", False)])
def test_the_administrators_exit_leaves_a_login(tmp_path: Path, status: str, login: bool) -> None:
    """Only that one ends with 0 (test_kiosk), and is not followed by another start."""
    text = unit(Path("/etc/hca-bind/kiosk.toml")).replace("\\\n", "")
    lines = text.splitlines()
    assert "RestartPreventExitStatus=0" in lines
    (after,) = (line for line in lines if line.startswith("ExecStopPost=+"))
    command = shlex.split(after.removeprefix("ExecStopPost=+").replace("$$", "$"))
    asked, systemctl = tmp_path / "asked", tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >{asked}\n')
    systemctl.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "EXIT_STATUS": status}
    subprocess.run(command, env=environment, check=True)
    assert asked.exists() is login
    assert not login or asked.read_text().endswith("start getty@tty1.service\n")


def test_a_binding_under_the_units_lines(
    place: Place, pcscd: Pcscd, sandbox: Service, authority_folder: Path
) -> None:
    """What they take away is nothing that a wizard needs: terminal, pcscd's socket, the network."""
    if not shutil.which("systemd-analyze") or not pcscd.private:
        pytest.skip("neither systemd's groups of system calls nor a mount namespace to be had")
    file = place.folder / "hca-bind-kiosk.service"
    file.write_text(unit(Path("/etc/hca-bind/kiosk.toml")))
    kept = {place.folder, Path(HCA_BIND).parents[2], Path(sys.base_prefix)}
    account = f"{MARKS['account']}.unit"
    hardened = [
        *("unshare", "--mount", sys.executable, str(Path(__file__).with_name("hardened.py"))),
        *(str(file), str(ACCOUNT), *map(str, kept), "--"),
        *place.program[len(AS_ACCOUNT) :],
    ]
    with place.kiosk(program=hardened) as kiosk:
        status = Path(f"/proc/{kiosk.child}/status").read_text()
        for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"):
            assert line in status
        with card_in_reader(pcscd, marked_card(authority_folder)):
            bind(kiosk, account)
    assert bound(sandbox, account)


def test_the_rule_for_polkit(place: Place) -> None:
    """polkit itself takes it: it lets the kiosk's account through to pcscd, and nobody else."""
    namespace = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    tools = ("dbus-daemon", "gdbus", "pkcheck")
    if namespace.returncode or not POLKITD.exists() or not all(map(shutil.which, tools)):
        pytest.skip("no polkit here, or no mount namespace for it")
    for name in ("actions", "rules"):
        (place.folder / name).mkdir(mode=0o755)
    (place.folder / "actions" / "org.debian.pcsc-lite.policy").write_text(POLICY)
    lines = [line.removeprefix("# ") for line in unit(Path("kiosk.toml")).splitlines()]
    first = next(at for at, line in enumerate(lines) if "polkit.addRule" in line)
    rule = lines[first : lines.index("  });") + 1]
    (place.folder / "rules" / "50-hca-bind-kiosk.rules").write_text("\n".join(rule))
    known = Path("/etc/passwd").read_text()
    kiosk = f"hca-kiosk:x:{ACCOUNT}:65534::/nonexistent:/usr/sbin/nologin\n"
    (place.folder / "passwd").write_text(known + kiosk)
    command = ["unshare", "--mount", "sh", "-c", ASK_POLKIT, str(place.folder), str(POLKITD)]
    done = subprocess.run(
        [*command, str(ACCOUNT)], capture_output=True, text=True, check=False, timeout=DEADLINE * 2
    )
    answers = [line for line in done.stdout.splitlines() if line in {"yes", "no"}]
    assert answers == ["yes", "no"], done.stderr
