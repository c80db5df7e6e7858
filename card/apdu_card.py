"""card.port.Card by our own commands: tries, VERIFY once, signature, and nothing left behind.

The order of these stands here and nowhere else; what each of them looks like to a card, the
commands of its application say (`card.pkcs15.commands`, `card.piv.commands`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from card import pin_pad, verify
from card.channel import Channel
from card.errors import PinBlocked, PinWrong
from card.pin import Pin
from card.pin_pad import PinForm
from card.port import (
    HolderCertificate,
    PadUse,
    PinPad,
    PinRules,
    Signature,
    Via,
    no_one,
)
from card.seen import Stay
from card.signing import SigningKey

FEW = 2  # tries; where a card told of so few or fewer, it is asked again after the right PIN


class Commands(Protocol):
    """What an application's PIN looks like, and how its key signs."""

    @property
    def channel(self) -> Channel: ...
    @property
    def key(self) -> SigningKey: ...
    @property
    def via(self) -> Via: ...
    @property
    def label(self) -> str:
        """The token's label, cleaned for a terminal."""
        ...

    @property
    def rules(self) -> PinRules: ...
    @property
    def characters(self) -> bytes:
        """All that a PIN may be made of."""
        ...

    @property
    def form(self) -> PinForm: ...
    def enter(self, selected: bool = False) -> None:
        """Be where the PIN is, whatever another program selected since.

        A reference that VERIFY names means another PIN in another application: without this a
        stranger's SELECT between two of our transactions would cost a try of the wrong PIN.
        `selected`: the application still is. Raises CardRefused, and what Channel.send raises.
        """
        ...

    def compute(self, message: bytes) -> bytes:
        """The card's signature over `message`. Raises SignRefused, and what Channel.send raises."""
        ...

    def forget(self) -> None:
        """End the PIN's verified state. Never raises a CardError.

        Without this the next program on the shared card could sign with the holder's PIN until
        the card is reset, and a reset by us would fail that program's own work.
        """
        ...


class ApduCard:
    """A recognised card that was read; `certificate` was checked before.

    `stay`: what is kept of it, beyond this object, for as long as it lies in its reader.
    """

    def __init__(
        self, commands: Commands, stay: Stay, certificate: HolderCertificate, pads: PadUse
    ) -> None:
        """Raises PadLies, PadUnfit where its reader's keys, and only they, are to be used."""
        self._commands = commands
        self._channel = commands.channel
        self._connection = commands.channel.connection
        self._stay = stay
        self._certificate = certificate
        self._pads = pads
        self._pad = pin_pad.usable(stay.pad, commands.form, pads, self.reader)

    @property
    def reader(self) -> str:
        return self._connection.reader

    @property
    def via(self) -> Via:
        return self._commands.via

    @property
    def label(self) -> str:
        return self._commands.label

    @property
    def certificate(self) -> HolderCertificate:
        return self._certificate

    @property
    def pin_rules(self) -> PinRules:
        return self._commands.rules

    @property
    def pin_pad(self) -> PinPad | None:
        return pin_pad.offer(self._pad, self._pads)

    def tries_left(self) -> int | None:
        """As the port says; what the card told by itself meanwhile is not asked again.

        It serves once, and only to be shown: `sign` asks before every VERIFY.
        """
        told, self._stay.told = self._stay.told, ()
        if told:
            return told[0]
        with self._connection.transaction():
            self._commands.enter()
            return verify.ask_tries(self._channel, self._commands.form.reference)

    def learn_tries(self, selected: bool) -> None:
        """Ask for the tries inside the opening's transaction; `selected`: the application still is.

        Zero is asked again when it is to be shown: the card may have been unblocked meanwhile.
        """
        self._commands.enter(selected)
        tries = verify.ask_tries(self._channel, self._commands.form.reference)
        self._stay.told = () if tries == 0 else (tries,)

    def sign(
        self,
        pin: Pin | None,
        message: bytes,
        tries_shown: int | None,
        entered: Callable[[], None] = no_one,
    ) -> Signature:
        self._stay.told = ()
        if pin is None:
            return self._sign(self._verify_on_pad, message, tries_shown, entered)
        with pin.spend() as characters:
            verify.check(pin, self._commands.rules, self._commands.characters)
            return self._sign(lambda: self._send(characters), message, tries_shown, entered)

    def close(self) -> None:
        self._connection.close()

    def _sign(
        self,
        verified: Callable[[], None],
        message: bytes,
        tries_shown: int | None,
        entered: Callable[[], None],
    ) -> Signature:
        reference = self._commands.form.reference
        with self._connection.transaction():
            self._commands.enter()
            tries = verify.ask_tries_again(self._channel, reference, tries_shown)
            try:
                self._verify(verified)
                entered()
                answer = self._commands.compute(message)
            finally:
                self._commands.forget()
        signature = self._commands.key.signature(answer, message)
        if tries is not None and tries > FEW:
            # The right PIN gave the card back what it had, so it has no fewer than it told.
            self._stay.told = (tries,)
        return signature

    def _send(self, characters: memoryview) -> None:
        form = self._commands.form
        verify.send(self._channel, form.reference, characters, form.fill, form.size)

    def _verify_on_pad(self) -> None:
        pin_pad.enter(self._channel, self._pad, self._commands.form)

    def _verify(self, once: Callable[[], None]) -> None:
        """VERIFY, once; what a wrong PIN left is remembered to be shown. Raises PinError."""
        try:
            once()
        except PinWrong as wrong:
            self._stay.told = () if wrong.tries_left is None else (wrong.tries_left,)
            raise
        except PinBlocked:
            self._stay.told = (0,)
            raise
