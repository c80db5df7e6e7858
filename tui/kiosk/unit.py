"""A systemd unit for a kiosk on a virtual terminal, and systemd's own opinion of it."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from tui.errors import FileUnusable

NAME = "hca-bind-kiosk.service"
TERMINAL = "tty1"
CHECK_SECONDS = 20.0

# DeviceAllow and the address families leave what a wizard needs: its terminal, pcscd's socket and
# the network; nothing is ever written to a file system. Left out on purpose: MemoryDenyWriteExecute
# (ffi closures of Python libraries need such memory), ~@resources (the kiosk sets limits of its
# own), PrivateDevices (it hides the terminal), PrivateUsers (pcscd's polkit asks who is calling).
UNIT = """\
# {path}
# Setting it up:
#   useradd --system --user-group --no-create-home --shell /usr/sbin/nologin hca-kiosk
#   hca-bind kiosk settings > {settings}   (root's; then fill it in)
#   chown root:hca-kiosk {settings}; chmod 640 {settings}
#   systemctl daemon-reload
#   systemctl disable --now getty@{tty}
#   systemctl enable --now {name}
# Keys that the kernel and systemd answer, not the kiosk: Alt+F2 offers a login, Ctrl+Alt+Del
# restarts the computer, Alt+SysRq more.
#   /etc/systemd/logind.conf.d/50-hca-bind-kiosk.conf:  [Login], NAutoVTs=0 and ReserveVT=0, a line
#   each; then systemctl restart systemd-logind
#   systemctl mask ctrl-alt-del.target
#   echo kernel.sysrq=0 > /etc/sysctl.d/50-hca-bind-kiosk.conf; sysctl --system
# Where pcscd asks polkit (newer Debian, Ubuntu), /etc/polkit-1/rules.d/50-hca-bind-kiosk.rules:
#   polkit.addRule(function(action, subject) {{
#     if (action.id.indexOf("org.debian.pcsc-lite.") == 0 && subject.user == "hca-kiosk")
#       return polkit.Result.YES;
#   }});
# The console of Linux has no Chinese characters, so the kiosk speaks English on it. Under kmscon,
# which draws as root, it speaks Chinese: leave out User=, StandardInput=, DevicePolicy= and the
# lines after "no way to more", and give
#   ExecStart=/usr/bin/kmscon --vt={tty} --seats=seat0 --no-switchvt --login -- \\
#     /usr/bin/setpriv --reuid=hca-kiosk --regid=hca-kiosk --init-groups --no-new-privs \\
#     --bounding-set=-all {command}

[Unit]
Description=Card binding kiosk on {tty}
After=systemd-user-sessions.service getty-pre.target network-online.target pcscd.socket
Wants=network-online.target
Conflicts=getty@{tty}.service
StartLimitIntervalSec=0

[Service]
ExecStart={command}
# Again after whatever end, but for the administrator's: that leaves a login on the terminal.
Restart=always
RestartPreventExitStatus=0
RestartSec=1
ExecStopPost=+/bin/sh -c 'test "$$EXIT_STATUS" != 0 || \
    exec systemctl --no-block --job-mode=fail start getty@{tty}.service'
User=hca-kiosk
# The journal tells of turns that crashed, and of nothing else.
SyslogIdentifier=hca-bind-kiosk

# the terminal, emptied before and after
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/{tty}
TTYReset=yes
TTYVHangup=yes
TTYVTDisallocate=yes
Environment=TERM=linux
UnsetEnvironment=LANG LANGUAGE LC_ALL HOME
IgnoreSIGPIPE=yes
SendSIGHUP=no
KillMode=mixed
TimeoutStopSec=10

# nothing of a person on disk, in swap or in a core
LimitCORE=0
MemorySwapMax=0
MemoryMax=768M
TasksMax=64
UMask=0077
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateMounts=yes

# and no way to more than a wizard needs
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
DevicePolicy=closed
DeviceAllow=/dev/{tty} rw
PrivateIPC=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @debug @mount @swap @reboot @module @raw-io @obsolete

[Install]
WantedBy=multi-user.target
"""


def unit(settings: Path) -> str:
    """The unit's text, for the program as it is installed here.

    Raises FileUnusable for a path that would be more than a word in a line of it.
    """
    if not str(settings).isprintable():
        raise FileUnusable(str(settings))
    command = f"{_program()} kiosk --settings {settings}"
    return UNIT.format(
        path=f"/etc/systemd/system/{NAME}",
        settings=settings,
        name=NAME,
        tty=TERMINAL,
        command=command,
    )


def out_of_reach() -> Path | None:
    """What of this program the kiosk's account cannot run, as where root installed it at home."""
    for file in (_program(), Path(sys.executable).resolve()):
        if not all(each.stat().st_mode & stat.S_IXOTH for each in (file, *file.parents)):
            return file
    return None


def _program() -> Path:
    return Path(shutil.which(sys.argv[0]) or "/usr/bin/hca-bind").absolute()


def complaints(text: str) -> list[str] | None:
    """What `systemd-analyze verify` says against the unit; None where there is none to ask."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        file.write_text(text, "utf-8")
        try:
            said = subprocess.run(
                [analyze, "verify", "--man=no", "--recursive-errors=no", str(file)],
                capture_output=True,
                text=True,
                check=False,
                timeout=CHECK_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    lines = f"{said.stdout}{said.stderr}".replace(f"{folder}/", "").splitlines()
    return [line for line in lines if NAME in line] if said.returncode else []
