"""No PIN stays in the wizard's memory: every readable mapping of the living process is searched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import Service, card_process
from pcscd import Pcscd
from terminal import Terminal
from test_binding import to_the_pin, wizard

from screens.language import Language, Words

PIN = "qZ7#kW2x"  # eight characters that stand nowhere else
WRONG = "vJ4!mR9y"
PROFILE = f'serial = "TEST0000000099"\n[pin]\nvalue = "{PIN}"\n'
CHUNK = 1 << 24

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="reading another process's memory takes root"
)


def forms(pin: str) -> dict[str, bytes]:
    """Every form that a PIN may have had on its way to the card."""
    octets = pin.encode()
    return {
        "ascii": octets,
        "padded": octets + b"\xff\xff",
        "hex": octets.hex().encode(),
        "HEX": octets.hex().upper().encode(),
        "utf-16": pin.encode("utf-16-le"),
        "utf-32": pin.encode("utf-32-le"),
        "list of integers": ", ".join(map(str, octets)).encode(),
        "array of longs": b"".join(octet.to_bytes(8, "little") for octet in octets),
        "all but the first": octets[1:],
        "all but the last": octets[:-1],
    }


def memory(pid: int) -> Iterator[bytes]:
    """The readable mappings of a process, in chunks that overlap by more than any form is long."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, access, *_ = line.split()
            if "r" not in access or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            for at in range(start, end, CHUNK):
                try:
                    file.seek(at)
                    yield file.read(min(CHUNK + 256, end - at))
                except (OSError, OverflowError, ValueError):
                    break  # a guard page


def found(pid: int, pin: str) -> set[str]:
    wanted = forms(pin)
    return {name for part in memory(pid) for name, octets in wanted.items() if octets in part}


@pytest.fixture
def profile(tmp_path: Path) -> str:
    file = tmp_path / "card.toml"
    file.write_text(PROFILE)
    return str(file)


def at_the_pin(screen: Terminal, _: Words) -> None:
    to_the_pin(screen, _, "1")
    # The search itself works: what the screen shows is in the process's memory.
    assert any("測試員甲".encode() in part or "測試員甲".encode("utf-16-le") in part
               for part in memory(screen.process.pid))  # fmt: skip


def test_no_pin_is_left_after_a_binding_s_proof(
    pcscd: Pcscd, authority_folder: Path, sandbox: Service, tmp_path: Path, profile: str
) -> None:
    """Cancelled half-way, entered wrongly, entered rightly: afterwards none of it is there."""
    _ = Words(Language.ZH)
    with (
        card_process(pcscd, authority_folder, profile),
        wizard(pcscd, sandbox, Language.ZH, tmp_path / "trace") as screen,
    ):
        at_the_pin(screen, _)
        pid = screen.process.pid
        screen.type(PIN)
        assert "ascii" in found(pid, PIN), "the buffer itself, while it is being typed"
        screen.press("esc")
        screen.until(_("Which category of card is it?"))
        assert found(pid, PIN) == set()

        screen.type("1")
        screen.until(_("Your card's PIN, then Enter:"))
        screen.type(WRONG)
        screen.press("enter")
        screen.until(_("Tries left before the card locks: {tries}", tries=2))
        screen.until(_("Your card's PIN, then Enter:"))
        assert found(pid, WRONG) == set()

        screen.type(PIN)
        screen.press("enter")
        screen.until(_("You may take the card out now."))
        assert found(pid, PIN) == set()
        for place in ("environ", "cmdline"):
            assert PIN.encode() not in Path(f"/proc/{pid}/{place}").read_bytes()
    written = screen.written + (tmp_path / "trace").read_bytes()
    for octets in (*forms(PIN).values(), *forms(WRONG).values()):
        assert octets not in written
    assert b"\x1b]52" not in screen.written, "nothing went to the clipboard of the far end"
