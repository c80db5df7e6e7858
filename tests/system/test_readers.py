"""`hca-bind readers`: the readers side by side, as the wizard sees them, through the real pcscd."""

from __future__ import annotations

import json
import subprocess

import pytest
from parts import HCA_BIND, card_in_reader
from pcscd import DEADLINE, Pcscd
from test_pcsc import other_program

from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

EC = '[key]\ntype = "EC"\n'


def listing(pcscd: Pcscd, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HCA_BIND, "readers", *options],
        env=pcscd.environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )


def rows(pcscd: Pcscd) -> list[dict[str, object]]:
    done = listing(pcscd, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_wrong_and_a_right_card_side_by_side(pcscd: Pcscd) -> None:
    authority = Authority.create()
    nhi = VirtualCard(Profile.named("nhi-card"), authority)
    card = VirtualCard(Profile.parse(EC), authority)
    with card_in_reader(pcscd, nhi, 0), card_in_reader(pcscd, card, 1):
        first, second = rows(pcscd)
        said = listing(pcscd).stdout.splitlines()
    assert (first["reader"], second["reader"]) == pcscd.readers
    assert (first["card"], first["holder"], first["usable"]) == ("NHI", None, False)
    assert (first["code"], first["picked"]) == ("card.kind.nhi", False)
    assert (second["card"], second["holder"]) == ("HPC", "測試員甲")
    assert (second["usable"], second["picked"], second["code"]) == (True, True, None)
    assert said[0].startswith(f"  {pcscd.readers[0]}：這是健保卡")
    assert said[1] == f"> {pcscd.readers[1]}：測試員甲（HPC）"
    assert nhi.transmitted == 0
    assert card.verify_count == 0


@pytest.mark.parametrize(("profile", "kind"), [("", "PKCS#15"), ('kind = "piv"\n', "PIV")])
def test_a_certificate_that_does_not_parse_does_not_hide_the_card_s_kind(
    pcscd: Pcscd, profile: str, kind: str
) -> None:
    card = VirtualCard(Profile.parse(f"{profile}[certificate]\nmalformed = true\n{EC}"))
    with card_in_reader(pcscd, card):
        (only,) = rows(pcscd)
    assert (only["card"], only["code"]) == (kind, "card.certificate.malformed")
    assert (only["holder"], only["usable"], card.verify_count) == (None, False, 0)


def test_empty_virtual_slots_do_not_crowd_the_list(pcscd: Pcscd) -> None:
    (only,) = rows(pcscd)
    assert (only["reader"], only["device"], only["state"]) == (pcscd.readers[0], "virtual", "empty")
    with card_in_reader(pcscd, VirtualCard(Profile.parse(EC)), 1):
        (only,) = rows(pcscd)
    assert (only["reader"], only["card"]) == (pcscd.readers[1], "HPC")


def test_a_card_held_by_another_program_is_said_to_be_held(pcscd: Pcscd) -> None:
    with (
        card_in_reader(pcscd, VirtualCard(Profile.parse(EC))),
        other_program(pcscd, pcscd.readers[0], "SCARD_SHARE_EXCLUSIVE", "SCARD_LEAVE_CARD"),
    ):
        (held,) = rows(pcscd)
    assert (held["state"], held["code"], held["usable"]) == ("held", "card.reader.held", False)


def test_without_a_reader_the_status_says_environment(pcscd: Pcscd) -> None:
    pcscd.stop()
    pcscd.start(readers=False)
    try:
        done = listing(pcscd, "--json")
        assert done.returncode == 3
        assert json.loads(done.stdout)["code"] == "card.reader.none"
    finally:
        pcscd.stop()
