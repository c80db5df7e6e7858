"""Reading a card's transparent files in as few commands as the card allows (ISO 7816-4 §7.2)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from card import tlv
from card.apdu import SW, Command, Ins, Response
from card.channel import Channel
from card.errors import CardDataMalformed, CardDataMissing, CardRefused, PcscFailed
from card.pkcs15.objects import MF, Path

_Parsed = TypeVar("_Parsed")

CHUNK = 256  # bytes; what a short READ BINARY can ask for
LARGEST = 4096  # bytes; what an extended READ BINARY asks for at most
TAIL = 64  # bytes of a certificate's signature that tell it from every other
LONGEST = 16 * 1024  # bytes; no directory and no certificate comes near; P1-P2 reach 32 KiB
READS = 128  # READ BINARY commands for one file; a card that drips bytes is not waited for
APPLICATION = MF + b"\x50\x15"  # DF(PKCS15), where a card follows the recommendation (§5.3)


class Files:
    """The files of the selected application.

    `short_ids`: the card declares selection by short EF identifier. Then a file is read without
    selecting it first, by the low five bits of its file identifier: that is the short identifier
    unless the file says otherwise (ISO 7816-4 §5.3.3.1, tag 88). A file that says otherwise shows
    in content that does not parse or is empty, and is then read by its path.
    """

    def __init__(self, channel: Channel, short_ids: bool) -> None:
        self._channel = channel
        self._short_ids = short_ids
        self._taken: dict[int, bytes] = {}
        self._certificates: dict[Path, bytes] = {}  # read before their directory names them
        self.left = False  # for another DF than the application's

    @property
    def extended(self) -> bool:
        """Extended length works, as far as was tried."""
        return self._channel.extended

    def read(
        self, path: Path, file: str, parse: Callable[[bytes], _Parsed], single: bool = False
    ) -> _Parsed:
        """What `path` points at, parsed; `single`: one data object and no more, a certificate.

        Raises CardDataMissing(file) where there is no such file, CardDataMalformed, CardRefused,
        and what Channel.send raises.
        """
        held = self._certificates.get(replace(path, length=None)) if single else None
        if held is not None:
            return parse(held)
        short = self._short_id(path)
        if short is not None:
            with suppress(CardDataMalformed, CardRefused):
                parsed = parse(self._content(path, file, single, short=short))
                if parsed:
                    return parsed
            self._short_ids = False
        size = self._select(path, file)
        return parse(self._content(path, file, single, size=size))

    def certificate_again(self, path: Path, known: bytes) -> bytes:
        """The certificate in the file: `known` where the file ends like it, else read whole.

        The end is its issuer's signature, as no other has it. What was read whole here is not
        read again. Raises as `read`.
        """
        file = "certificate"
        size = self._select(path, file)
        tail = known[-TAIL:]
        offset = path.index + len(known) - len(tail)
        if self._binary(*divmod(offset, 256), len(tail))[0] == tail:
            return known
        content = self._content(replace(path, length=None), file, single=True, size=size)
        self._certificates[replace(path, length=None)] = content
        return tlv.first(content, file).encoded

    def _short_id(self, path: Path) -> int | None:
        """The short EF identifier to read by, where it is certain which file it means."""
        identifier = path.value[-2:]
        here = path.folder in (b"", APPLICATION)
        if not self._short_ids or not here or path.index or len(identifier) != 2:
            return None
        short = identifier[1] & 0x1F
        known = self._taken.setdefault(short, identifier)
        return short if 1 <= short <= 30 and known == identifier else None

    def _select(self, path: Path, file: str) -> int | None:
        """SELECT the file; its size from the FCI, None where the card does not say."""
        if len(path.value) < 2:
            raise CardDataMissing(file)
        response = self._channel.send(select(path))
        if response.sw == SW.FILE_NOT_FOUND:
            raise CardDataMissing(file)
        if response.sw != SW.OK:
            raise CardRefused(Ins.SELECT, response.sw)
        if path.folder not in (b"", APPLICATION):
            self._short_ids = False  # short identifiers now mean files of another DF
            self.left = True
        return _size(response.data)

    def _content(
        self,
        path: Path,
        file: str,
        single: bool,
        short: int | None = None,
        size: int | None = None,
    ) -> bytes:
        """READ BINARY until the objects in the file are complete; padding is left unread."""
        end = size if path.length is None else path.index + path.length
        content = bytearray()
        for _ in range(READS):
            whole = tlv.missing(bytes(content), file, single)
            offset = path.index + len(content)
            if whole == 0 or (end is not None and offset >= end):
                break
            wanted = max(whole or 0, CHUNK)
            if end is not None:  # a directory's file may be mostly padding, a certificate's is not
                wanted = min(end - offset, LARGEST if single else wanted)
            if offset + wanted > LONGEST:
                raise CardDataMalformed(file)
            chunk, last = self._chunk(offset, wanted, short if not content else None)
            content += chunk
            if last or not chunk:
                break
        return bytes(content)

    def _chunk(self, offset: int, wanted: int, short: int | None) -> tuple[bytes, bool]:
        """One READ BINARY; True when the file ends with it.

        Extended length needs the reader's consent too: where that fails, this card is read in
        short commands from here on. Reading again is harmless.
        """
        p1, p2 = (0x80 | short, 0) if short is not None else divmod(offset, 256)
        if not self._channel.extended or wanted <= CHUNK:
            return self._binary(p1, p2, min(wanted, CHUNK))
        try:
            return self._binary(p1, p2, wanted)
        except (CardRefused, PcscFailed):
            self._channel.extended = False
            return self._binary(p1, p2, CHUNK)

    def _binary(self, p1: int, p2: int, wanted: int) -> tuple[bytes, bool]:
        response: Response = self._channel.send(Command(Ins.READ_BINARY, p1, p2, le=wanted))
        if response.sw == SW.WRONG_OFFSET and not p1 & 0x80 and (p1, p2) != (0, 0):
            return b"", True
        if response.sw not in (SW.OK, SW.END_OF_FILE):
            raise CardRefused(Ins.READ_BINARY, response.sw)
        return response.data, response.sw == SW.END_OF_FILE


def select(path: Path) -> Command:
    """SELECT for each form that a path may have (ISO 7816-4 §5.3.1.2, §7.1.1)."""
    value = path.value
    if path.absolute and len(value) > 2 and len(value) % 2 == 0:
        return Command(Ins.SELECT, 0x08, 0x00, value[2:], le=256)  # from the MF
    if len(value) > 2 and len(value) % 2:
        return Command(Ins.SELECT, value[-1], 0x00, value[:-1], le=256)  # qualified: P1 is last
    if len(value) > 2:
        return Command(Ins.SELECT, 0x09, 0x00, value, le=256)  # from the current DF
    return Command(Ins.SELECT, 0x00, 0x00, value, le=256)  # one file identifier


def _size(control_information: bytes) -> int | None:
    """The number of data bytes, FCI tag 80, else 81 (ISO 7816-4 §5.3.3); None if unsaid."""
    try:
        template = tlv.parse(control_information, "FCI")
        fields = tlv.parse(template[0].value, "FCI") if template else ()
    except CardDataMalformed:
        return None  # some cards answer with a format of their own; the file itself decides
    sizes = {field.tag: int.from_bytes(field.value, "big") for field in fields}
    return sizes.get(0x80, sizes.get(0x81))
