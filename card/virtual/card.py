"""The virtual card: ISO 7816-4 commands over a PKCS#15 file system, with a PIN that blocks."""

from __future__ import annotations

import functools
import hmac
import operator
import os
import threading
from dataclasses import replace
from enum import Enum, IntEnum

from card.virtual import filesystem
from card.virtual.authority import Authority, Issued
from card.virtual.command import Command, parse
from card.virtual.filesystem import DedicatedFile, ElementaryFile
from card.virtual.profile import Fault, Kind, Profile, Trouble

VERIFY = 0x20
LONGEST_DATA = 65535  # bytes that command chaining may add up to


class Status(IntEnum):
    """The status words that this card answers with (ISO 7816-4 §5.6)."""

    OK = 0x9000
    END_OF_FILE = 0x6282
    LENGTH = 0x6700
    CHANNEL_UNSUPPORTED = 0x6881
    SECURE_MESSAGING_UNSUPPORTED = 0x6882
    CHAIN_BROKEN = 0x6883
    SECURITY_STATUS = 0x6982
    BLOCKED = 0x6983
    CONDITIONS = 0x6985
    NO_CURRENT_EF = 0x6986
    DATA = 0x6A80
    FUNCTION_UNSUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    P1P2 = 0x6A86
    REFERENCE_NOT_FOUND = 0x6A88
    OFFSET = 0x6B00
    INS_UNSUPPORTED = 0x6D00
    CLA_UNSUPPORTED = 0x6E00


class Presence(Enum):
    """What the reader feels of the card."""

    ANSWERING = "answering"
    MUTE = "mute"
    REMOVED = "removed"


GARBAGE = bytes(range(0xF0, 0x100)) * 4 + b"\x90\x00"

_Answer = tuple[bytes, int]  # response data and status word
_Selection = tuple[tuple[DedicatedFile, ...], ElementaryFile | None]  # MF down to the DF, the EF


class VirtualCard:
    """One card, made from a profile; it keeps its key and its tries as long as the object lives.

    `authority` issues its certificate; without one a test CA is made for this card alone.
    Any thread may call it; one command runs at a time.
    """

    def __init__(self, profile: Profile, authority: Authority | None = None) -> None:
        self.profile = profile
        self.issued: Issued | None = None
        self.transmitted = 0  # command APDUs ever received
        self.verify_count = 0  # VERIFY commands with data ever received
        self.tries_left = profile.pin.tries_left
        self._files = filesystem.empty()
        if profile.kind is Kind.PKCS15:
            authority = authority or Authority.create()
            self.issued = authority.issue(profile)
            self._files = filesystem.pkcs15(profile, self.issued, authority.issuing_der)
        self._fault_hits = [0] * len(profile.faults)
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Cut the power and give it again: selection and security state are gone."""
        with self._lock:
            mute = self.profile.kind is Kind.MUTE
            self.presence = Presence.MUTE if mute else Presence.ANSWERING
            self._directory: tuple[DedicatedFile, ...] = (self._files,)  # from the MF down
            self._file: ElementaryFile | None = None
            self._verified = False
            self._key_set = False
            self._chain: Command | None = None
            self._rest = b""
            self._commands = 0

    @property
    def atr(self) -> bytes:
        """The answer to reset; empty while the card is mute or gone (ISO 7816-3 §8.2)."""
        if self.presence is not Presence.ANSWERING:
            return b""
        return self.profile.atr or _atr(extended_length=self.profile.extended_length)

    def transmit(self, command: bytes | bytearray) -> bytes:
        """One command APDU in, the response APDU out; any bytes get an answer, nothing raises.

        Without a status word in it (empty) the card is mute, or gone, or a fault wants it so:
        `presence` says which.
        """
        raw = bytes(command)
        with self._lock:
            if self.presence is not Presence.ANSWERING:
                return b""
            self.transmitted += 1
            self._commands += 1
            ins = raw[1] if len(raw) > 1 else None
            if ins == VERIFY and len(raw) > 5:
                self.verify_count += 1
            fault = self._due(ins)
            if fault is None:
                return self._respond(parse(raw))
            if fault.processed:
                self._respond(parse(raw))
            return self._fail(fault.answer)

    def _due(self, ins: int | None) -> Fault | None:
        """The first fault that this command meets, counted."""
        for index, fault in enumerate(self.profile.faults):
            here = fault.command == self._commands if fault.ins is None else fault.ins == ins
            if here and self._fault_hits[index] != fault.count:
                self._fault_hits[index] += 1
                return fault
        return None

    def _fail(self, answer: bytes | Trouble) -> bytes:
        if isinstance(answer, bytes):
            return answer
        if answer is Trouble.MUTE:
            self.presence = Presence.MUTE
        elif answer is Trouble.REMOVE:
            self.presence = Presence.REMOVED
        return GARBAGE if answer is Trouble.GARBAGE else b""

    def _respond(self, command: Command | None) -> bytes:
        """The response APDU; what is too long for it waits for GET RESPONSE."""
        if command is None:
            return _word(Status.LENGTH)
        data, status = self._execute(command)
        limit = min(command.ne, self.profile.response_limit)
        self._rest = data[limit:]
        if self._rest:
            status = 0x6100 | (len(self._rest) if len(self._rest) < 256 else 0)
        return data[:limit] + _word(status)

    def _execute(self, command: Command) -> _Answer:
        refusal = self._class_refusal(command)
        if refusal is not None:
            return b"", refusal
        begun, self._chain = self._chain, None
        if begun is not None:
            if (begun.ins, begun.p1, begun.p2) != (command.ins, command.p1, command.p2):
                return b"", Status.CHAIN_BROKEN
            command = replace(command, data=begun.data + command.data)
            if len(command.data) > LONGEST_DATA:
                return b"", Status.LENGTH
        if command.chained:
            self._chain = command
            return b"", Status.OK
        match command.ins:
            case 0xA4:
                return self._select(command)
            case 0xB0:
                return self._read_binary(command)
            case 0xC0:
                return (self._rest, Status.OK) if self._rest else (b"", Status.CONDITIONS)
            case 0x20:
                return b"", self._verify(command)
            case 0x22:
                return b"", self._manage_security_environment(command)
            case 0x2A:
                return self._compute_signature(command)
            case 0x84:
                return (os.urandom(command.ne), Status.OK) if command.ne else (b"", Status.LENGTH)
        return b"", Status.INS_UNSUPPORTED

    def _class_refusal(self, command: Command) -> Status | None:
        """Why this CLA or this form of length is not for this card (ISO 7816-4 §5.4.1)."""
        if command.cla & 0xA0:
            return Status.CLA_UNSUPPORTED
        if command.cla & 0x43:
            return Status.CHANNEL_UNSUPPORTED
        if command.cla & 0x0C:
            return Status.SECURE_MESSAGING_UNSUPPORTED
        if command.extended and not self.profile.extended_length:
            return Status.LENGTH
        return None

    # --- files (ISO 7816-4 §11.2, §11.3) ---

    def _select(self, command: Command) -> _Answer:
        if command.p2 not in (0x00, 0x04, 0x0C):
            return b"", Status.P1P2
        found = self._find(command.p1, command.data)
        if isinstance(found, Status):
            return b"", found
        self._directory, self._file = found
        if command.p2 == 0x0C or not command.ne:
            return b"", Status.OK
        tag = 0x62 if command.p2 == 0x04 else 0x6F
        return filesystem.control_parameters(self._file or self._directory[-1], tag), Status.OK

    def _find(self, p1: int, data: bytes) -> _Selection | Status:
        here = self._directory
        match p1:
            case 0x00 if data in (b"", b"\x3f\x00"):
                return here[:1], None
            case 0x00 if len(data) == 2:
                return _nearby(here, data) or Status.FILE_NOT_FOUND
            case 0x03 if not data:
                return (here[:-1] or here[:1]), None
            case 0x04:
                return _named(here[0], data) or Status.FILE_NOT_FOUND
            case 0x08 | 0x09 if data and not len(data) % 2:
                start = here[:1] if p1 == 0x08 else here
                return _below(start, data) or Status.FILE_NOT_FOUND
        return Status.P1P2

    def _read_binary(self, command: Command) -> _Answer:
        file, offset = self._file, command.p1 << 8 | command.p2
        if command.p1 & 0x80:
            offset = command.p2
            short = command.p1 & 0x1F
            candidates = (
                file
                for file in self._directory[-1].files
                if isinstance(file, ElementaryFile) and file.short == short
            )
            file = next(candidates, None)
            if command.p1 & 0x60 or file is None:
                return b"", Status.P1P2 if command.p1 & 0x60 else Status.FILE_NOT_FOUND
            self._file = file
        if file is None:
            return b"", Status.NO_CURRENT_EF
        if not command.ne or command.data:
            return b"", Status.LENGTH
        if offset >= len(file.content):
            return b"", Status.OFFSET
        data = file.content[offset : offset + command.ne]
        short_of = command.exact and len(data) < command.ne
        return data, Status.END_OF_FILE if short_of else Status.OK

    # --- security (ISO 7816-4 §11.5, ISO 7816-8 §11) ---

    def _verify(self, command: Command) -> int:
        pin = self.profile.pin
        if command.p1:
            return Status.P1P2
        if self.issued is None or command.p2 != filesystem.PIN_REFERENCE:
            return Status.REFERENCE_NOT_FOUND
        if not command.data and self._verified:
            return Status.OK
        if not self.tries_left:
            return Status.BLOCKED
        if command.data:
            self.tries_left -= 1  # before the comparison, so that no tearing makes it free
            expected = pin.value.ljust(pin.maximum, b"\xff") if pin.padded else pin.value
            self._verified = hmac.compare_digest(command.data, expected)
            if self._verified:
                self.tries_left = pin.tries
                return Status.OK
        return 0x63C0 | self.tries_left

    def _manage_security_environment(self, command: Command) -> Status:
        """MSE SET of the digital signature template, MSE RESTORE of the empty environment."""
        if (command.p1, command.p2) in ((0xF3, 0x00), (0xF3, 0x01)):
            self._key_set = False
            return Status.OK
        if (command.p1, command.p2) != (0x41, 0xB6):
            return Status.P1P2
        objects = _control_references(command.data)
        if objects is None:
            return Status.DATA
        self._key_set = False
        if self.issued is None or objects.get(0x84) != bytes((filesystem.KEY_REFERENCE,)):
            return Status.REFERENCE_NOT_FOUND
        algorithm = filesystem.algorithm_reference(self.profile.key.type)
        if objects.get(0x80, algorithm) != algorithm:
            return Status.DATA
        self._key_set = True
        return Status.OK

    def _compute_signature(self, command: Command) -> _Answer:
        if (command.p1, command.p2) != (0x9E, 0x9A):
            return b"", Status.P1P2
        if self.issued is None or not self._key_set:
            return b"", Status.CONDITIONS
        if not self._verified:
            return b"", Status.SECURITY_STATUS
        signature = self.issued.sign(command.data)
        return (b"", Status.DATA) if signature is None else (signature, Status.OK)


def _atr(*, extended_length: bool) -> bytes:
    """T=1, and historical bytes as COMPACT-TLV: capabilities, then HCATEST as pre-issuing data."""
    capabilities = bytes((0xB4, 0x21, 0xC0 if extended_length else 0x80))  # ISO 7816-4 §12.1.1.9
    historical = b"\x80\x73" + capabilities + b"\x67HCATEST"
    interface = bytes((0x80 | len(historical), 0x81, 0x31, 0xFE, 0x45)) + historical
    return b"\x3b" + interface + bytes((functools.reduce(operator.xor, interface),))


def _word(status: int) -> bytes:
    return status.to_bytes(2, "big")


def _nearby(here: tuple[DedicatedFile, ...], identifier: bytes) -> _Selection | None:
    """In the current DF, itself, beside it, above it (ISO 7816-4 §7.3.1)."""
    for path in (here, here[:-1]):
        if path and path[-1].identifier == int.from_bytes(identifier, "big"):
            return path, None
        if path and (found := _below(path, identifier)):
            return found
    return None


def _named(master: DedicatedFile, name: bytes) -> _Selection | None:
    for file in master.files:
        if isinstance(file, DedicatedFile) and file.name == name:
            return (master, file), None
    return None


def _below(start: tuple[DedicatedFile, ...], path: bytes) -> _Selection | None:
    """Follow a path of two-byte file identifiers down from the last directory of `start`."""
    identifier, rest = int.from_bytes(path[:2], "big"), path[2:]
    for file in start[-1].files:
        if file.identifier != identifier:
            continue
        if isinstance(file, DedicatedFile):
            inner = (*start, file)
            return _below(inner, rest) if rest else (inner, None)
        return None if rest else (start, file)
    return None


def _control_references(data: bytes) -> dict[int, bytes] | None:
    """Control reference data objects, all of one-byte tags and lengths; None where malformed."""
    objects: dict[int, bytes] = {}
    while data:
        if len(data) < 2 or len(data) < 2 + data[1]:
            return None
        objects[data[0]] = data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return objects
