"""The virtual card: ISO 7816-4 over a PKCS#15 file system, or PIV, with a PIN that blocks."""

from __future__ import annotations

import functools
import hmac
import operator
import os
import threading
from dataclasses import replace
from enum import Enum

from card.apdu import SW, Ins
from card.virtual import filesystem, piv
from card.virtual.authority import Authority, Issued
from card.virtual.command import Command, parse
from card.virtual.filesystem import DedicatedFile, ElementaryFile
from card.virtual.profile import PLACES, Fault, Kind, Profile, Trouble

LONGEST_DATA = 65535  # bytes that command chaining may add up to


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
        self._objects: dict[bytes, bytes] = {}  # PIV
        if profile.kind is Kind.PKCS15:
            authority = authority or Authority.create()
            self.issued = authority.issue(profile)
            self._files = filesystem.pkcs15(profile, self.issued, authority.issuing_der)
        if profile.kind is Kind.PIV:
            self.issued = (authority or Authority.create()).issue(profile)
            self._objects = piv.objects(profile, self.issued)
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
            self._piv = False  # its application is selected
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
            if PLACES["VERIFY"].covers(raw, self._commands):
                self.verify_count += 1
            fault = self._due(raw)
            if fault is None:
                return self._respond(parse(raw))
            if fault.processed:
                self._respond(parse(raw))
            return self._fail(fault.answer)

    def _due(self, command: bytes) -> Fault | None:
        """The first fault that this command meets, counted."""
        for index, fault in enumerate(self.profile.faults):
            left = self._fault_hits[index] != fault.count
            if left and fault.at.covers(command, self._commands):
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
            return _word(SW.WRONG_LENGTH)
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
                return b"", SW.LAST_OF_CHAIN_EXPECTED
            command = replace(command, data=begun.data + command.data)
            if len(command.data) > LONGEST_DATA:
                return b"", SW.WRONG_LENGTH
        if command.chained:
            self._chain = command
            return b"", SW.OK
        if self.profile.kind is Kind.PIV and command.ins != Ins.GET_RESPONSE:
            return self._execute_piv(command)
        match command.ins:
            case Ins.SELECT:
                return self._select(command)
            case Ins.READ_BINARY:
                return self._read_binary(command)
            case Ins.GET_RESPONSE:
                return (self._rest, SW.OK) if self._rest else (b"", SW.CONDITIONS_NOT_SATISFIED)
            case Ins.VERIFY:
                return b"", self._verify(command)
            case Ins.MANAGE_SECURITY_ENVIRONMENT:
                return b"", self._manage_security_environment(command)
            case Ins.PERFORM_SECURITY_OPERATION:
                return self._compute_signature(command)
            case Ins.GET_CHALLENGE:
                return (os.urandom(command.ne), SW.OK) if command.ne else (b"", SW.WRONG_LENGTH)
        return b"", SW.INS_UNKNOWN

    def _class_refusal(self, command: Command) -> SW | None:
        """Why this CLA or this form of length is not for this card (ISO 7816-4 §5.4.1)."""
        if command.cla & 0xA0:
            return SW.CLA_UNKNOWN
        if command.cla & 0x43:
            return SW.LOGICAL_CHANNEL_UNSUPPORTED
        if command.cla & 0x0C:
            return SW.SECURE_MESSAGING_UNSUPPORTED
        if command.extended and not self.profile.extended_length:
            return SW.WRONG_LENGTH
        return None

    # --- files (ISO 7816-4 §11.2, §11.3) ---

    def _select(self, command: Command) -> _Answer:
        if command.p2 not in (0x00, 0x04, 0x0C):
            return b"", SW.INCORRECT_P1_P2
        found = self._find(command.p1, command.data)
        if isinstance(found, SW):
            return b"", found
        self._directory, self._file = found
        if command.p1 == 0x04:
            # Selecting an application starts it anew, as on a Java Card: nobody inherits its PIN.
            self._verified = self._key_set = False
        if command.p2 == 0x0C or not command.ne:
            return b"", SW.OK
        tag = 0x62 if command.p2 == 0x04 else 0x6F
        return filesystem.control_parameters(self._file or self._directory[-1], tag), SW.OK

    def _find(self, p1: int, data: bytes) -> _Selection | SW:
        here = self._directory
        match p1:
            case 0x00 if data in (b"", b"\x3f\x00"):
                return here[:1], None
            case 0x00 if len(data) == 2:
                return _nearby(here, data) or SW.FILE_NOT_FOUND
            case 0x03 if not data:
                return (here[:-1] or here[:1]), None
            case 0x04:
                return _named(here[0], data) or SW.FILE_NOT_FOUND
            case 0x08 | 0x09 if data and not len(data) % 2:
                start = here[:1] if p1 == 0x08 else here
                return _below(start, data) or SW.FILE_NOT_FOUND
        return SW.INCORRECT_P1_P2

    def _read_binary(self, command: Command) -> _Answer:
        offset = command.p1 << 8 | command.p2
        if command.p1 & 0x80:
            if command.p1 & 0x60:
                return b"", SW.INCORRECT_P1_P2
            found = _short(self._directory[-1], command.p1 & 0x1F)
            if found is None:
                return b"", SW.FILE_NOT_FOUND
            self._file, offset = found, command.p2
        file = self._file
        if file is None:
            return b"", SW.NO_CURRENT_EF
        if not command.ne or command.data:
            return b"", SW.WRONG_LENGTH
        if offset >= len(file.content):
            return b"", SW.WRONG_OFFSET
        data = file.content[offset : offset + command.ne]
        short_of = command.exact and len(data) < command.ne
        return data, SW.END_OF_FILE if short_of else SW.OK

    # --- security (ISO 7816-4 §11.5, ISO 7816-8 §11) ---

    def _verify(self, command: Command) -> int:
        pin = self.profile.pin
        if command.p1:
            return SW.INCORRECT_P1_P2
        if self.issued is None or command.p2 != filesystem.PIN_REFERENCE:
            return SW.REFERENCE_DATA_NOT_FOUND
        return self._compare(
            command, pin.value.ljust(pin.maximum, b"\xff") if pin.padded else pin.value
        )

    def _compare(self, command: Command, expected: bytes) -> int:
        if not command.data and self._verified:
            return SW.OK
        if not self.tries_left:
            return SW.AUTHENTICATION_BLOCKED
        if command.data:
            self.tries_left -= 1  # before the comparison, so that no tearing makes it free
            self._verified = hmac.compare_digest(command.data, expected)
            if self._verified:
                self.tries_left = self.profile.pin.tries
                return SW.OK
        return 0x63C0 | self.tries_left

    def _manage_security_environment(self, command: Command) -> SW:
        """MSE SET of the digital signature template, MSE RESTORE of the empty environment."""
        if (command.p1, command.p2) in ((0xF3, 0x00), (0xF3, 0x01)):
            self._key_set = False
            return SW.OK
        if (command.p1, command.p2) != (0x41, 0xB6):
            return SW.INCORRECT_P1_P2
        objects = _control_references(command.data)
        if objects is None:
            return SW.WRONG_DATA
        self._key_set = False
        if self.issued is None or objects.get(0x84) != bytes((filesystem.KEY_REFERENCE,)):
            return SW.REFERENCE_DATA_NOT_FOUND
        algorithm = filesystem.algorithm_reference(self.profile.key.type)
        if objects.get(0x80, algorithm) != algorithm:
            return SW.WRONG_DATA
        self._key_set = True
        return SW.OK

    def _compute_signature(self, command: Command) -> _Answer:
        if (command.p1, command.p2) != (0x9E, 0x9A):
            return b"", SW.INCORRECT_P1_P2
        if self.issued is None or not self._key_set:
            return b"", SW.CONDITIONS_NOT_SATISFIED
        if not self._verified:
            return b"", SW.SECURITY_STATUS_NOT_SATISFIED
        signature = self.issued.sign(command.data)
        return (b"", SW.WRONG_DATA) if signature is None else (signature, SW.OK)

    # --- PIV (SP 800-73-5 part 2) ---

    def _execute_piv(self, command: Command) -> _Answer:
        if command.ins == Ins.SELECT:
            return self._select_piv(command)
        if not self._piv or self.issued is None:
            return b"", SW.INS_UNKNOWN
        match command.ins:
            case Ins.GET_DATA_TLV:
                found = self._objects.get(piv.asked_for(command.data))
                return (b"", SW.FILE_NOT_FOUND) if found is None else (found, SW.OK)
            case Ins.VERIFY:
                return b"", self._verify_piv(command)
            case Ins.GENERAL_AUTHENTICATE:
                return self._authenticate(command, self.issued)
        return b"", SW.INS_UNKNOWN

    def _select_piv(self, command: Command) -> _Answer:
        """Selected again it stays as it was; one that is not there changes nothing (§3.1.1)."""
        if command.p1 != 0x04:
            return b"", SW.INCORRECT_P1_P2
        if len(command.data) < piv.SHORTEST or not piv.AID.startswith(command.data):
            return b"", SW.FILE_NOT_FOUND
        self._piv = True
        return piv.PROPERTIES, SW.OK

    def _verify_piv(self, command: Command) -> int:
        if command.p2 != piv.reference(self.profile):
            return SW.REFERENCE_DATA_NOT_FOUND
        if command.p1 == 0xFF and not command.data:
            self._verified = False
            return SW.OK
        if command.p1:
            return SW.INCORRECT_P1_P2
        if command.data and len(command.data) != piv.PIN_SIZE:
            return SW.WRONG_DATA  # refused without a comparison, so no try is spent
        return self._compare(command, piv.padded(self.profile.pin.value))

    def _authenticate(self, command: Command, issued: Issued) -> _Answer:
        block = piv.challenge(command.data)
        if command.p2 != piv.KEY:
            return b"", SW.INCORRECT_P1_P2
        if not self._verified:
            return b"", SW.SECURITY_STATUS_NOT_SATISFIED
        signature = None if block is None else piv.sign(issued, command.p1, block)
        return (b"", SW.WRONG_DATA) if signature is None else (piv.response(signature), SW.OK)


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


def _short(directory: DedicatedFile, identifier: int) -> ElementaryFile | None:
    for file in directory.files:
        if isinstance(file, ElementaryFile) and file.short == identifier:
            return file
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
