"""Several readers and cards side by side: what is looked at, what is shown, what is picked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from card.desk import Desk, Place, at_first_sight, listed, picked
from card.devices import Device, device_of
from card.opening import open_card
from card.port import Card, SlotState
from card.recognition import Kind
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile
from card.virtual.readers import EmbeddedReaders

EC = '[key]\ntype = "EC"\n'
HCA = {"HPC", "HOP"}
VIRTUAL = ("Virtual PCD 00 00", "Virtual PCD 00 01")
KEY, MODEM = "Yubico YubiKey OTP+FIDO+CCID 00 00", "Sierra Wireless EM7455 00 00"
READER, OTHER = "ACS ACR39U ICC Reader 00 00", "CASTLES EZCCID Smart Card Reader 00 00"

Inserted = Callable[[str, str], VirtualCard]


@pytest.fixture
def readers() -> EmbeddedReaders:
    return EmbeddedReaders()


@pytest.fixture
def insert(authority: Authority, readers: EmbeddedReaders) -> Inserted:
    def put(reader: str, toml: str) -> VirtualCard:
        card = VirtualCard(Profile.parse(toml), authority)
        readers.plug(reader)
        readers.insert(reader, card)
        return card

    return put


def looked(readers: EmbeddedReaders, desk: Desk | None = None) -> tuple[Place, ...]:
    return (desk or Desk()).look(readers.slots(), lambda name: open_card(readers, name), HCA)


NHI = 'kind = "foreign"\natr = "3BEE00008131FE4580318066409093060F17830F9000F3"\n'
MOICA_ATR = 'atr = "3B8B80010031C1640840213000900057"\n'


@pytest.mark.parametrize(
    ("toml", "found"),
    [
        (EC, (Kind.HPC, "測試員甲", None)),
        (
            '[certificate]\ncategory = "HOP"\nholder = "測試診所"\n' + EC,
            (Kind.HOP, "測試診所", None),
        ),
        ('[certificate]\ncategory = "OTHER"\n' + EC, (Kind.PKCS15, "", "card.kind.refused")),
        ('kind = "piv"\n' + EC, (Kind.HPC, "測試員甲", None)),
        (
            'kind = "piv"\n[certificate]\ncategory = "none"\n' + EC,
            (Kind.PIV, "", "card.kind.refused"),
        ),
        ("[certificate]\nnot_after = -1\n" + EC, (Kind.HPC, "", "card.certificate.expired")),
        ("[certificate]\nmalformed = true\n" + EC, (Kind.PKCS15, "", "card.certificate.malformed")),
        (
            'kind = "piv"\n[certificate]\nmalformed = true\n' + EC,
            (Kind.PIV, "", "card.certificate.malformed"),
        ),
        (
            '[certificate]\ncategory = "OTHER"\nnot_after = -1\n' + EC,
            (Kind.PKCS15, "", "card.certificate.expired"),
        ),
        (NHI, (Kind.NHI, "", "card.kind.nhi")),
        (MOICA_ATR + EC, (Kind.MOICA, "", "card.kind.moica")),
        (
            'kind = "foreign"\natr = "3B64000054455354"\n',
            (Kind.UNKNOWN, "", "card.kind.unknown"),
        ),
        (
            'kind = "foreign"\natr = "3BF91800008131FE4550565F4A3244303831B6"\n',
            (Kind.HPC, "", "card.module.missing"),
        ),
        ('kind = "mute"\n', (Kind.MUTE, "", "card.mute")),
    ],
)
def test_what_lies_in_a_reader(
    readers: EmbeddedReaders,
    insert: Inserted,
    toml: str,
    found: tuple[Kind | None, str, str | None],
) -> None:
    card = insert(READER, toml)
    (place,) = looked(readers)
    code = place.error.code if place.error else None
    assert (place.kind, place.holder, code) == found
    assert place.usable is (code is None)
    assert card.verify_count == 0


@pytest.mark.parametrize("toml", [NHI, MOICA_ATR + EC])
def test_nothing_is_sent_to_a_card_that_its_atr_names(
    readers: EmbeddedReaders, insert: Inserted, toml: str
) -> None:
    card = insert(READER, toml)
    assert at_first_sight(readers.slots()[0]).looked
    looked(readers)
    assert card.transmitted == 0


def test_a_held_and_an_empty_reader(readers: EmbeddedReaders, insert: Inserted) -> None:
    insert(READER, EC)
    readers.hold(READER, True)
    readers.plug(OTHER)
    held, empty = looked(readers)
    assert held.error is not None
    assert held.error.code == "card.reader.held"
    assert (empty.kind, empty.error, empty.usable) == (None, None, False)


def test_the_one_card_that_can_be_used_is_picked(
    readers: EmbeddedReaders, insert: Inserted
) -> None:
    insert(READER, NHI)
    insert(OTHER, EC)
    first = [at_first_sight(slot) for slot in readers.slots()]
    assert picked(first) is first[1]  # before anybody looked: the other one is an NHI card
    places = looked(readers)
    assert picked(places) is places[1]


def test_of_two_that_can_be_used_none_is(readers: EmbeddedReaders, insert: Inserted) -> None:
    insert(READER, EC)
    insert(OTHER, EC)
    places = looked(readers)
    assert [place.usable for place in places] == [True, True]
    assert picked(places) is None
    assert picked([]) is None


def test_a_card_is_read_once_and_handed_over_open(
    readers: EmbeddedReaders, insert: Inserted
) -> None:
    card, other = insert(READER, EC), insert(OTHER, EC)
    desk = Desk()
    looked(readers, desk)
    before = card.transmitted, other.transmitted
    looked(readers, desk)
    assert (card.transmitted, other.transmitted) == before
    taken = desk.take(READER)
    assert taken is not None
    assert taken.certificate.holder == "測試員甲"
    assert desk.take(READER) is desk.take(OTHER) is None  # mine now; the other one is let go


class Watched:
    """An open card that remembers being closed."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.certificate = card.certificate
        self.via = card.via
        self.closed = 0

    def close(self) -> None:
        self.closed += 1
        self.card.close()


def test_cards_are_let_go_when_they_leave_or_nobody_wants_them(
    readers: EmbeddedReaders, insert: Inserted
) -> None:
    insert(READER, EC)
    insert(OTHER, '[certificate]\ncategory = "OTHER"\n' + EC)
    opened: list[Watched] = []

    def watched(name: str) -> Card:
        opened.append(Watched(open_card(readers, name)))
        return opened[-1]  # type: ignore[return-value]

    desk = Desk()
    desk.look(readers.slots(), watched, HCA)
    assert [card.closed for card in opened] == [0, 1]  # of a kind that the service does not take
    readers.remove(READER)
    desk.look(readers.slots(), watched, HCA)
    assert [card.closed for card in opened] == [1, 1]
    insert(READER, EC)
    desk.look(readers.slots(), watched, HCA)
    desk.close()
    assert [card.closed for card in opened] == [1, 1, 1]


def test_a_card_swapped_for_another_is_looked_at_anew(
    readers: EmbeddedReaders, insert: Inserted
) -> None:
    insert(READER, EC)
    desk = Desk()
    looked(readers, desk)
    insert(READER, '[certificate]\nholder = "測試員乙"\n' + EC)
    (place,) = looked(readers, desk)
    assert place.holder == "測試員乙"


@pytest.mark.parametrize(
    ("name", "device"),
    [
        (READER, Device.READER),
        (OTHER, Device.READER),
        ("InfoThink IT-500U 00 00", Device.READER),
        ("Generic EMV Smartcard Reader 00 00", Device.READER),
        ("OMNIKEY AG 3121 USB 00 00", Device.READER),
        ("HID Global OMNIKEY 5422 Smartcard Reader 01 00", Device.READER),
        ("ACS ACR1252 1S CL Reader [ACR1252 Dual Reader SAM] 01 00", Device.SAM),
        ("Samsung Card Reader 00 00", Device.READER),
        (KEY, Device.SECURITY_KEY),
        ("Nitrokey Nitrokey 3 [CCID/ICCD Interface] 00 00", Device.SECURITY_KEY),
        (MODEM, Device.MODEM),
        ("Microsoft WWAN UICC Reader", Device.MODEM),
        (VIRTUAL[0], Device.VIRTUAL),
        ("Windows Hello for Business 1", Device.SECURITY_KEY),
        ("Microsoft Virtual Smart Card 0", Device.VIRTUAL),
    ],
)
def test_devices_by_their_names(name: str, device: Device) -> None:
    assert device_of(name) is device


def names(places: tuple[Place, ...]) -> list[str]:
    return [place.slot.reader for place in listed(places)]


def test_what_is_no_card_reader_does_not_crowd_the_list(
    readers: EmbeddedReaders, insert: Inserted
) -> None:
    for name in (KEY, MODEM, *VIRTUAL, READER):
        readers.plug(name)
    assert names(looked(readers)) == [READER]
    insert(MODEM, 'kind = "foreign"\n')
    insert(KEY, 'kind = "foreign"\n')
    assert names(looked(readers)) == [READER]
    insert(KEY, EC)
    insert(VIRTUAL[1], NHI)
    assert names(looked(readers)) == [KEY, VIRTUAL[1], READER]


def test_where_nothing_else_is_there_one_empty_slot_is_shown(readers: EmbeddedReaders) -> None:
    assert names(looked(readers)) == []
    for name in VIRTUAL:
        readers.plug(name)
    (slot, other) = readers.slots()
    assert slot.state is other.state is SlotState.EMPTY
    assert names(looked(readers)) == [VIRTUAL[0]]
