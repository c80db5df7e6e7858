"""`hca-bind passthrough host-setup`: what the host's sshd needs, and what it has of it."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from screens.language import N_, Words

FINE, LACKING, UNKNOWN = 0, 1, 3  # exit statuses
FILE = "/etc/ssh/sshd_config.d/50-hca-bind.conf"
SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin")  # where sshd is, though not on everyone's PATH
SECONDS = 10.0
LONGEST_SILENCE = 60  # seconds between two questions whether the terminal is still there
OWN_MASK = 0o177  # a socket that its owner alone may open

Settings = Mapping[str, tuple[str, ...]]  # an option in small letters, its values word by word


@dataclass(frozen=True)
class Need:
    """One option of sshd_config(5): the value to set, when another is as good, and why."""

    option: str
    value: str
    good: Callable[[tuple[str, ...]], bool]
    why: str  # message id
    required: bool = True


def _one_of(*values: str) -> Callable[[tuple[str, ...]], bool]:
    return lambda given: given[:1] in [(value,) for value in values]


def _asks_often(given: tuple[str, ...]) -> bool:
    return bool(given) and given[0].isdecimal() and 0 < int(given[0]) <= LONGEST_SILENCE


def _keeps_others_out(given: tuple[str, ...]) -> bool:
    return bool(given) and int(given[0], 8) & OWN_MASK == OWN_MASK


def _takes_language(given: tuple[str, ...]) -> bool:
    return "LANG" in given and "PCSCLITE_CSOCK_NAME" in given


NEEDS = (
    Need(
        "AllowStreamLocalForwarding",
        "yes",
        _one_of("yes", "all", "remote"),
        N_("Without it no reader can be forwarded."),
    ),
    Need(
        "DisableForwarding",
        "no",
        _one_of("no"),
        N_("It would switch every forward off, whatever else is set."),
    ),
    Need(
        "StreamLocalBindMask",
        "0177",
        _keeps_others_out,
        N_("Nobody else on this host may open the forwarded reader, or hca-bind refuses it."),
    ),
    Need(
        "StreamLocalBindUnlink",
        "yes",
        _one_of("yes"),
        N_("A socket left by a broken connection gives way to the next (plain ssh -R)."),
        required=False,
    ),
    Need(
        "ClientAliveInterval",
        "15",
        _asks_often,
        N_("A terminal that is switched off is noticed within a minute."),
        required=False,
    ),
    Need(
        "AcceptEnv",
        "LANG LC_* PCSCLITE_CSOCK_NAME",
        _takes_language,
        N_("Language and socket arrive also without hca-bind-connect (ssh -o SendEnv)."),
        required=False,
    ),
)


def setup_text(words: Words) -> str:
    """The lines for sshd_config, each with its reason."""
    lines = [f"# {FILE}"]
    for need in NEEDS:
        lines += [f"# {words(need.why)}", f"{need.option} {need.value}"]
    return "\n".join(lines)


def effective(config: Path | None = None) -> Settings | None:
    """What sshd says is in force for this user (sshd -T); None where it cannot be asked.

    It reads its host keys first, so on most systems only root may ask.
    """
    search = os.pathsep.join((os.environ.get("PATH", ""), *SBIN))
    sshd = shutil.which("sshd", path=search)
    if sshd is None:
        return None
    who = f"user={getpass.getuser()},host=localhost,addr=127.0.0.1"
    command = [sshd, "-T", "-C", who, *(("-f", str(config)) if config else ())]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # it quotes file names, whatever they are
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(done.stdout) if done.returncode == 0 else None


def parse(output: str) -> Settings:
    """The settings in what `sshd -T` prints; an option that comes twice has all its values."""
    found: dict[str, tuple[str, ...]] = {}
    for line in output.splitlines():
        option, *values = line.split()
        found[option.lower()] = (*found.get(option.lower(), ()), *values)
    return found


def checked(settings: Settings) -> Iterator[tuple[Need, bool]]:
    """Every need, and whether `settings` meet it."""
    for need in NEEDS:
        yield need, need.good(settings.get(need.option.lower(), ()))


def report(words: Words, say: Callable[[str], object], config: Path | None = None) -> int:
    """Print what sshd needs and what it has; FINE, LACKING or UNKNOWN."""
    _ = words
    say(setup_text(words))
    say("")
    settings = effective(config)
    if settings is None:
        say(_("sshd does not tell this user its settings; to have them checked, run this as root."))
        return UNKNOWN
    lacking = False
    for need, good in checked(settings):
        now = " ".join(settings.get(need.option.lower(), ())) or "-"
        mark = " OK " if good else " !! " if need.required else "note"
        say(f"[{mark}] {need.option} {now}")
        lacking = lacking or (need.required and not good)
    tmux = shutil.which("tmux")
    say(f"[{' OK ' if tmux else 'note'}] tmux {tmux or '-'}")
    if tmux is None:
        say(_("Without tmux here a broken connection loses what was typed."))
    if lacking:
        say(_("Put the lines above into that file, then reload sshd: systemctl reload ssh"))
    return LACKING if lacking else FINE
