"""Opening a card: what is read, in how many commands, and what is refused before any PIN."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from scripted import READER, MakeScripted, ScriptedReaders, pin_of

from card import certificate
from card.errors import (
    CardDataMalformed,
    CardDataMissing,
    CardError,
    CardIsMoica,
    CardIsNhi,
    CardKindRefused,
    CardModuleKept,
    CardModuleMissing,
    CardRefused,
    CardRemoved,
    CardUnknown,
    CertificateExpired,
    CertificateMalformed,
    CertificateNotYetValid,
    CertificateUntrusted,
    CertificateUsage,
    KeyUnsupported,
)
from card.opening import open_card
from card.pkcs11.modules import For, Module
from card.port import CardCategory, Exchange, PinRules
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.filesystem import DedicatedFile, ElementaryFile
from card.virtual.profile import Profile

EC = '[key]\ntype = "EC"\n'
MESSAGE = b"m" * 64


def test_what_an_opened_card_tells(make_scripted: MakeScripted) -> None:
    card = open_card(make_scripted(), READER, accepted={"HPC"})
    assert (card.reader, card.label) == (READER, "TEST HPC 測試卡")
    assert card.pin_rules == PinRules(6, 8, digits_only=False)
    holder = card.certificate
    assert (holder.holder, holder.issuer) == ("測試員甲", "醫事憑證管理中心")
    assert holder.category is CardCategory.HPC
    assert holder.not_before < datetime.now(UTC) < holder.not_after


@pytest.mark.parametrize(("extended", "budget"), [("true", 15), ("false", 18)])
def test_a_binding_stays_within_its_budget_of_commands(
    authority: Authority, extended: str, budget: int
) -> None:
    readers = ScriptedReaders(
        VirtualCard(Profile.parse(f"extended_length = {extended}"), authority)
    )
    trace: list[Exchange] = []
    card = open_card(readers, READER, tracer=trace.append)
    signature = card.sign(pin_of(b"Test-123"), MESSAGE, card.tries_left())
    assert (signature.algorithm, len(signature.value)) == ("RS256", 256)
    assert len(trace) == len(readers.commands) <= budget


@pytest.mark.parametrize("limit", [1, 5, 100, 255, 256])
def test_a_card_that_answers_in_parts_is_read_and_signs(
    make_scripted: MakeScripted, limit: int
) -> None:
    readers = make_scripted(f"extended_length = false\nresponse_limit = {limit}\n{EC}")
    card = open_card(readers, READER)
    assert card.sign(pin_of(b"Test-123"), MESSAGE, card.tries_left()).algorithm == "ES256"


@pytest.mark.parametrize(
    ("toml", "error", "facts"),
    [
        ("[certificate]\nnot_after = -1\n", CertificateExpired, {"not_after"}),
        (
            "[certificate]\nnot_before = 1\n",
            CertificateNotYetValid,
            {"not_before"},
        ),
        ("[certificate]\ndigital_signature = false\n", CertificateUsage, set()),
        ("[certificate]\nmalformed = true\n", CertificateMalformed, set()),
        ('[certificate]\ncategory = "HOP"\n', CardKindRefused, {"category"}),
        ('[certificate]\ncategory = "HOP"\nnot_after = -1\n', CardKindRefused, {"category"}),
        ('kind = "foreign"\n', CardUnknown, set()),
    ],
)
def test_refused_before_any_pin(
    make_scripted: MakeScripted, toml: str, error: type[CardError], facts: set[str]
) -> None:
    readers = make_scripted(toml + EC)
    with pytest.raises(error) as caught:
        open_card(readers, READER, accepted={"HPC"})
    assert set(caught.value.facts()) == facts
    assert not [command for command in readers.commands if command[1] == 0x20]
    assert readers.closed == 1


def test_an_issuer_that_no_anchor_vouches_for_is_refused_before_any_pin(
    authority: Authority, make_scripted: MakeScripted
) -> None:
    stranger = Authority.create()  # of the same name, with another key
    readers = make_scripted(EC)
    with pytest.raises(CertificateUntrusted):
        open_card(readers, READER, accepted={"HPC"}, anchors=(stranger.issuing,))
    assert not [command for command in readers.commands if command[1] == 0x20]
    assert readers.closed == 1
    anchors = (stranger.issuing, authority.issuing)
    assert open_card(make_scripted(EC), READER, anchors=anchors).certificate.holder == "測試員甲"


def test_any_category_where_the_service_names_none(make_scripted: MakeScripted) -> None:
    readers = make_scripted('[certificate]\ncategory = "HOP"\n' + EC)
    assert open_card(readers, READER).certificate.category is CardCategory.HOP


def test_a_certificate_without_a_subject_type_is_another_kind(make_scripted: MakeScripted) -> None:
    readers = make_scripted()
    assert readers.card.issued is not None
    plain = certificate.read(readers.card.issued.certificate)
    assert plain.category is CardCategory.HPC
    other = make_scripted('[certificate]\ncategory = "OTHER"\n' + EC)
    with pytest.raises(CardKindRefused) as caught:
        open_card(other, READER, accepted={"HPC", "HOP"})
    assert caught.value.category == "OTHER"


@pytest.mark.parametrize(
    ("atr", "error"),
    [
        ("3BEE00008131FE4580318066409093060F17830F9000F3", CardIsNhi),
        ("3B8B80010031C1640840213000900057", CardIsMoica),
    ],
)
def test_nothing_is_sent_to_an_nhi_or_moica_card(
    make_scripted: MakeScripted, atr: str, error: type[CardError]
) -> None:
    readers = make_scripted()
    readers.atr = bytes.fromhex(atr)
    with pytest.raises(error):
        open_card(readers, READER)
    assert readers.commands == []
    assert readers.closed == 1


def test_the_vendors_card_without_pkcs15_needs_the_vendors_module(
    make_scripted: MakeScripted,
) -> None:
    readers = make_scripted('kind = "foreign"\n')
    readers.atr = bytes.fromhex("3BF91800008131FE4550565F4A3244303831B6")
    with pytest.raises(CardModuleMissing):
        open_card(readers, READER)
    assert {command[1] for command in readers.commands} == {0xA4}


def test_a_vendors_module_that_is_kept_from_this_program_is_never_loaded(
    make_scripted: MakeScripted,
) -> None:
    readers = make_scripted('kind = "foreign"\n')
    path, file = Path("libhcapkcs11.so"), Path("hca.module")
    kept = Module(path, frozenset({For.HPC, For.OTHER}), kept=file)
    readers.atr = bytes.fromhex("3BF91800008131FE4550565F4A3244303831B6")
    with pytest.raises(CardModuleKept) as raised:
        open_card(readers, READER, modules=lambda: (kept,))
    assert raised.value.facts() == {"path": "libhcapkcs11.so", "file": "hca.module"}
    readers.atr = bytes.fromhex("3B64000054455354")
    with pytest.raises(CardUnknown):  # not known to need it
        open_card(readers, READER, modules=lambda: (kept,))


def test_the_application_is_found_through_ef_dir(make_scripted: MakeScripted) -> None:
    """A card whose AID is longer than the standard's: EF.DIR has the whole of it."""
    readers = make_scripted()
    aid = bytes.fromhex("A000000063504B43532D3135")
    asked: list[bytes] = []

    def script(_number: int, command: bytes) -> bytes | None:
        if command[1:3] == b"\xa4\x04":
            asked.append(command)
            return b"\x6a\x82" if len(asked) == 1 else None
        return None

    readers.script = script
    assert open_card(readers, READER).label == "TEST HPC 測試卡"
    assert len(asked) == 2
    assert aid in asked[1]


def test_without_short_identifiers_files_are_selected(make_scripted: MakeScripted) -> None:
    readers = make_scripted()
    readers.atr = bytes.fromhex("3B00")  # declares nothing
    card = open_card(readers, READER)
    assert card.sign(pin_of(b"Test-123"), MESSAGE, 3).algorithm == "ES256"
    assert not [c for c in readers.commands if c[1] == 0xB0 and c[2] & 0x80]


@pytest.mark.parametrize("answer", ["6A82", "6A86", "6700", "30030201059000", "FFFFFFFF9000"])
def test_a_card_that_declares_short_identifiers_wrongly_is_read_by_path(
    make_scripted: MakeScripted, answer: str
) -> None:
    readers = make_scripted()
    readers.script = lambda _number, c: (
        bytes.fromhex(answer) if c[1] == 0xB0 and c[2] == 0x82 else None
    )
    card = open_card(readers, READER)
    assert card.sign(pin_of(b"Test-123"), MESSAGE, 3).algorithm == "ES256"


@pytest.mark.parametrize("answer", ["6700", "6D00", "6F00"])
def test_where_extended_length_fails_the_card_is_read_in_short_commands(
    authority: Authority, answer: str
) -> None:
    readers = ScriptedReaders(VirtualCard(Profile(), authority))
    readers.script = lambda _number, c: (
        bytes.fromhex(answer) if c[1] == 0xB0 and len(c) == 7 else None
    )
    card = open_card(readers, READER)
    assert card.sign(pin_of(b"Test-123"), MESSAGE, 3).algorithm == "RS256"


class _Changed:
    """A virtual card's file replaced, found by its identifier."""

    @staticmethod
    def card(readers: ScriptedReaders, identifier: int, content: bytes | None) -> None:
        master: DedicatedFile = readers.card._files

        def change(folder: DedicatedFile) -> DedicatedFile:
            files: list[DedicatedFile | ElementaryFile] = []
            for file in folder.files:
                if isinstance(file, DedicatedFile):
                    files.append(change(file))
                elif file.identifier != identifier:
                    files.append(file)
                elif content is not None:
                    files.append(replace(file, content=content))
            return replace(folder, files=tuple(files))

        readers.card._files = change(master)
        readers.card.reset()


@pytest.mark.parametrize(
    ("identifier", "content", "error", "file"),
    [
        (0x5031, None, CardDataMissing, "EF.ODF"),
        (0x5032, None, CardDataMissing, "EF.TokenInfo"),
        (0x4401, None, CardDataMissing, "AODF"),
        (0x4402, None, CardDataMissing, "PrKDF"),
        (0x4403, None, CardDataMissing, "CDF"),
        (0x4331, None, CardDataMissing, "certificate"),
        (0x5031, b"\x30", CardDataMalformed, "EF.ODF"),
        (0x5032, b"\x30\x80\x00\x00", CardDataMalformed, "EF.TokenInfo"),
        (0x4401, b"\x30\x03\x02\x01\x00", CardDataMalformed, "AODF"),
        (0x4402, b"\x30\x7f\x00", CardDataMalformed, "PrKDF"),
        (0x4403, b"\x00" * 64, CardDataMissing, "CDF"),
        (0x4331, b"\x30\x82\xff\xff" + bytes(64), CardDataMalformed, "certificate"),
        (0x4331, b"\x04\x02\x00\x00", CardDataMalformed, "certificate"),
        (0x4331, b"\x00" * 64, CardDataMalformed, "certificate"),
    ],
)
def test_a_missing_or_damaged_file_is_named(
    make_scripted: MakeScripted,
    identifier: int,
    content: bytes | None,
    error: type[CardError],
    file: str,
) -> None:
    readers = make_scripted()
    _Changed.card(readers, identifier, content)
    with pytest.raises(error) as caught:
        open_card(readers, READER)
    assert caught.value.facts() == {"file": file}
    assert readers.closed == 1


def test_a_file_much_larger_than_its_objects_is_not_read_to_its_end(
    make_scripted: MakeScripted,
) -> None:
    readers = make_scripted()
    before = len(open_and_count(readers))
    padded = make_scripted()
    content = next(
        file.content
        for folder in padded.card._files.files
        if isinstance(folder, DedicatedFile)
        for file in folder.files
        if file.identifier == 0x4402 and isinstance(file, ElementaryFile)
    )
    _Changed.card(padded, 0x4402, content + bytes(4096))
    assert len(open_and_count(padded)) == before


def open_and_count(readers: ScriptedReaders) -> list[bytes]:
    open_card(readers, READER)
    return readers.commands


def test_a_card_that_drips_is_given_up(make_scripted: MakeScripted) -> None:
    readers = make_scripted("extended_length = false\n" + EC)
    readers.script = lambda _number, c: (
        b"\x30\x90\x00"
        if c[1] == 0xB0 and c[2:4] == b"\x00\x00"
        else b"\x82\x90\x00"
        if c[1] == 0xB0 and not c[2] & 0x80
        else None
    )
    with pytest.raises((CardDataMalformed, CardRefused)):
        open_card(readers, READER)
    assert len(readers.commands) < 200


def test_removed_at_each_command_of_opening(make_scripted: MakeScripted) -> None:
    whole = len(open_and_count(make_scripted()))
    for when in range(whole):
        readers = make_scripted()
        readers.script = lambda number, _c, when=when: (
            CardRemoved(READER) if number == when else None
        )
        with pytest.raises(CardRemoved):
            open_card(readers, READER)
        assert readers.closed == 1
        assert len(readers.commands) == when + 1


def test_a_small_rsa_key_is_refused_before_any_pin(authority: Authority) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding

    from card.signing import signing_key

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the point
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "TEST")])
    small = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(authority.key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )
    with pytest.raises(KeyUnsupported):
        signing_key(small)


def test_tries_are_asked_for_in_the_application_s_own_folder(make_scripted: MakeScripted) -> None:
    """A reference in VERIFY means another PIN in another folder, and reading may have led there."""
    readers = make_scripted()
    assert open_card(readers, READER).tries_left() == 3
    assert readers.commands[-2:-1] != [readers.commands[0]]  # every file lay in the application
    readers = make_scripted()
    issued = readers.card.issued
    assert issued is not None
    master: DedicatedFile = readers.card._files
    elsewhere = DedicatedFile(0x5016, (ElementaryFile(0x4331, issued.certificate),))
    readers.card._files = replace(master, files=(*master.files, elsewhere))
    (directory,) = (
        file
        for folder in master.files
        if isinstance(folder, DedicatedFile)
        for file in folder.files
        if isinstance(file, ElementaryFile) and file.identifier == 0x4403
    )
    moved = directory.content.replace(b"\x50\x15\x43\x31", b"\x50\x16\x43\x31")
    _Changed.card(readers, 0x4403, moved)
    card = open_card(readers, READER)
    assert readers.commands[-2:] == [readers.commands[0], b"\x00\x20\x00\x81"]
    assert card.tries_left() == 3
    assert card.sign(pin_of(b"Test-123"), MESSAGE, 3).algorithm == "ES256"
