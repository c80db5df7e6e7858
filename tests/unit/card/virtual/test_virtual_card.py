"""The virtual card as an ISO 7816-4 card: any bytes, files, chaining, lengths, the PIN, faults."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from card.virtual.authority import Authority
from card.virtual.card import Presence, VirtualCard
from card.virtual.profile import Profile

MakeCard = Callable[[str], VirtualCard]

SELECT_APPLICATION = "00A404000C A000000063504B43532D3135 00"
RIGHT = "0020008108" + b"Test-123".hex()
WRONG = "0020008108" + b"Test-124".hex()
TRIES = "00200081"
MSE = "002241B603840101"
DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")


def send(card: VirtualCard, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex().upper()


def read(card: VirtualCard, path: str) -> bytes:
    """The whole EF at a path from the MF, in short READ BINARYs."""
    identifiers = bytes.fromhex(path)
    selected = card.transmit(b"\x00\xa4\x08\x0c" + bytes((len(identifiers),)) + identifiers)
    assert selected == b"\x90\x00"
    content = b""
    while True:
        answer = card.transmit(b"\x00\xb0" + len(content).to_bytes(2, "big") + b"\x00")
        if answer == b"\x6b\x00":
            return content
        assert answer[-2:] == b"\x90\x00"
        content += answer[:-2]


@pytest.fixture
def card(make_card: MakeCard) -> VirtualCard:
    return make_card("")


# --- any bytes -----------------------------------------------------------------------------------

_HEADERS = st.tuples(
    st.sampled_from((0x00, 0x10, 0x80, 0xFF)),
    st.sampled_from((0x20, 0x22, 0x2A, 0x84, 0xA4, 0xB0, 0xC0, 0xCA)),
    st.integers(0, 255),
    st.integers(0, 255),
).map(bytes)
_LIKELY = st.builds(
    lambda header, data, le: header + (bytes((len(data),)) + data if data else b"") + le,
    _HEADERS,
    st.binary(max_size=255),
    st.sampled_from((b"", b"\x00", b"\x10", b"\x00\x00\x00")),
)


@settings(max_examples=150, deadline=None)
@given(commands=st.lists(st.one_of(st.binary(max_size=600), _HEADERS, _LIKELY), max_size=12))
def test_any_bytes_get_a_status_word(authority: Authority, commands: list[bytes]) -> None:
    card = VirtualCard(_PROFILE, authority)
    for command in commands:
        answer = card.transmit(command)
        assert len(answer) >= 2
        assert answer[-2] >> 4 in (0x6, 0x9)
    assert card.transmitted == len(commands)
    assert 0 <= card.tries_left <= 3


_PROFILE = Profile.parse('[key]\ntype = "EC"')  # its key is made in no time


@pytest.mark.parametrize(
    "malformed",
    ["", "00", "00A404", "00A4040003AA", "00A4040001AABBCC", "00A4040000000000"],
)
def test_lengths_that_do_not_fit(card: VirtualCard, malformed: str) -> None:
    assert send(card, malformed) == "6700"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("80A40000", "6E00"),
        ("FFA40000", "6E00"),
        ("01A40000", "6881"),
        ("40A40000", "6881"),
        ("0CA40000", "6882"),
        ("00CA010100", "6D00"),
        ("0024008110" + "00" * 16, "6D00"),  # CHANGE REFERENCE DATA
        ("002C008108" + "00" * 8, "6D00"),  # RESET RETRY COUNTER
        ("00A4000102" + "5015", "6A86"),
        ("00A4040004" + "A0000001", "6A82"),
        ("00A4050002" + "5015", "6A86"),
        ("00B000000A", "6986"),
        ("00B0FF0000", "6A86"),
        ("00B0850000", "6A82"),
        ("0084000000" + "00", "6700"),
        ("00C0000000", "6985"),
        ("00200001", "6A88"),
        ("00200181", "6A86"),
        ("002A9E9A01AA00", "6985"),
        ("002A808601AA00", "6A86"),
        ("002241B603840102", "6A88"),
        ("002241B606800155840101", "6A80"),
        ("002241B602840500", "6A80"),
        ("002241B6028405", "6A80"),
        ("0022F302", "6A86"),
    ],
)
def test_refusals(card: VirtualCard, command: str, answer: str) -> None:
    assert send(card, command) == answer


# --- files ---------------------------------------------------------------------------------------


def test_every_way_to_a_file(card: VirtualCard) -> None:
    by_path = read(card, "50155032")
    assert b"TEST0000000001" in by_path
    for selections in (
        (SELECT_APPLICATION, "00A4000C025032"),
        ("00A4000C023F00", "00A4000C025015", "00A4000C025032"),
        ("00A4000C025015", "00A4090C025032"),
        ("00A4000C", "00A4090C0450155032"),
        ("00A4000C025015", "00A4030C", "00A4080C0450155032"),
        ("00A4080C0450154331", "00A4000C025032"),  # an EF beside the current one
        ("00A4000C025015", "00A4000C022F00", "00A4080C0450155032"),  # an EF above
    ):
        card.reset()
        for selection in selections:
            assert send(card, selection)[-4:] == "9000", selections
        assert card.transmit(bytes.fromhex("00B0000000")) == by_path + b"\x90\x00"
    card.reset()
    assert send(card, SELECT_APPLICATION)[-4:] == "9000"
    assert card.transmit(bytes.fromhex("00B0920000")) == by_path + b"\x90\x00"  # short EF id
    assert card.transmit(bytes.fromhex("00B0000000")) == by_path + b"\x90\x00"  # current by now


def test_a_failed_select_changes_nothing(card: VirtualCard) -> None:
    send(card, "00A4080C0450155032")
    before = send(card, "00B0000000")
    assert send(card, "00A4000C02AAAA") == "6A82"
    assert send(card, "00A4080C0650155032AAAA") == "6A82"
    assert send(card, "00B0000000") == before


def test_file_control_parameters(card: VirtualCard) -> None:
    name = "840CA000000063504B43532D3135"
    assert send(card, SELECT_APPLICATION) == f"6F18820138830250 15{name}8A01059000".replace(" ", "")
    assert send(card, "00A40004025031" + "00") == "621180020040820101830250318801888A01059000"
    assert send(card, "00A40000025031") == "9000"  # no Le: no answer wanted


def test_read_binary_at_the_end(card: VirtualCard) -> None:
    size = len(read(card, "50155031"))
    assert size == 64
    assert send(card, "00B0003E02")[-4:] == "9000"
    assert send(card, "00B0003E03")[-4:] == "6282"
    assert len(send(card, "00B0003E03")) == 2 * (2 + 2)
    assert send(card, "00B0003E00")[-4:] == "9000"
    assert send(card, "00B0004001") == "6B00"
    assert send(card, "00B07FFF01") == "6B00"
    assert send(card, "00B00000") == "6700"


def test_certificates_on_the_card(card: VirtualCard, authority: Authority) -> None:
    assert card.issued is not None
    assert read(card, "50154331") == card.issued.certificate
    assert x509.load_der_x509_certificate(read(card, "50154332")) == authority.issuing


# --- lengths and chaining ------------------------------------------------------------------------


def test_extended_length(card: VirtualCard) -> None:
    assert card.issued is not None
    send(card, "00A4080C0450154331")
    assert card.transmit(bytes.fromhex("00B00000000000")) == card.issued.certificate + b"\x90\x00"
    assert send(card, "00A4080C00000450154331") == "9000"
    assert send(card, "00A4080000000450155031" + "0000")[:2] == "6F"
    assert send(card, "00840000000200")[-4:] == "9000"
    assert len(card.transmit(bytes.fromhex("00840000000200"))) == 512 + 2


def test_without_extended_length(make_card: MakeCard) -> None:
    card = make_card("extended_length = false")
    assert send(card, "00B00000000000") == "6700"
    assert send(card, "00A4080C00000450154331") == "6700"
    assert card.atr != make_card("").atr


def test_command_chaining(card: VirtualCard) -> None:
    send(card, RIGHT)
    send(card, MSE)
    assert card.issued is not None
    data = bytes(range(200))
    whole = card.transmit(b"\x00\x2a\x9e\x9a" + bytes((len(data),)) + data + b"\x00")
    assert len(whole) == 256 + 2
    assert card.transmit(b"\x10\x2a\x9e\x9a\x64" + data[:100]) == b"\x90\x00"
    assert card.transmit(b"\x10\x2a\x9e\x9a\x32" + data[100:150]) == b"\x90\x00"
    assert card.transmit(b"\x00\x2a\x9e\x9a\x32" + data[150:] + b"\x00") == whole


def test_a_chain_cut_short(card: VirtualCard) -> None:
    assert send(card, "10A4080C025015") == "9000"
    assert send(card, TRIES) == "6883"
    assert send(card, TRIES) == "63C3"
    assert send(card, "10A4080C025015") == "9000"
    card.reset()
    assert send(card, TRIES) == "63C3"


def test_a_chain_has_an_end(card: VirtualCard) -> None:
    block = bytes.fromhex("10A4080C000000")[:4] + b"\x00\xff\xff" + bytes(65535)
    assert card.transmit(block) == b"\x90\x00"
    assert card.transmit(block) == b"\x67\x00"


def test_get_response(make_card: MakeCard) -> None:
    card = make_card("response_limit = 100")
    send(card, RIGHT)
    send(card, MSE)
    first = send(card, "002A9E9A01AA00")
    assert first[-4:] == "619C"
    second = send(card, "00C000009C")
    assert second[-4:] == "6138"
    third = send(card, "00C0000000")
    assert third[-4:] == "9000"
    assert len(first + second + third) == 2 * (256 + 3 * 2)
    assert send(card, "00C0000000") == "6985"
    assert send(card, "002A9E9A01AA00")[-4:] == "619C"
    assert send(card, TRIES) == "9000"
    assert send(card, "00C0000000") == "6985"  # another command in between: gone


# --- the PIN -------------------------------------------------------------------------------------


def test_tries_are_read_without_spending_one(card: VirtualCard) -> None:
    for _ in range(5):
        assert send(card, TRIES) == "63C3"
        assert send(card, TRIES + "00") == "63C3"
    assert (card.tries_left, card.verify_count) == (3, 0)


def test_wrong_pins_count_down_and_a_right_one_up(card: VirtualCard) -> None:
    assert [send(card, pin) for pin in (WRONG, WRONG, RIGHT)] == ["63C2", "63C1", "9000"]
    assert send(card, TRIES) == "9000"
    assert (card.tries_left, card.verify_count) == (3, 3)
    assert send(card, WRONG) == "63C2"
    assert send(card, TRIES) == "63C2"  # a wrong PIN takes the right one's effect away


def test_blocking_is_for_good(card: VirtualCard) -> None:
    assert [send(card, WRONG) for _ in range(4)] == ["63C2", "63C1", "63C0", "6983"]
    assert send(card, RIGHT) == "6983"
    card.reset()
    assert [send(card, command) for command in (TRIES, RIGHT)] == ["6983", "6983"]


def test_a_pin_of_another_length_counts(card: VirtualCard) -> None:
    assert send(card, "0020008101AA") == "63C2"
    assert send(card, "0020008109" + b"Test-1230".hex()) == "63C1"
    assert card.verify_count == 2


def test_power_off_keeps_tries_and_drops_security_state(card: VirtualCard) -> None:
    send(card, WRONG)
    card.reset()
    assert send(card, TRIES) == "63C2"
    send(card, RIGHT)
    send(card, MSE)
    card.reset()
    assert send(card, TRIES) == "63C3"
    assert send(card, "002A9E9A01AA00") == "6985"
    send(card, MSE)
    assert send(card, "002A9E9A01AA00") == "6982"


def test_a_padded_pin(make_card: MakeCard) -> None:
    card = make_card('[pin]\nvalue = "123456"\npadded = true\ndigits_only = true')
    assert send(card, "0020008106" + b"123456".hex()) == "63C2"
    assert send(card, "0020008108" + b"123456".hex() + "FFFF") == "9000"


@given(st.lists(st.sampled_from((TRIES, WRONG, RIGHT, "reset")), max_size=12))
@settings(max_examples=60, deadline=None)
def test_tries_follow_a_model(authority: Authority, steps: list[str]) -> None:
    card = VirtualCard(_PROFILE, authority)
    left, verified, sent = 3, False, 0
    for step in steps:
        if step == "reset":
            card.reset()
            verified = False
            continue
        sent += step != TRIES
        if step == RIGHT and left:
            left, verified = 3, True
        elif step == WRONG and left:
            left, verified = left - 1, False
            assert send(card, step) == f"63C{left}"
            continue
        expected = "9000" if verified else f"63C{left}" if left else "6983"
        assert send(card, step) == expected
    assert (card.tries_left, card.verify_count) == (left, sent)


# --- signatures ----------------------------------------------------------------------------------


def test_rsa_signature(card: VirtualCard) -> None:
    assert card.issued is not None
    message = "測試".encode()
    data = DIGEST_INFO + hashlib.sha256(message).digest()
    assert send(card, RIGHT) == "9000"
    assert send(card, "002241B606800102840101") == "9000"
    answer = card.transmit(b"\x00\x2a\x9e\x9a\x33" + data + b"\x00")
    assert answer[-2:] == b"\x90\x00"
    key = x509.load_der_x509_certificate(card.issued.certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(answer[:-2], message, padding.PKCS1v15(), hashes.SHA256())
    assert card.transmit(b"\x00\x2a\x9e\x9a\xf6" + bytes(246) + b"\x00") == b"\x6a\x80"
    assert send(card, "0022F301") == "9000"
    assert send(card, "002A9E9A01AA00") == "6985"


def test_ecdsa_signature(make_card: MakeCard) -> None:
    card = make_card('[key]\ntype = "EC"')
    assert card.issued is not None
    send(card, RIGHT)
    assert send(card, "002241B606800104840101") == "9000"
    digest = hashlib.sha256(b"test").digest()
    answer = card.transmit(b"\x00\x2a\x9e\x9a\x20" + digest + b"\x00")
    key = x509.load_der_x509_certificate(card.issued.certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = utils.encode_dss_signature(
        int.from_bytes(answer[:32], "big"), int.from_bytes(answer[32:64], "big")
    )
    key.verify(signature, b"test", ec.ECDSA(hashes.SHA256()))
    assert send(card, "002A9E9A01AA00") == "6A80"


# --- other kinds, faults -------------------------------------------------------------------------


def test_a_foreign_card_works_and_knows_nothing(make_card: MakeCard) -> None:
    card = make_card('kind = "foreign"')
    assert send(card, "00A4000C") == "9000"
    assert send(card, SELECT_APPLICATION) == "6A82"
    assert send(card, RIGHT) == "6A88"
    assert (card.verify_count, card.tries_left) == (1, 3)


def test_a_mute_card(make_card: MakeCard) -> None:
    card = make_card('kind = "mute"')
    assert (card.atr, send(card, TRIES), card.presence) == (b"", "", Presence.MUTE)
    card.reset()
    assert (card.atr, card.transmitted) == (b"", 0)


def test_the_atr_is_the_virtual_cards_own(make_card: MakeCard) -> None:
    atr = make_card("").atr
    check = 0
    for byte in atr[1:]:
        check ^= byte
    assert check == 0
    assert b"HCATEST" in atr
    assert make_card('atr = "3B64000054455354"').atr == bytes.fromhex("3B64000054455354")


def test_a_fault_answers_instead_of_the_card(make_card: MakeCard) -> None:
    card = make_card('[[fault]]\nat = "VERIFY"\nanswer = "6F00"\ncount = 2')
    assert [send(card, RIGHT) for _ in range(3)] == ["6F00", "6F00", "9000"]
    assert card.verify_count == 3
    assert send(card, TRIES) == "9000"


@pytest.mark.parametrize(
    ("at", "hit"),
    [
        ('"VERIFY"', [WRONG]),
        ('"TRIES"', [TRIES, TRIES + "00"]),
        ("0x20", [TRIES, TRIES + "00", WRONG]),
        ('"SELECT"', [SELECT_APPLICATION]),
        ('"READ BINARY"', ["00B09E0000"]),
        ('"MSE"', [MSE]),
        ('"PSO"', ["002A9E9A01AA00"]),
        ('"#3"', [WRONG]),
    ],
)
def test_where_a_fault_happens(make_card: MakeCard, at: str, hit: list[str]) -> None:
    card = make_card(f'[key]\ntype = "EC"\n[[fault]]\nat = {at}\nanswer = "6F42"')
    commands = [TRIES, TRIES + "00", WRONG, SELECT_APPLICATION, "00B09E0000", MSE]
    commands.append("002A9E9A01AA00")
    assert [command for command in commands if send(card, command) == "6F42"] == hit


def test_a_fault_that_hides_a_counted_try(make_card: MakeCard) -> None:
    card = make_card('[[fault]]\nat = 0x20\nanswer = "mute"\ncount = 1\nprocessed = true')
    assert send(card, WRONG) == ""
    assert card.presence is Presence.MUTE
    assert send(card, TRIES) == ""
    card.reset()
    assert send(card, TRIES) == "63C2"


def test_faults_by_command_number(make_card: MakeCard) -> None:
    card = make_card(
        '[[fault]]\nat = "#2"\nanswer = "empty"\n'
        '[[fault]]\nat = "#3"\nanswer = "garbage"\n'
        '[[fault]]\nat = "#4"\nanswer = "remove"'
    )
    assert send(card, TRIES) == "63C3"
    assert (send(card, TRIES), card.presence) == ("", Presence.ANSWERING)
    garbage = send(card, TRIES)
    assert garbage.endswith("9000")
    assert len(garbage) > 4
    assert (send(card, TRIES), card.presence) == ("", Presence.REMOVED)
    card.reset()
    assert (send(card, TRIES), send(card, TRIES)) == ("63C3", "")
