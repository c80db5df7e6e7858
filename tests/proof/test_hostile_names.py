"""Hostile file names, variables, settings and lists of components, for the installed program."""

from __future__ import annotations

import base64
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from figures import Figures
from hostile import NO_UTF8, hostile, obeyed, put, texts
from parts import HCA_BIND
from terminal import Terminal

from client.components.manifest import MANIFEST, SIGNATURE, TYPE, key_name
from screens.language import Language, Words

PART = 5  # of so many single fields one, in everyday runs
NOWHERE = "https://127.0.0.1:9"
TEXT = hostile("Given", 900).replace("\x00", "") + NO_UTF8
NAME = ("Name" + TEXT.replace("/", ""))[:60] + NO_UTF8  # of a file: at most 255 bytes
_ = Words(Language.ZH)

COMMANDS = {
    "service": ["verify", "--service", "{text}"],
    "CA file": ["verify", "--service", NOWHERE, "--ca", "{text}"],
    "reader": ["verify", "--service", NOWHERE, "--reader", "{text}"],
    "account": ["bind", "--purpose", "rebind", "--service", NOWHERE, "--account", "{text}"],
    "form": ["bind", "--purpose", "register", "--service", NOWHERE, "--form", "{text}"],
    "trace": ["--trace", "/nonexistent/{text}", "--service", NOWHERE],
    "profile": ["virtual-card", "--vpcd", "127.0.0.1:9", "--profile", "{text}"],
    "card's authority": [
        "virtual-card",
        "--vpcd",
        "127.0.0.1:9",
        "--authority",
        "/dev/null/{name}",
    ],
    "card's address": ["virtual-card", "--vpcd", "{text}"],
    "data folder": ["sandbox", "--port", "0", "--data", "/dev/null/{text}"],
    "card CA": ["sandbox", "--port", "0", "--data", "{folder}/data", "--card-ca", "{text}"],
    "component folder": ["components", "--components", "{text}"],
    "component key": ["components", "--components", "{folder}", "--component-key", "{text}"],
    "message": ["explain", "{text}"],
    "message as JSON": ["explain", "--json", "{text}"],
    "support code": ["decode", "{text}"],
    "scenario": ["demo", "--scenario", "{text}"],
    "kiosk settings": ["kiosk", "--settings", "{folder}/{name}"],
    "kiosk unit": ["kiosk", "install", "--settings", "{folder}/{name}"],
    "sshd's settings": ["passthrough", "host-setup", "--sshd-config", "{folder}/{name}"],
    "report": ["report", "--output", "{folder}/{name}"],
    "report nowhere": ["report", "--output", "/nonexistent/{text}"],
    "unknown command": ["{text}"],
    "unknown option": ["verify", "--{text}"],
}
KEY = Ed25519PrivateKey.generate()
COMPONENT = {
    "id": "test-library",
    "part": "library",
    "name": {"zh-Hant": "測試元件", "en": "test library"},
    "version": "99.1",
    "minimum": "99.0",  # newer than any that is installed, so it is offered
    "licence": "MIT",
    "platform": {"system": "linux", "machine": "any", "distributions": []},
    "cards": ["HPC"],
    "usb": ["0000:0000"],
    "install": {"how": "apt", "packages": ["test-library"]},
}
# Everything that a command reads from its environment.
VARIABLES = {
    "HCA_BIND_SERVICE": "https://{text}",
    "PCSCLITE_CSOCK_NAME": "{folder}/{name}",
    "OPENSC_CONF": "{folder}/{name}",
    "SSH_CONNECTION": "{text}",
    "XRDP_SESSION": "{text}",
    "SESSIONNAME": "RDP-{text}",
    "DISPLAY": "{text}:1{text}",
    "HTTPS_PROXY": "http://{text}",
    "SSL_CERT_FILE": "{folder}/{name}",
    "TERM": "xterm{text}",
    "HOME": "{folder}/{name}",
    "XDG_CONFIG_HOME": "{folder}/{name}/c",
    "XDG_STATE_HOME": "{folder}/{name}/s",
    "XDG_CACHE_HOME": "{folder}/{name}/k",
    "TEXTUAL": "{text}",
}
READING = {
    "doctor": ["doctor"],
    "doctor as JSON": ["doctor", "--json"],
    "report": ["report"],
    "readers": ["readers", "--json"],
    "verify": ["verify"],
    "verify as JSON": ["verify", "--json"],
    "components": ["components"],
    "components as JSON": ["components", "--json"],
}
SETTINGS = {
    "url": "[service]\nurl = {text}\n",
    "ca": f'[service]\nurl = "{NOWHERE}"\nca = {{text}}\n',
    "module": "[pkcs11]\nmodules = [{path}]\n",
    "module's cards": '[pkcs11]\nmodules = [{{ path = "/x", cards = [{text}] }}]\n',
    "anchors": "[card]\nanchors = [{path}]\n",
    "key": "[components]\nkeys = [{text}]\n",
    "unreadable": "{text} = \n",
}


def filled(word: str, folder: Path) -> str:
    return word.format(text=TEXT, name=NAME, folder=folder)


def run(words: list[str], folder: Path, **environment: str) -> bytes:
    """What the program writes to its terminal until it ends; Enter is pressed where it asks."""
    base = {"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with Terminal([HCA_BIND, *words], {**base, **environment}) as screen:
        screen.press("enter")
        assert screen.ends() != 70, screen.text  # no defect either
        written = bytes(screen.written)
    assert written
    return written


def count(figures: Figures, kind: str, written: bytes, own: bool = False) -> list[str]:
    hits = obeyed(written) if own else obeyed(written, own=None)
    figures.count(f"hostile text, {kind}", runs=1, bytes=len(written), hits=len(hits))
    return hits


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_the_command_line_is_obeyed(figures: Figures, tmp_path: Path, name: str) -> None:
    words = [filled(word, tmp_path) for word in COMMANDS[name]]
    environment = {"PCSCLITE_CSOCK_NAME": str(tmp_path / "nowhere")}
    assert count(figures, "command line", run(words, tmp_path, **environment)) == []
    for file in tmp_path.rglob("*.txt"):
        assert obeyed(file.read_bytes(), own=None) == []


@pytest.mark.parametrize("name", READING)
def test_no_variable_is_obeyed(figures: Figures, tmp_path: Path, name: str) -> None:
    environment = {key: filled(value, tmp_path) for key, value in VARIABLES.items()}
    (tmp_path / NAME).mkdir(mode=0o700)
    assert count(figures, "environment", run(READING[name], tmp_path, **environment)) == []


def test_no_variable_alone_is_obeyed(figures: Figures, tmp_path: Path) -> None:
    """For itself: what comes after the first one that cannot be used is seen too."""
    for name in list(VARIABLES)[:: 1 if figures.whole else PART]:
        environment = {"HCA_BIND_SERVICE": NOWHERE, name: filled(VARIABLES[name], tmp_path)}
        assert count(figures, "environment", run(["doctor"], tmp_path, **environment)) == [], name


def test_the_wizard_s_screens_obey_no_variable(figures: Figures, tmp_path: Path) -> None:
    """Its check, the remedy, the doctor and the report in a hostile environment."""
    environment = {key: filled(value, tmp_path) for key, value in VARIABLES.items()}
    environment |= {"TERM": "xterm-256color", "PATH": os.environ["PATH"]}
    del environment["HCA_BIND_SERVICE"]  # nothing else would be looked at
    (tmp_path / NAME).mkdir(mode=0o700)
    with Terminal([HCA_BIND], environment) as screen:
        screen.until(_("What would you like to do?"))
        screen.press("1")
        screen.until("F2 " + _("What to do"))  # offered once every check is done
        step = "1/7"  # stands at the head of the step alone
        for key, shown in (
            ("f2", _("Who can fix it: {fixer}").partition("{")[0]),
            ("esc", step),
            ("f9", _("Is everything in order?")),
            ("esc", step),
        ):
            screen.press(key)
            screen.until(shown)
        screen.press("f8")
        told = "This is everything that will be saved: no PIN, no name, no account. Enter saves it."
        screen.until(_(told))
        screen.press("enter")
        screen.until("hca-bind-report-")
        (report,) = (tmp_path / NAME).glob("hca-bind-report-*")
        written = bytes(screen.written)
    assert count(figures, "environment", written, own=True) == []
    assert obeyed(report.read_bytes(), own=None) == []


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_is_obeyed(figures: Figures, tmp_path: Path, name: str) -> None:
    """TOML writes what it must not hold as \\u0000; a path is one of a file that is there."""
    folder = tmp_path / "hca-bind"
    folder.mkdir()
    there = tmp_path / (NAME.replace(NO_UTF8, "") + ".so")
    there.write_bytes(b"no module")
    text = json.dumps(hostile("Set", 400))
    content = SETTINGS[name].format(text=text, path=json.dumps(str(there)))
    (folder / "settings.toml").write_text(content, "utf-8")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    commands = (["components"], ["verify"], ["readers"], ["doctor"])
    for words in commands if figures.whole else commands[:1]:
        assert count(figures, "settings", run(words, tmp_path, **environment)) == []


# --- a list of components ------------------------------------------------------------------------


def a_list(folder: Path, manifest: object) -> list[str]:
    """The words that have the program read this list, signed with KEY."""
    folder.mkdir(exist_ok=True)
    content = json.dumps(manifest).encode()
    raw = KEY.public_key().public_bytes_raw()
    signature = base64.b64encode(KEY.sign(content)).decode()
    (folder / MANIFEST).write_bytes(content)
    (folder / SIGNATURE).write_text(f"{key_name(raw)} {signature}\n")
    return ["--components", str(folder), "--component-key", base64.b64encode(raw).decode()]


def manifest() -> dict[str, object]:
    now = datetime.now(UTC)
    return {
        "type": TYPE,
        "format": 1,
        "service": "https://reports.example.invalid",
        "serial": time.time_ns() // 1000,
        "issued": now.isoformat(),
        "expires": (now + timedelta(days=9)).isoformat(),
        "components": [COMPONENT],
    }


def test_no_list_of_components_is_obeyed(figures: Figures, tmp_path: Path) -> None:
    """All that is shown at once, in the program's lines and on its screen; then each text alone."""
    whole = manifest()
    for path in (("name", "zh-Hant"), ("name", "en"), ("licence",)):
        whole = put(whole, ("components", 0, *path), hostile("Listed ", 400))
    whole = put(whole, ("service",), hostile("Listed ", 400))
    words = a_list(tmp_path / "list", whole)
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for command in (["components"], ["components", "--json"], ["components", "--get"]):
        written = run([*command, *words], tmp_path, **state)
        assert b"Listed" in written
        assert count(figures, "components", written) == []
    with Terminal(
        [HCA_BIND, *words], {"HOME": str(tmp_path), "LANG": "C.UTF-8", **state}
    ) as screen:
        screen.until(_("What would you like to do?"))
        screen.press("1")
        screen.until("Listed")
        screen.press("f4")
        screen.press("enter")
        screen.until("apt-get")
        assert count(figures, "components", bytes(screen.written), own=True) == []
    fields = list(texts(manifest()))[:: 1 if figures.whole else PART]
    for number, path in enumerate(fields):
        words = a_list(tmp_path / str(number), put(manifest(), path, hostile("Listed ", 400)))
        written = run(["components", *words], tmp_path, **state)
        assert count(figures, "components", written) == [], path
