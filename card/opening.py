"""Opening a card: recognise it, read it, check its certificate; no PIN before all of that."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from card import certificate, recognition
from card.atr import capabilities
from card.channel import Channel
from card.errors import (
    CardIsMoica,
    CardIsNhi,
    CardKindRefused,
    CardModuleMissing,
    CardUnknown,
)
from card.pkcs15 import application
from card.pkcs15.card import Pkcs15Card
from card.port import Card, Connection, Readers, Tracer
from card.recognition import Family
from card.signing import signing_key


def open_card(
    readers: Readers,
    reader: str,
    *,
    accepted: Collection[str] | None = None,
    tracer: Tracer | None = None,
) -> Card:
    """The card in `reader`, positively recognised and ready for its PIN.

    `accepted`: the card categories that the service takes ("HPC", …), None for any. Nothing is
    sent to an NHI or MOICA card. Raises WrongCard, CardDataMalformed, CardDataMissing,
    CertificateError, KeyUnsupported, CardRefused, and what connecting and transmitting raise; the
    connection is closed then.
    """
    connection = readers.connect(reader)
    try:
        return _open(connection, accepted, tracer)
    except BaseException:
        connection.close()
        raise


def _open(connection: Connection, accepted: Collection[str] | None, tracer: Tracer | None) -> Card:
    family = recognition.by_atr(connection.atr)
    if family is Family.NHI:
        raise CardIsNhi
    if family is Family.MOICA:
        raise CardIsMoica
    can = capabilities(connection.atr)
    channel = Channel(connection, can, tracer)
    with connection.transaction():
        try:
            selection = application.find(channel)
        except CardUnknown:
            raise CardModuleMissing if family is Family.HPC else CardUnknown from None
        contents = application.read(channel, selection, can.short_file_ids)
    holder = certificate.read(contents.certificate)
    # The wrong kind first: renewing an expired card of the wrong kind would help nobody.
    if accepted is not None and holder.category not in accepted:
        raise CardKindRefused(holder.category)
    certificate.check(holder, datetime.now(UTC))
    key = signing_key(holder.der)
    return Pkcs15Card(connection, channel, contents, holder, key)
