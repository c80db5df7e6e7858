"""Commands to responses over a connection: chaining, GET RESPONSE, correct Le, and the trace.

What no caller can get wrong is decided here: a command with a PIN is one transmission whatever
the card answers, its bytes are wiped, and the trace never sees them (design, PIN rule 1).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from card.apdu import EXTENDED_LE, PIN_INSTRUCTIONS, SHORT_LC, SW, Command, Ins, Response
from card.atr import Capabilities
from card.errors import CardAnswerMalformed, PadRefused
from card.port import Connection, Control, Exchange, Tracer

# Reading twice is harmless, so these may be sent again with the Le that the card asks for.
_READS = frozenset({Ins.SELECT, Ins.READ_BINARY, Ins.READ_RECORD, Ins.GET_DATA, Ins.GET_DATA_TLV})
# GET RESPONSE repeats nothing; a signature longer than 256 bytes needs it.
_CONTINUED = _READS | {Ins.PERFORM_SECURITY_OPERATION, Ins.GENERAL_AUTHENTICATE}
# GET RESPONSE commands to one card: enough for one that hands out its files byte by byte, and an
# end for one that promises more for ever.
_MOST_PARTS = 3000
_CHAINED = 0x10  # CLA bit 5: not the last command of a chain (ISO 7816-4 §5.1.1.1)


class Channel:
    """The basic logical channel of one card."""

    def __init__(
        self,
        connection: Connection,
        capabilities: Capabilities,
        tracer: Tracer | None = None,
    ) -> None:
        self.connection = connection
        self._tracer = tracer
        self._parts = 0
        self.extended = capabilities.extended_length

    def send(self, command: Command) -> Response:
        """One command to its final response; the status word is the caller's to judge.

        Raises CardAnswerMalformed, ValueError for a command that this card has no way to carry,
        and what Connection.transmit raises.
        """
        if command.ins in PIN_INSTRUCTIONS:
            return self._exchange(command)
        response = self._chain(command)
        if command.ins in _READS and response.sw >> 8 == 0x6C:
            response = self._exchange(replace(command, le=response.sw & 0xFF or 256))
        if command.ins in _CONTINUED and response.sw >> 8 == 0x61:
            response = self._continue(response)
        return response

    def _chain(self, command: Command) -> Response:
        """The command whole where that is possible, else in a chain (ISO 7816-4 §5.1.1.1)."""
        if command.fits_short or self.extended:
            return self._exchange(command)
        if command.le is not None and command.le > 256:
            raise ValueError("Le needs extended length, which this card does not offer")
        data = command.data
        while len(data) > SHORT_LC:
            part = Command(
                command.ins,
                command.p1,
                command.p2,
                data[:SHORT_LC],
                cla=command.cla | _CHAINED,
            )
            response = self._exchange(part)
            if response.sw != SW.OK:
                return response
            data = data[SHORT_LC:]
        return self._exchange(replace(command, data=data))

    def _continue(self, response: Response) -> Response:
        """Collect the rest with GET RESPONSE (ISO 7816-4 §7.6.1)."""
        data = bytearray(response.data)
        while response.sw >> 8 == 0x61:
            wanted = response.sw & 0xFF or 256
            self._parts += 1
            if self._parts > _MOST_PARTS:
                raise CardAnswerMalformed
            response = self._exchange(Command(Ins.GET_RESPONSE, 0, 0, le=wanted))
            if response.sw >> 8 == 0x61 and not response.data:
                raise CardAnswerMalformed  # a card that promises more and never gives any
            data += response.data
            if len(data) > EXTENDED_LE:
                raise CardAnswerMalformed
        return Response(bytes(data), response.sw)

    def control(self, code: int, data: bytes, stands_for: Command) -> Response:
        """A control code that has the reader send a command of its own, once; traced as that one.

        Raises PadRefused, CardAnswerMalformed, and what Control.control raises.
        """
        connection = self.connection
        if not isinstance(connection, Control):
            raise PadRefused(0)
        return self._traced(stands_for, lambda: connection.control(code, data))

    def _exchange(self, command: Command) -> Response:
        """Exactly one transmission."""
        wire = command.encode()
        try:
            response = self._traced(command, lambda: self.connection.transmit(wire))
        finally:
            for index in range(len(wire)):
                wire[index] = 0
        limit = 256 if command.le is None else command.le
        if len(response.data) > limit:
            raise CardAnswerMalformed
        return response

    def _traced(self, command: Command, exchange: Callable[[], bytes]) -> Response:
        """The response that `exchange` brings, told to the tracer however it ends."""
        started = time.monotonic()
        sw = 0  # no answer
        try:
            response = Response.parse(exchange())
            sw = response.sw
        finally:
            if self._tracer is not None:
                self._tracer(
                    Exchange(
                        ins=command.ins,
                        p1=command.p1,
                        p2=command.p2,
                        lc=None if command.carries_pin else len(command.data),
                        le=command.le,
                        sw=sw,
                        ms=(time.monotonic() - started) * 1000,
                    )
                )
        return response
