"""A whole binding, typed as a person types it: its time, its bytes, its echoes.

The time is that of the machine between Enter on the PIN and the receipt: from each key that sends
something to the screen that answers it. What the person reads and types in between is not counted.
"""

from __future__ import annotations

import itertools
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from apdus import opensc_environment
from figure import Figure
from parts import ACCOUNT, PASSWORD, PIN, card_process
from terminal import BETWEEN_KEYS, Terminal
from world import BARE, MENU, WORDS, Effect, World, cpu_seconds, effect, frame

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

OF_THE_TOOLS = 0.6  # of their time, at most
DIGIT, TAB, STEP, REMEDY = 100, 250, 4_000, 4_000  # bytes at most
ECHO = 0.030  # seconds at most
SECONDS = 60
_ACCOUNTS = itertools.count(1)
FORM = ("Bench-password-1", "王測試", "0000000000", "", " ", "wang@example.invalid", "02-0000-0000")
TOOLS = "pkcs11-tool --login --sign, then curl"
BARE_FORM = str(Path(__file__).with_name("bare_form.py"))


@dataclass
class Walk:
    """What one binding costs, told by the keys' effects; `service` is the sandbox's process."""

    service: int
    steps: list[Effect] = field(default_factory=list)  # from one screen to the next
    digits: list[Effect] = field(default_factory=list)
    tabs: list[Effect] = field(default_factory=list)
    proof: float = 0.0  # seconds, from Enter on the PIN to the service's word that it is proved
    machine: float = 0.0  # the same to the receipt
    serving: float = 0.0  # seconds of CPU that the service used in that time

    def send(self, screen: Terminal, key: str, shown: str) -> Effect:
        """A key that the machine has to work for."""
        before = cpu_seconds(self.service)
        seen = effect(screen, key, shown)
        self.serving += cpu_seconds(self.service) - before
        self.machine += seen.seconds
        return seen


def register(screen: Terminal, service: int) -> Walk:
    """全新使用者: from the welcome screen to the receipt."""
    walk = Walk(service)
    _to_the_pin(screen, walk, "1")
    _prove(screen, walk)
    form = WORDS("Your account application. * must be filled in.")
    walk.steps.append(walk.send(screen, "enter", form))
    for text in (f"bench.{next(_ACCOUNTS)}", *FORM):
        screen.type(text)
        walk.tabs.append(effect(screen, "tab"))
    screen.type(" ")
    _receipt(screen, walk, "ctrl+s")
    return walk


def rebind(screen: Terminal, service: int) -> Walk:
    """已有帳號: 綁定新憑證 IC 卡."""
    walk = Walk(service)
    _to_the_pin(screen, walk, "2")
    _prove(screen, walk)
    asked = WORDS("Your account's password (not the PIN), then Enter:")
    walk.steps.append(walk.send(screen, "enter", asked))
    screen.type(PASSWORD)
    signed_in = WORDS("Signed in. Press Enter: bind the new card to this account.")
    walk.send(screen, "enter", signed_in)
    _receipt(screen, walk, "enter")
    return walk


def _to_the_pin(screen: Terminal, walk: Walk, choice: str) -> None:
    screen.until(WORDS("What would you like to do?"))
    for key, text in (
        (choice, WORDS("Everything is there. Press Enter to go on.")),
        ("enter", WORDS("Your card is there.")),
        ("enter", WORDS("Which category of card is it?")),
    ):
        walk.steps.append(effect(screen, key, text))
    asked = WORDS("Your card's PIN, then Enter:")
    if choice == "2":
        screen.type(f"1{ACCOUNT}")
    walk.steps.append(effect(screen, "enter" if choice == "2" else "1", asked))
    for digit in PIN:
        walk.digits.append(effect(screen, digit))
        time.sleep(BETWEEN_KEYS)


def _prove(screen: Terminal, walk: Walk) -> None:
    walk.steps.append(walk.send(screen, "enter", WORDS("You may take the card out now.")))
    walk.proof = walk.machine


def _receipt(screen: Terminal, walk: Walk, key: str) -> None:
    shown = WORDS("Keep the receipt's number. You can now sign in with this card.")
    walk.steps.append(walk.send(screen, key, shown))


# --- the references -------------------------------------------------------------------------------


def _tools(world: World) -> float:
    """Seconds for what a script would do instead: sign with the card, and one request."""
    card = VirtualCard(Profile.named("ok"), Authority.load_or_create(world.authority))
    opensc = opensc_environment(world.home, card, world.environment)
    challenge = world.home / "challenge"
    challenge.write_bytes(bytes(64))
    sign = ["pkcs11-tool", "--login", "--pin", PIN, "--sign", "--id", "01"]
    sign += ["--mechanism", "SHA256-RSA-PKCS", "--input-file", str(challenge)]
    sign += ["--output-file", str(world.home / "signature")]
    ask = ["curl", "--silent", "--fail", "--cacert", str(world.sandbox.ca)]
    ask += ["--output", "/dev/null", f"{world.sandbox.url}/v1/service"]
    start = time.perf_counter()
    for command, environment in ((sign, opensc), (ask, world.environment)):
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=SECONDS)
    return time.perf_counter() - start


def _bare_form(world: World) -> tuple[list[Effect], list[Effect]]:
    """Digits and Tabs in a form of Textual's own fields."""
    with world.run(BARE[0], BARE_FORM) as screen:
        frame(screen, "bare form")
        digits = []
        for digit in PIN:
            digits.append(effect(screen, digit))
            time.sleep(BETWEEN_KEYS)
        return digits, [effect(screen, "tab") for _ in range(3)]


def _whiptail(world: World, *form: str) -> int:
    """The bytes of a whole form of whiptail's."""
    with world.run("whiptail", *form, NEWT_COLORS="") as screen:
        return frame(screen, "<Cancel>" if form[0] == "--menu" else "<Ok>")


def _remedy(world: World) -> int:
    """The bytes of opening a remedy, for a service that is not there."""
    with world.wizard("--service", "https://127.0.0.1:1") as screen:
        screen.until(WORDS("What would you like to do?"))
        effect(screen, "1", WORDS("Check again"))
        return effect(screen, "f2").bytes


def measure(world: World, runs: int) -> list[Figure]:
    """Both flows beside the tools; every key's bytes and the digits' echoes on the way."""
    flows = {"a new account": register, "a new card": rebind}
    walks: dict[str, list[Walk]] = {name: [] for name in flows}
    tools: list[float] = []
    bare: list[tuple[list[Effect], list[Effect]]] = []
    menus: list[int] = []
    boxes: list[int] = []
    remedies: list[int] = []
    for _ in range(max(2, runs // 5)):
        for name, flow in flows.items():
            with card_process(world.pcscd, world.authority):
                with world.wizard() as screen:
                    walks[name].append(flow(screen, world.sandbox.process.pid))
                tools.append(_tools(world))
        bare.append(_bare_form(world))
        menus.append(_whiptail(world, *MENU))
        boxes.append(_whiptail(world, "--msgbox", "one\ntwo", "20", "70"))
        remedies.append(_remedy(world))
    both = [walk for walks_of_one in walks.values() for walk in walks_of_one]
    digits = [digit for walk in both for digit in walk.digits]
    tabs = [tab.bytes for walk in walks["a new account"] for tab in walk.tabs]
    bare_digits = [digit for digits, _ in bare for digit in digits]
    field = "a password Input of Textual's"
    return [
        Figure(
            "PIN to 'verified'",
            "s",
            TOOLS,
            tuple(walk.proof for walk in both),
            tuple(tools),
            most_times=OF_THE_TOOLS,
        ),
        *(
            Figure(
                f"PIN to receipt, {name}",
                "s",
                TOOLS,
                tuple(walk.machine for walk in walks[name]),
                tuple(tools),
                most_times=OF_THE_TOOLS,
            )
            for name in flows
        ),
        *(
            Figure(
                f"of it the service's own CPU, {name}",
                "s",
                TOOLS,
                tuple(walk.serving for walk in walks[name]),
                tuple(tools),
            )
            for name in flows
        ),
        Figure(
            "the next screen (the largest)",
            "bytes",
            "whiptail's menu",
            tuple(max(step.bytes for step in walk.steps) for walk in both),
            tuple(menus),
            most=STEP,
        ),
        Figure(
            "a digit of the PIN",
            "bytes",
            field,
            tuple(digit.bytes for digit in digits),
            tuple(digit.bytes for digit in bare_digits),
            most=DIGIT,
        ),
        Figure(
            "Tab in the form",
            "bytes",
            "Tab between Inputs of Textual's",
            tuple(tabs),
            tuple(tab.bytes for _, tabs in bare for tab in tabs),
            most=TAB,
        ),
        Figure(
            "Tab in the form (the largest)",
            "bytes",
            "Tab between Inputs of Textual's",
            tuple(max(tab.bytes for tab in walk.tabs) for walk in walks["a new account"]),
            tuple(max(tab.bytes for tab in tabs) for _, tabs in bare),
            most=TAB,
        ),
        Figure(
            "opening a remedy",
            "bytes",
            "whiptail's message box",
            tuple(remedies),
            tuple(boxes),
            most=REMEDY,
        ),
        Figure(
            "a digit's echo",
            "s",
            field,
            tuple(digit.seconds for digit in digits),
            tuple(digit.seconds for digit in bare_digits),
            most=ECHO,
        ),
    ]
