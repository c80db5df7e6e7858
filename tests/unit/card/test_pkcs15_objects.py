"""PKCS#15 objects in the forms that the standard allows and cards use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.errors import CardDataMalformed
from card.pkcs15 import objects
from card.pkcs15.objects import Path
from card.virtual import der

PATH = der.sequence(der.octets(b"\x3f\x00\x50\x15\x44\x01"))


def pin_object(
    *attributes: bytes, common: bytes = b"", kind: bytes = der.octets(b"\x01"), tag: int = 0x30
) -> bytes:
    return der.tlv(
        tag, der.sequence(common), der.sequence(kind), der.context(1, der.sequence(*attributes))
    )


def key_object(
    *classes: bytes, tag: int = 0x30, common: bytes = b"", sub: bytes = b"", path: bytes = PATH
) -> bytes:
    return der.tlv(
        tag,
        der.sequence(common),
        der.sequence(*classes),
        sub,
        der.context(1, der.sequence(path, der.integer(2048))),
    )


def certificate_object(content: bytes, *classes: bytes) -> bytes:
    return der.sequence(
        der.sequence(der.utf8("certificate")),
        der.sequence(der.octets(b"\x45"), *classes),
        der.context(1, der.sequence(content)),
    )


def test_odf_with_paths_and_with_objects_in_place() -> None:
    inline = der.sequence(b"")
    odf = (
        der.context(0, PATH)
        + der.context(1, PATH)  # public keys: not needed
        + der.context(4, der.context(0, inline))
        + der.context(8, PATH)
        + der.context(4, der.sequence(der.octets(b"\x44\x02")))
    )
    found = objects.directory(odf + bytes(20))
    assert found.private_keys[0].path == Path(b"\x3f\x00\x50\x15\x44\x01")
    assert found.certificates[0] == objects.Location(None, inline)
    assert found.certificates[1].path == Path(b"\x44\x02")
    assert len(found.authentication) == 1


def test_a_path_to_a_part_of_a_file() -> None:
    part = der.sequence(der.octets(b"\x44\x01"), der.integer(300), der.integer(200, tag=0x80))
    (location,) = objects.directory(der.context(8, part)).authentication
    assert location.path == Path(b"\x44\x01", index=300, length=200)


@pytest.mark.parametrize("index", [b"\xff", b"\x80\x00"])
def test_a_path_before_the_file_is_malformed(index: bytes) -> None:
    part = der.sequence(der.octets(b"\x44\x01"), der.tlv(0x02, index))
    with pytest.raises(CardDataMalformed):
        objects.directory(der.context(8, part))


def test_token_info_whole() -> None:
    algorithms = (
        der.sequence(
            der.integer(1),
            der.integer(1),
            der.NULL,
            der.named_bits(1, 4),
            der.oid("1.2.840.113549.1.1.1"),
            der.integer(0x90),
        ),
        der.sequence(der.integer(2), der.integer(0x40), der.NULL, der.named_bits(5)),
        der.sequence(der.integer(3), der.integer(0x1041), der.octets(b"x"), der.named_bits(1)),
        der.sequence(der.integer(4), der.integer(0x1041), der.named_bits(1)),
    )
    token = objects.token_info(
        der.sequence(
            der.integer(0),
            der.octets(b"\x01\x02"),
            der.utf8("maker"),
            der.utf8("label\x1b[31m", tag=0x80),
            der.named_bits(1),
            der.sequence(b""),  # seInfo
            der.context(1, b""),  # recordInfo
            der.context(2, *algorithms),
            der.utf8("issuer", tag=0x83),
        )
        + bytes(9)
    )
    assert (token.serial, token.label) == (b"\x01\x02", "label\x1b[31m")
    assert [(a.reference, a.mechanism, a.signs, a.card_reference) for a in token.algorithms] == [
        (1, 1, True, 0x90),
        (2, 0x40, False, None),
        (3, 0x1041, True, None),
        (4, 0x1041, True, None),
    ]


def test_token_info_at_its_least() -> None:
    token = objects.token_info(der.sequence(der.integer(0), der.octets(b"\x01"), der.named_bits()))
    assert (token.serial, token.label, token.algorithms) == (b"\x01", "", ())


def test_a_pin_with_everything() -> None:
    (pin,) = objects.pins(
        pin_object(
            der.named_bits(0, 1, 5),
            der.enumerated(2),
            der.integer(6),
            der.integer(8),
            der.integer(10),
            der.integer(0x81, tag=0x80),
            der.octets(b"\xff"),
            der.tlv(0x18, b"20260101000000Z"),
            PATH,
        )
    )
    assert (pin.auth_id, pin.flags, pin.type) == (b"\x01", {0, 1, 5}, 2)
    assert (pin.minimum, pin.stored, pin.maximum) == (6, 8, 10)
    assert (pin.reference, pin.pad, pin.path) == (0x81, 0xFF, Path(b"\x3f\x00\x50\x15\x44\x01"))


def test_a_pin_at_its_least() -> None:
    (pin,) = objects.pins(
        pin_object(der.named_bits(), der.enumerated(1), der.integer(4), der.integer(8))
    )
    assert (pin.maximum, pin.reference, pin.pad, pin.path) == (None, 0, None, None)


@pytest.mark.parametrize(
    ("encoded", "reference"),
    [(b"\x00\x81", 0x81), (b"\x81", 0x81), (b"\x01", 1), (b"\x00\xff", 0xFF)],
)
def test_references_of_one_byte_read_alike_signed_or_not(encoded: bytes, reference: int) -> None:
    (pin,) = objects.pins(
        pin_object(
            der.named_bits(),
            der.enumerated(1),
            der.integer(4),
            der.integer(8),
            der.tlv(0x80, encoded),
        )
    )
    assert pin.reference == reference


@pytest.mark.parametrize(
    "attributes",
    [
        (der.named_bits(), der.enumerated(1), der.integer(4)),
        (der.named_bits(), der.integer(1), der.integer(4), der.integer(8)),
        (der.named_bits(), der.enumerated(1), der.tlv(2, b"\xff"), der.integer(8)),
        (
            der.named_bits(),
            der.enumerated(1),
            der.integer(4),
            der.integer(8),
            der.integer(256, tag=0x80),
        ),
        (
            der.named_bits(),
            der.enumerated(1),
            der.integer(4),
            der.integer(8),
            der.octets(b"\xff\xff"),
        ),
    ],
)
def test_malformed_pins(attributes: tuple[bytes, ...]) -> None:
    with pytest.raises(CardDataMalformed) as caught:
        objects.pins(pin_object(*attributes))
    assert caught.value.file == "AODF"


def test_objects_other_than_pins_are_passed_over() -> None:
    assert objects.pins(pin_object(der.octets(b"x"), tag=0xA0)) == ()


def test_keys_of_both_kinds() -> None:
    rsa, elliptic = objects.private_keys(
        key_object(
            der.octets(b"\x45"),
            der.named_bits(2, 9),
            der.tlv(0x01, b"\x00"),
            der.named_bits(0),
            der.integer(0x84),
            der.tlv(0x18, b"20260101000000Z"),
            der.tlv(0x80, b"20300101000000Z"),
            der.context(1, der.integer(1), der.integer(7)),
            common=der.utf8("key") + der.named_bits(0) + der.octets(b"\x01"),
            sub=der.context(0, der.sequence(b"")),
        )
        + key_object(der.octets(b"\x46"), der.named_bits(2), tag=0xA0)
        + key_object(der.octets(b"\x47"), der.named_bits(2), tag=0xA1)  # Diffie-Hellman
    )
    assert (rsa.id, rsa.usage, rsa.elliptic, rsa.auth_id) == (b"\x45", {2, 9}, False, b"\x01")
    assert (rsa.reference, rsa.algorithms) == (0x84, {1, 7})
    assert rsa.path == Path(b"\x3f\x00\x50\x15\x44\x01")
    assert (elliptic.id, elliptic.elliptic, elliptic.auth_id) == (b"\x46", True, None)
    assert (elliptic.reference, elliptic.algorithms) == (None, frozenset())


def test_certificates_by_path_and_in_place() -> None:
    der_certificate = der.sequence(der.sequence(b"tbs"), der.sequence(b"alg"), der.tlv(3, b"\0"))
    explicit = der.context(0, der_certificate)
    implicit = der.context(0, der.sequence(b"tbs"), der.sequence(b"alg"), der.tlv(3, b"\0"))
    authority, *others = objects.certificates(
        certificate_object(PATH, der.TRUE)
        + certificate_object(PATH)
        + certificate_object(explicit)
        + certificate_object(implicit)
    )
    assert authority.authority
    assert not any(item.authority for item in others)
    assert others[0].path == Path(b"\x3f\x00\x50\x15\x44\x01")
    assert others[1].path is others[2].path is None
    assert others[1].der == der_certificate
    assert others[2].der.endswith(der_certificate[2:])


@pytest.mark.parametrize(
    "parse",
    [
        objects.directory,
        objects.token_info,
        objects.pins,
        objects.private_keys,
        objects.certificates,
    ],
)
@given(data=st.data())
def test_any_bytes_and_any_damage_parse_or_are_malformed(
    parse: Callable[[bytes], object], data: st.DataObject
) -> None:
    whole = [
        der.context(0, PATH) + der.context(4, PATH) + der.context(8, PATH),
        der.sequence(der.integer(0), der.octets(b"\x01"), der.named_bits(1)),
        pin_object(der.named_bits(0), der.enumerated(2), der.integer(6), der.integer(8)),
        key_object(der.octets(b"\x45"), der.named_bits(2), der.integer(1)),
        certificate_object(PATH),
    ]
    content = bytearray(data.draw(st.sampled_from(whole) | st.binary(max_size=100)))
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse(bytes(content))
    except CardDataMalformed:
        return
