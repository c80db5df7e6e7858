"""Cards through PKCS#11 modules: SoftHSM's, OpenSC's, and one that misbehaves as it is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import softhsm
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from parts import HCA_BIND, Service, card_in_reader, opensc_configuration
from pcscd import READERS, Pcscd, wait_until
from softhsm import SoftToken

from card.apdu_card import ApduCard
from card.errors import (
    CardError,
    CardKindRefused,
    CardModuleMissing,
    CardRemoved,
    CardUnknown,
    CertificateExpired,
    CertificateMalformed,
    CertificateUntrusted,
    KeyUnsupported,
    ModuleBroken,
    ModuleCrashed,
    ModuleDependency,
    ModuleInvalid,
    ModuleNotFound,
    ModuleSeesNoCard,
    ModuleTimeout,
    ModuleWordSize,
    PinBlocked,
    PinCharacters,
    PinExpired,
    PinLength,
    PinSpent,
    PinTriesChanged,
    PinUnset,
    PinWrong,
)
from card.opening import open_card, through_module
from card.pcsc import PcscReaders
from card.pin import Pin
from card.pkcs11.card import Pkcs11Card
from card.pkcs11.modules import For, Module, find, named
from card.port import Card
from card.trust import Judge
from card.virtual.authority import Authority
from card.virtual.card import Presence, VirtualCard
from card.virtual.profile import Profile
from card.virtual.readers import EmbeddedReaders

SECONDS = 30
MESSAGE = "測試訊息".encode()
READER = "Embedded 00 00"
HPC_CARD = 'kind = "foreign"\natr = "3BF91800008131FE4550565F4A3244303831B6"\n'
OPENSC = next(Path("/usr/lib").glob("**/opensc-pkcs11.so"))
SOURCE = Path(__file__).with_name("unruly_module.c")
LOW, FINAL, LOCKED = "10000", "20000", "40000"  # CKF_USER_PIN_COUNT_LOW, _FINAL_TRY, _LOCKED
RIGHT, WRONG = softhsm.PIN.encode(), softhsm.WRONG_PIN.encode()


def pin_of(characters: bytes) -> Pin:
    pin = Pin()
    for byte in characters:
        assert pin.append(byte)
    return pin


def helpers() -> set[int]:
    """The helper processes of this one that exist, dead ones that nobody waited for too."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and (not command or b"card.pkcs11.helper" in command):
            found.add(int(folder.name))
    return found


@pytest.fixture(autouse=True)
def _no_orphan() -> Iterator[None]:
    before = helpers()
    yield
    assert helpers() <= before


@pytest.fixture(scope="module")
def authority(authority_folder: Path) -> Authority:
    return Authority.load_or_create(authority_folder)


@pytest.fixture
def soft_token(
    request: pytest.FixtureRequest,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> SoftToken:
    """A token of the default profile, or of the one that the test names by indirect parameter."""
    token = SoftToken.create(tmp_path, authority, getattr(request, "param", ""))
    monkeypatch.setenv("SOFTHSM2_CONF", str(token.configuration))
    return token


@pytest.fixture(scope="session")
def unruly_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SoftHSM's module with bad manners, see its source."""
    return compile_module(
        tmp_path_factory.mktemp("unruly") / "unruly.so",
        SOURCE.read_text("ascii"),
        f'-DSOFTHSM="{softhsm.MODULE}"',
    )


@dataclass(frozen=True)
class Unruly:
    """That module with a token behind it."""

    module: Path
    token: SoftToken
    log: Path
    monkeypatch: pytest.MonkeyPatch

    def misbehave(self, manner: str) -> None:
        """What the next helper's module does in place of a call: "C_Login abort"."""
        self.monkeypatch.setenv("UNRULY", manner)

    def show(self, flags: str) -> None:
        """What the next helper's token shows: CKF_ flags in hexadecimal."""
        self.monkeypatch.setenv("FLAGS", flags)

    @property
    def logins(self) -> int:
        """How many C_Login ever reached the module."""
        return self.log.stat().st_size


@pytest.fixture
def unruly(
    unruly_module: Path, soft_token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Unruly:
    log = tmp_path / "logins"
    log.touch()
    monkeypatch.setenv("LOGINS", str(log))
    monkeypatch.delenv("UNRULY", raising=False)
    monkeypatch.delenv("FLAGS", raising=False)
    return Unruly(unruly_module, soft_token, log, monkeypatch)


def compile_module(target: Path, source: str, *options: str) -> Path:
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(target), *options]
    subprocess.run(command, input=source.encode(), check=True, timeout=SECONDS)
    return target


def hpc_readers() -> EmbeddedReaders:
    return EmbeddedReaders({READER: VirtualCard(Profile.parse(HPC_CARD))})


def opened(module: Path, seconds: int = SECONDS) -> Card:
    """The HPC card through `module`, as the wizard opens it."""
    return open_card(
        hpc_readers(),
        READER,
        accepted={"HPC"},
        modules=lambda: (named(module),),
        seconds=seconds,
    )


def check(signature: bytes, certificate: bytes) -> None:
    key = x509.load_der_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, MESSAGE, padding.PKCS1v15(), hashes.SHA256())


# --- SoftHSM -------------------------------------------------------------------------------------


def test_an_hpc_card_opens_through_the_module_that_is_for_it(soft_token: SoftToken) -> None:
    with closing(opened(softhsm.MODULE)) as card:
        assert isinstance(card, Pkcs11Card)
        assert (card.reader, card.label) == (READER, softhsm.LABEL)
        assert card.certificate.der == soft_token.issued.certificate
        assert card.pin_rules.minimum == 4
        assert card.tries_left() is None
        signature = card.sign(pin_of(RIGHT), MESSAGE, None)
        assert signature.algorithm == "RS256"
        check(signature.value, soft_token.issued.certificate)


@pytest.mark.parametrize("soft_token", ['[key]\ntype = "EC"'], indirect=True)
def test_an_elliptic_key_signs_es256(soft_token: SoftToken) -> None:
    with closing(opened(softhsm.MODULE)) as card:
        signature = card.sign(pin_of(RIGHT), MESSAGE, None)
        assert (signature.algorithm, len(signature.value)) == ("ES256", 64)


def test_a_wrong_pin_then_the_right_one(soft_token: SoftToken) -> None:
    """What is left open by a wrong PIN must not stand in the way of the right one."""
    with closing(opened(softhsm.MODULE)) as card:
        for _ in range(3):
            with pytest.raises(PinWrong) as caught:
                card.sign(pin_of(WRONG), MESSAGE, None)
            assert caught.value.tries_left is None  # SoftHSM counts none
        check(card.sign(pin_of(RIGHT), MESSAGE, None).value, soft_token.issued.certificate)


@pytest.mark.parametrize(
    ("soft_token", "error"),
    [
        ("[certificate]\nnot_after = -1", CertificateExpired),
        ('[certificate]\ncategory = "HOP"', CardKindRefused),
        ("[certificate]\nmalformed = true", CertificateMalformed),
        ("[key]\nsize = 1024", KeyUnsupported),
    ],
    indirect=["soft_token"],
)
def test_refused_before_any_pin(soft_token: SoftToken, error: type[CardError]) -> None:
    with pytest.raises(error):
        opened(softhsm.MODULE)


def test_two_cards_in_two_readers_are_not_mixed_up(soft_token: SoftToken) -> None:
    """The module's slots bear no reader's name, so nobody knows which card it means."""
    readers = EmbeddedReaders(
        {
            READER: VirtualCard(Profile.parse(HPC_CARD)),
            "Embedded 00 01": VirtualCard(Profile.parse('kind = "foreign"')),
        }
    )
    with pytest.raises(ModuleSeesNoCard):
        open_card(readers, READER, modules=lambda: (named(softhsm.MODULE),))


def test_a_module_for_other_cards_is_not_even_loaded(unruly: Unruly) -> None:
    unruly.misbehave("C_Initialize abort")
    for cards in ({For.MOICA}, {For.OTHER}):
        with pytest.raises(CardModuleMissing):
            open_card(hpc_readers(), READER, modules=lambda c=cards: (named(unruly.module, c),))
    other = EmbeddedReaders({READER: VirtualCard(Profile.parse('kind = "foreign"'))})
    with pytest.raises(CardUnknown):
        open_card(other, READER, modules=lambda: (named(unruly.module, {For.HPC}),))


# --- a module with bad manners -------------------------------------------------------------------


def test_what_a_module_prints_goes_nowhere(
    unruly: Unruly, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(opened(unruly.module)) as card:
        check(card.sign(pin_of(RIGHT), MESSAGE, None).value, unruly.token.issued.certificate)
    assert unruly.logins == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("flags", "tries"), [("0", None), (LOW, None), (FINAL, 1), ("30000", 1), (LOCKED, 0)]
)
def test_token_flags_become_tries(unruly: Unruly, flags: str, tries: int | None) -> None:
    unruly.show(flags)
    with closing(opened(unruly.module)) as card:
        assert card.tries_left() == tries
        if tries == 0:
            with pytest.raises(PinBlocked):
                card.sign(pin_of(RIGHT), MESSAGE, tries)
        else:
            card.sign(pin_of(RIGHT), MESSAGE, tries)
    assert unruly.logins == (0 if tries == 0 else 1)


def test_the_last_try_is_never_spent_by_who_was_not_told(unruly: Unruly) -> None:
    unruly.show(FINAL)
    with closing(opened(unruly.module)) as card:
        with pytest.raises(PinTriesChanged) as caught:
            card.sign(pin_of(RIGHT), MESSAGE, None)
        assert caught.value.facts() == {"shown": None, "tries_left": 1}
    assert unruly.logins == 0


def test_a_pin_outside_the_rules_or_used_before_reaches_no_module(unruly: Unruly) -> None:
    with closing(opened(unruly.module)) as card:
        for characters, error in (
            (b"123", PinLength),
            (b"Test 123", PinCharacters),
            ("１２３４".encode(), PinCharacters),
        ):
            with pytest.raises(error):
                card.sign(pin_of(characters), MESSAGE, None)
        assert unruly.logins == 0
        spent = pin_of(RIGHT)
        card.sign(spent, MESSAGE, None)
        with pytest.raises(PinSpent):
            card.sign(spent, MESSAGE, None)
    assert unruly.logins == 1


@pytest.mark.parametrize(
    ("rv", "error", "facts"),
    [
        ("0xA0", PinWrong, {"tries_left": None}),
        ("0xA1", PinCharacters, {}),
        ("0xA2", PinLength, {"minimum": 4, "maximum": 255}),
        ("0xA3", PinExpired, {}),
        ("0xA4", PinBlocked, {}),
        ("0x102", PinUnset, {}),
        ("0x32", CardRemoved, {"reader": READER}),
        ("0xE0", CardRemoved, {"reader": READER}),
        ("0x30", ModuleBroken, {"module": "unruly.so", "rv": "CKR_DEVICE_ERROR"}),
        ("0x100", ModuleBroken, {"module": "unruly.so", "rv": "CKR_USER_ALREADY_LOGGED_IN"}),
        ("0x80001234", ModuleBroken, {"module": "unruly.so", "rv": "0x80001234"}),
    ],
)
def test_what_c_login_says_is_said_once(
    unruly: Unruly, rv: str, error: type[CardError], facts: dict[str, object]
) -> None:
    with closing(opened(unruly.module)) as card:
        unruly.misbehave(f"C_Login {rv}")
        card.close()  # the environment is a process's own: the next helper has it
        with pytest.raises(error) as caught:
            card.sign(pin_of(RIGHT), MESSAGE, None)
        assert caught.value.facts() == facts
    assert unruly.logins == 1


@pytest.mark.parametrize("function", ["C_Initialize", "C_GetSlotList", "C_Login", "C_Sign"])
@pytest.mark.parametrize(
    ("manner", "error"),
    [("abort", ModuleCrashed), ("exit", ModuleCrashed), ("hang", ModuleTimeout)],
)
def test_a_module_that_dies_or_hangs_takes_nothing_along(
    unruly: Unruly, function: str, manner: str, error: type[CardError]
) -> None:
    seconds = 3 if manner == "hang" else SECONDS
    wish = f"{function} {manner}"
    if function in ("C_Initialize", "C_GetSlotList"):
        unruly.misbehave(wish)
        with pytest.raises(error) as caught:
            opened(unruly.module, seconds)
    else:
        with closing(opened(unruly.module, seconds)) as card:
            unruly.misbehave(wish)
            card.close()
            with pytest.raises(error) as caught:
                card.sign(pin_of(RIGHT), MESSAGE, None)
            assert unruly.logins == 1
            assert not helpers()
            # A module that has come to its senses serves the next try.
            unruly.misbehave("")
            assert card.tries_left() is None
            check(card.sign(pin_of(RIGHT), MESSAGE, None).value, unruly.token.issued.certificate)
            assert unruly.logins == 2
    status = {"abort": -signal.SIGABRT, "exit": 0}.get(manner)
    detail = {"seconds": seconds} if manner == "hang" else {"status": status}
    assert caught.value.facts() == {"module": "unruly.so", **detail}


def test_another_token_behind_the_same_reader_is_another_card(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory, unruly: Unruly
) -> None:
    with closing(opened(unruly.module)) as card:
        other = SoftToken.create(tmp_path_factory.mktemp("other"), authority)
        unruly.monkeypatch.setenv("SOFTHSM2_CONF", str(other.configuration))
        card.close()
        with pytest.raises(CardRemoved):
            card.sign(pin_of(RIGHT), MESSAGE, None)
    assert unruly.logins == 0


ORPHAN = """
import sys
from pathlib import Path
from card.pkcs11 import wire
from card.pkcs11.process import Helper
helper = Helper(Path(sys.argv[1]), 3)
print(helper._process.pid, flush=True)
helper.ask(wire.Load(sys.argv[1]))
"""


@pytest.mark.parametrize("manner", ["", "C_Initialize hang"])
def test_a_helper_outlives_nobody(unruly: Unruly, manner: str) -> None:
    """Also when the wizard is killed while the module hangs."""
    unruly.misbehave(manner)
    asker = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(unruly.module)], stdout=subprocess.PIPE, text=True
    )
    assert asker.stdout is not None
    pid = int(asker.stdout.readline())
    if manner:
        asker.kill()
    asker.wait(SECONDS)
    asker.stdout.close()
    wait_until(lambda: not _runs(pid), "the helper gone")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read a process that is not dumpable")
def test_no_pin_stays_in_the_helper(unruly: Unruly) -> None:
    unruly.misbehave("C_Login 0xA0")  # so that SoftHSM itself never has it
    secret = b"Q7#tV9!zK2"
    with closing(opened(unruly.module)) as card:
        with pytest.raises(PinWrong):
            card.sign(pin_of(secret), MESSAGE, None)
        (helper,) = helpers()
        assert b"card.pkcs11.helper" in memory(helper)
        assert secret not in memory(helper)
    assert unruly.logins == 1


def memory(pid: int) -> bytes:
    """All that the process can write to."""
    found = bytearray()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            area, rights = line.split()[:2]
            start, end = (int(edge, 16) for edge in area.split("-"))
            if rights.startswith("rw"):
                file.seek(start)
                found += file.read(end - start)
    return bytes(found)


# --- a module that does not load -----------------------------------------------------------------


def refused(module: Path) -> CardError:
    with pytest.raises(CardError) as caught:
        opened(module)
    return caught.value


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    error = refused(tmp_path / "gone.so")
    assert isinstance(error, ModuleNotFound)
    assert error.facts() == {"module": "gone.so"}


def test_a_module_of_the_wrong_word_size(tmp_path: Path) -> None:
    """The same file with the header of a 32-bit one: EI_CLASS 1, EM_386."""
    header = bytearray(softhsm.MODULE.read_bytes())
    wide = header[4] == 2
    header[4] = 1 if wide else 2
    struct.pack_into("<H", header, 18, 3 if wide else 62)
    module = tmp_path / "narrow.so"
    module.write_bytes(header)
    error = refused(module)
    assert isinstance(error, ModuleWordSize)
    expected = {"bits": 32, "wanted": 64} if wide else {"bits": 64, "wanted": 32}
    assert error.facts() == {"module": "narrow.so", **expected}


def test_a_library_that_is_no_module(tmp_path: Path) -> None:
    text = tmp_path / "text.so"
    text.write_text("no library\n")
    library = compile_module(tmp_path / "library.so", "int nothing(void) { return 0; }")
    cut = tmp_path / "cut.so"
    cut.write_bytes(softhsm.MODULE.read_bytes()[:5000])
    for module in (text, library):
        error = refused(module)
        assert isinstance(error, ModuleInvalid), error
        assert error.facts() == {"module": module.name}
    assert isinstance(refused(cut), ModuleCrashed)  # what the loader does to its process


def test_a_module_that_lacks_a_library(tmp_path: Path) -> None:
    needed = compile_module(tmp_path / "libtest-needed.so", "int needed(void) { return 0; }")
    module = compile_module(
        tmp_path / "needy.so",
        "int needed(void); int C_GetFunctionList(void *list) { (void)list; return needed(); }",
        f"-L{tmp_path}",
        "-Wl,--no-as-needed",
        "-ltest-needed",
    )
    needed.unlink()
    error = refused(module)
    assert isinstance(error, ModuleDependency)
    assert error.facts() == {"module": "needy.so", "library": "libtest-needed.so"}


def test_a_module_that_works_is_taken_though_another_does_not(
    soft_token: SoftToken, tmp_path: Path
) -> None:
    broken = named(tmp_path / "gone.so")
    modules = (broken, named(softhsm.MODULE))
    with closing(open_card(hpc_readers(), READER, modules=lambda: modules)) as card:
        assert card.label == softhsm.LABEL


# --- OpenSC on the virtual card ------------------------------------------------------------------


@pytest.fixture
def opensc(
    request: pytest.FixtureRequest,
    pcscd: Pcscd,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[VirtualCard]:
    """A card of the default or the given profile in the first reader, with a driver for its ATR."""
    card = VirtualCard(Profile.parse(getattr(request, "param", "")), authority)
    configuration = tmp_path / "opensc.conf"
    configuration.write_text(opensc_configuration(card))
    monkeypatch.setenv("OPENSC_CONF", str(configuration))
    with card_in_reader(pcscd, card):
        yield card


def through_opensc(*anchors: x509.Certificate) -> Card:
    with closing(PcscReaders()) as readers:
        return through_module(readers, READERS[0], [OPENSC], Judge({"HPC"}, anchors), SECONDS)


def test_opensc_signs_with_one_verify(opensc: VirtualCard) -> None:
    with closing(through_opensc()) as card:
        assert (card.reader, card.tries_left()) == (READERS[0], None)
        assert (card.pin_rules.minimum, card.pin_rules.maximum) == (6, 8)
        assert card.certificate.holder == "測試員甲"
        assert opensc.verify_count == 0
        signature = card.sign(pin_of(RIGHT), MESSAGE, None)
        check(signature.value, card.certificate.der)
    assert (opensc.verify_count, opensc.tries_left) == (1, 3)


def test_the_ca_that_the_token_holds_leads_to_a_root(
    opensc: VirtualCard, authority: Authority
) -> None:
    with closing(through_opensc(authority.root)) as card:
        assert card.certificate.chain == (authority.issuing_der,)
    with pytest.raises(CertificateUntrusted):
        through_opensc(Authority.create().root)
    assert opensc.verify_count == 0


def test_a_wrong_pin_through_opensc_costs_exactly_one_try(opensc: VirtualCard) -> None:
    with closing(through_opensc()) as card:
        for spent, told in ((1, None), (2, 1)):  # OpenSC says low, then final
            with pytest.raises(PinWrong) as caught:
                card.sign(pin_of(WRONG), MESSAGE, None)
            assert caught.value.tries_left == told
            assert (opensc.verify_count, opensc.tries_left) == (spent, 3 - spent)
        with pytest.raises(PinTriesChanged):
            card.sign(pin_of(WRONG), MESSAGE, None)
        with pytest.raises(PinBlocked):
            card.sign(pin_of(WRONG), MESSAGE, 1)
        assert card.tries_left() == 0
        with pytest.raises(PinBlocked):
            card.sign(pin_of(RIGHT), MESSAGE, 1)
    assert (opensc.verify_count, opensc.tries_left) == (3, 0)


def test_the_final_try_through_opensc(opensc: VirtualCard) -> None:
    """Its driver for this card learns how many are left from a wrong PIN only, and forgets then."""
    with closing(through_opensc()) as card:
        for _ in range(2):
            with pytest.raises(PinWrong):
                card.sign(pin_of(WRONG), MESSAGE, None)
        assert card.tries_left() == 1
        check(card.sign(pin_of(RIGHT), MESSAGE, 1).value, card.certificate.der)
        assert card.tries_left() is None
    assert (opensc.verify_count, opensc.tries_left) == (3, 3)


def test_a_card_removed_before_the_pin(pcscd: Pcscd, opensc: VirtualCard) -> None:
    with closing(through_opensc()) as card:
        assert card.tries_left() is None
        opensc.presence = Presence.REMOVED  # seen at the next command
        with pytest.raises(CardRemoved):
            card.sign(pin_of(RIGHT), MESSAGE, None)
    assert opensc.verify_count == 0


@pytest.mark.parametrize(
    "opensc",
    ['[[fault]]\nat = "VERIFY"\nanswer = "remove"', '[[fault]]\nat = "PSO"\nanswer = "remove"'],
    indirect=True,
)
def test_a_card_removed_during_the_work(opensc: VirtualCard) -> None:
    with closing(through_opensc()) as card, pytest.raises(CardRemoved):
        card.sign(pin_of(RIGHT), MESSAGE, None)
    assert opensc.verify_count == 1


@pytest.mark.parametrize(
    "opensc", ['[[fault]]\nat = "PSO"\nanswer = "6982"\ncount = 1'], indirect=True
)
def test_opensc_does_not_send_the_pin_again(opensc: VirtualCard) -> None:
    """By itself it would, as often as the card asks for it."""
    with closing(through_opensc()) as card, pytest.raises(ModuleBroken) as caught:
        card.sign(pin_of(RIGHT), MESSAGE, None)
    assert caught.value.rv == "CKR_USER_NOT_LOGGED_IN"
    assert opensc.verify_count == 1


def test_a_pkcs15_card_stays_on_our_own_backend(opensc: VirtualCard) -> None:
    offered = [*find(()), Module(OPENSC, frozenset(For))]
    with (
        closing(PcscReaders()) as readers,
        closing(open_card(readers, READERS[0], modules=lambda: offered)) as card,
    ):
        assert isinstance(card, ApduCard)


def test_a_card_that_no_module_knows(pcscd: Pcscd) -> None:
    card = VirtualCard(Profile.parse('kind = "foreign"'))
    with card_in_reader(pcscd, card), closing(PcscReaders()) as readers, pytest.raises(CardUnknown):
        open_card(readers, READERS[0], modules=lambda: find(()))
    assert card.verify_count == 0


def test_opensc_is_found_on_this_machine() -> None:
    assert shutil.which("pkcs11-tool")
    assert OPENSC.resolve() in {module.path.resolve() for module in find(())}


# --- the program itself --------------------------------------------------------------------------


def verify(
    pcscd: Pcscd, sandbox: Service, folder: Path, module: Path
) -> tuple[int, list[dict[str, object]]]:
    """`hca-bind verify` with the module in settings.toml: its status, and its JSON lines."""
    settings = folder / "hca-bind/settings.toml"
    settings.parent.mkdir()
    settings.write_text(f'[pkcs11]\nmodules = ["{module}"]\n')
    read, write = os.pipe()
    os.write(write, RIGHT + b"\n")
    os.close(write)
    try:
        done = subprocess.run(
            [HCA_BIND, "verify", *sandbox.options, "--json", "--pin-fd", str(read)],
            env={**pcscd.environment, "XDG_CONFIG_HOME": str(folder)},
            pass_fds=[read],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(read)
    assert not done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.decode().splitlines()]


def test_the_vendors_card_is_verified_by_the_service(
    pcscd: Pcscd, sandbox: Service, unruly: Unruly, tmp_path: Path
) -> None:
    with card_in_reader(pcscd, VirtualCard(Profile.parse(HPC_CARD))):
        status, events = verify(pcscd, sandbox, tmp_path, unruly.module)
    assert status == 0, events
    assert [event["event"] for event in events] == ["service", "card", "tries", "verified"]
    assert events[1]["reader"] == READERS[0]
    assert events[2]["left"] is None
    assert events[3]["holder"] == "測試員甲"
    assert unruly.logins == 1


def test_the_program_outlives_its_module(
    pcscd: Pcscd, sandbox: Service, unruly: Unruly, tmp_path: Path
) -> None:
    unruly.misbehave("C_Login abort")
    with card_in_reader(pcscd, VirtualCard(Profile.parse(HPC_CARD))):
        status, events = verify(pcscd, sandbox, tmp_path, unruly.module)
    assert status not in (0, 70), events
    assert events[-1]["code"] == "card.module.crashed"
    assert unruly.logins == 1
