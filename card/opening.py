"""Opening a card: recognise it, read it, check its certificate; no PIN before all of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from card import pin_pad, recognition
from card.apdu_card import ApduCard, Commands
from card.atr import capabilities
from card.channel import Channel
from card.errors import (
    CardDataMalformed,
    CardDataMissing,
    CardError,
    CardIsMoica,
    CardIsNhi,
    CardModuleMissing,
    CardUnknown,
    CertificateError,
    KeyUnsupported,
    ModuleError,
    ModuleSeesNoCard,
    PadLies,
)
from card.pkcs15 import application
from card.pkcs15.commands import Pkcs15Commands
from card.pkcs15.files import Files
from card.port import Card, Connection, PadUse, Readers, Tracer
from card.recognition import Kind
from card.seen import Seen, Stay
from card.signing import SigningKey, signing_key
from card.trust import Judge

if TYPE_CHECKING:
    from cryptography import x509

    from card.piv.application import Contents as PivContents
    from card.pkcs11.modules import Module
    from card.seen import Contents

MODULE_SECONDS = 60  # for one call of a PKCS#11 module; a slow link and a slow card need some

Modules = Callable[[], "Collection[Module]"]


def open_card(
    readers: Readers,
    reader: str,
    *,
    accepted: Collection[str] | None = None,
    tracer: Tracer | None = None,
    modules: Modules = tuple,
    seconds: int = MODULE_SECONDS,
    seen: Seen | None = None,
    anchors: Collection[x509.Certificate] = (),
    pads: PadUse = PadUse.PREFER,
) -> Card:
    """The card in `reader`, positively recognised and ready for its PIN.

    `accepted`: the card categories that the service takes ("HPC", …), None for any. Nothing is
    sent to an NHI or MOICA card. A card that this program does not speak to itself is opened
    through one of `modules` (asked for only then) that is for such cards; `seconds` is the limit
    for one call of it. A card that was `seen` before is not read anew. `anchors`: the CAs that
    must have issued its certificate, none to leave that to the service. `pads`: what the settings
    say of readers with keys of their own. Raises WrongCard, ModuleError, CardDataMalformed,
    CardDataMissing, CertificateError, KeyUnsupported, CardRefused, and what connecting and
    transmitting raise; the connection is closed then.
    """
    judge = Judge(accepted, anchors)
    connection = readers.connect(reader)
    try:
        family = recognition.by_atr(connection.atr)
        card = _open(connection, family, judge, tracer, seen or Seen(), pads=pads)
    except BaseException:
        connection.close()
        raise
    if card is not None:
        return card
    connection.close()  # a module makes its own
    try:
        fitting = _fitting(modules(), family)
        with _known_as(family or Kind.OTHER):
            return through_module(readers, reader, fitting, judge, seconds, pads=pads)
    except ModuleSeesNoCard:
        if family is Kind.HPC:
            raise
        raise CardUnknown from None  # no module knows it, and none was known to be for it


def _open(
    connection: Connection,
    family: Kind | None,
    judge: Judge,
    tracer: Tracer | None,
    seen: Seen,
    *,
    pads: PadUse,
) -> Card | None:
    """The card by our own commands; None where it has no application that we know."""
    if family is Kind.NHI:
        raise CardIsNhi
    if family is Kind.MOICA:
        raise CardIsMoica
    can = capabilities(connection.atr)
    channel = Channel(connection, can, tracer)
    stay = seen.in_place(connection)
    if stay is not None:
        return _card(channel, stay, judge, family, pads)
    # One transaction around the VERIFY that asks for the tries and all that says which PIN it is:
    # what another program selected between two of these would be read as this application's.
    with connection.transaction():
        contents: Contents | None
        selected = True
        try:
            selection = application.find(channel)
        except CardUnknown:
            contents = _piv_contents(channel) if family is not Kind.HPC else None
        else:
            files = Files(channel, can.short_file_ids)
            with _known_as(family or Kind.PKCS15):
                contents = application.read(
                    files, selection, connection.atr, seen, judge.stands_alone
                )
            selected = not files.left
        if contents is None:
            return None
        stay = Stay(contents)
        if pads is not PadUse.OFF:
            stay.pad = pin_pad.look(connection)
        card = _card(channel, stay, judge, family, pads)
        card.learn_tries(selected)
    seen.keep(connection, stay)
    return card


def _piv_contents(channel: Channel) -> PivContents | None:
    """Of the card's PIV application, which is selected then; None where it has none."""
    from card.piv import application

    if not application.find(channel):
        return None
    with _known_as(Kind.PIV):
        return application.read(channel)


def _card(
    channel: Channel,
    stay: Stay,
    judge: Judge,
    family: Kind | None,
    pads: PadUse,
) -> ApduCard:
    """The card that was read, once its certificate was found good. Sends nothing to it."""
    contents = stay.contents
    pkcs15 = isinstance(contents, application.Contents)
    with _known_as(family or Kind.PKCS15 if pkcs15 else Kind.PIV):
        holder = judge.holder(contents.certificate, contents.between)
        key = signing_key(holder.der)
        commands = _commands(channel, contents, key)
    return ApduCard(commands, stay, holder, pads)


def _commands(channel: Channel, contents: Contents, key: SigningKey) -> Commands:
    if isinstance(contents, application.Contents):
        channel.extended = channel.extended and contents.extended
        return Pkcs15Commands(channel, contents, key)
    from card.piv.commands import PivCommands

    return PivCommands(channel, contents, key)


@contextmanager
def _known_as(kind: Kind) -> Iterator[None]:
    """What is wrong with the card's contents is wrong with a card of this kind, or a closer one."""
    try:
        yield
    except (CardDataMalformed, CardDataMissing, CertificateError, KeyUnsupported) as error:
        error.kind = error.kind or kind
        raise


def _fitting(modules: Collection[Module], family: Kind | None) -> list[Path]:
    """The modules for such a card. Raises CardModuleMissing or -Kept, CardUnknown without any."""
    from card.pkcs11.modules import For, lack

    wanted = For.HPC if family is Kind.HPC else For.OTHER
    fitting = [module for module in modules if wanted in module.cards]
    usable = [module.path for module in fitting if module.kept is None]
    if not usable:
        raise lack(fitting) if family is Kind.HPC else CardUnknown
    return usable


def through_module(
    readers: Readers,
    reader: str,
    modules: Collection[Path],
    judge: Judge,
    seconds: int,
    *,
    pads: PadUse = PadUse.PREFER,
) -> Card:
    """The card through the first of the modules that knows it.

    Going from module to module only reads: the PIN meets the one that is chosen here, no other.
    """
    from card.pkcs11.card import Pkcs11Card, has_pad
    from card.pkcs11.token import connect, most_telling

    slots = readers.slots()
    reasons: list[CardError] = []
    for module in modules:
        again = partial(connect, module, reader, slots, seconds)
        try:
            token = again()
        except (ModuleError, CardDataMissing) as error:
            reasons.append(error)
            continue
        try:
            if has_pad(token):
                pads = _unless_it_lies(readers, reader, pads)
            holder = judge.holder(token.certificate, token.between)
            return Pkcs11Card(token, again, holder, signing_key(holder.der), pads=pads)
        except BaseException:
            token.helper.close()
            raise
    raise most_telling(reasons) or CardModuleMissing()


def _unless_it_lies(readers: Readers, reader: str, pads: PadUse) -> PadUse:
    """OFF where the pad that a module would use is known not to keep a PIN safe. Raises PadLies."""
    for slot in readers.slots():
        pad = pin_pad.look_at(readers, slot) if slot.reader == reader else None
        if pad is not None and pad.lies:
            if pads is PadUse.ONLY:
                raise PadLies(reader, pad.usb_text)
            return PadUse.OFF
    return pads
