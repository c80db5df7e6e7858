"""The whole job line by line: for screen readers, dumb terminals and scripts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from card.errors import (
    CardAbsent,
    LastTryUnconfirmed,
    NoReader,
    PinBlocked,
    ReaderUnknown,
)
from card.port import SlotState
from client.errors import ClientError
from client.port import FieldKind, idempotency_key
from client.purpose import Purpose
from screens.form_rules import COMPLAINTS, complaint_about, known
from screens.wizard import Step, Wizard, decides
from tui.errors import Cancelled, FormFieldMissing, NoTerminal
from tui.exit_status import DONE
from tui.prompt import Terminal, read_secret

if TYPE_CHECKING:
    from card.desk import Desk, Place
    from card.pin import Pin
    from card.port import Card, Readers, Slot
    from client.port import FormField, Receipt, Service, ServiceDescription, Verification
    from screens.jobs import Backends
    from screens.troubleshooting.situation import Situation
    from tui.reporter import Reporter

CONFIRMATION = "YES"


@dataclass(frozen=True)
class Answers:
    """What is known without asking."""

    reader: str | None = None
    account: str | None = None
    form: Mapping[str, object] = field(default_factory=dict, repr=False)
    pin_fd: int | None = None
    password_fd: int | None = None
    confirm_last_try: bool = False


class LineMode:
    """`hca-bind verify` and `hca-bind bind`."""

    def __init__(self, backends: Backends, reporter: Reporter, answers: Answers) -> None:
        self._backends = backends
        self._say = reporter
        self._answers = answers
        self._terminal: Terminal | None = None
        self._state = Wizard(step=Step.COMPONENTS)

    @property
    def situation(self) -> Situation:
        """What is known so far, for the support code of a failure."""
        from screens.troubleshooting.situation import Situation

        readers = tuple(slot.reader for slot in self._state.slots)
        return Situation(self._state, self._backends.attachment(readers))

    def run(self, purpose: Purpose) -> int:
        """Do the whole job; `SIGN_IN` verifies and binds nothing.

        Returns DONE. Raises CardError, ClientError, AppError.
        """
        service: Service | None = None
        card: Card | None = None
        try:
            service = self._backends.service()
            description = self._describe(service)
            account = self._account() if purpose is Purpose.REBIND else None
            card = self._open_card(description)
            self._refuse_revoked(card, description)
            verification = self._prove(card, service, purpose, account)
            if purpose is Purpose.REGISTER:
                self._register(service, description, verification)
            elif purpose is Purpose.REBIND:
                self._rebind(service, verification, account or "")
        except KeyboardInterrupt:
            raise Cancelled from None
        finally:
            if card is not None:
                card.close()
            if service is not None:
                service.close()
        return DONE

    def _describe(self, service: Service) -> ServiceDescription:
        description = service.describe()
        _ = self._say.words
        self._say.event(
            "service",
            _("Service: {name}, {origin}", name=_.of(description.name), origin=service.origin),
            origin=service.origin,
            version=description.version,
        )
        self._state = replace(self._state, step=Step.READER)
        return description

    def _account(self) -> str:
        _ = self._say.words
        return self._answers.account or self._ask(
            _("Bind it to which account? (your account name)")
        )

    def _open_card(self, description: ServiceDescription) -> Card:
        from card.desk import Desk
        from screens.jobs import on_table, open_card

        _ = self._say.words
        with closing(Desk()) as desk:
            reader = self._reader(desk, description)
            self._state = replace(self._state, step=Step.CARD)
            card = desk.take(reader) or open_card(self._backends, reader, description)
        self._state = replace(self._state, card=on_table(card))
        certificate = card.certificate
        self._say.event(
            "card",
            _(
                "Card: {holder}, {category}, valid until {day}, in {reader}",
                holder=certificate.holder,
                category=certificate.category,
                day=f"{certificate.not_after:%Y-%m-%d}",
                reader=card.reader,
            ),
            reader=card.reader,
            holder=certificate.holder,
            category=certificate.category,
            not_after=certificate.not_after.isoformat(),
        )
        return card

    def _refuse_revoked(self, card: Card, description: ServiceDescription) -> None:
        """Where the service wants it: no PIN for a certificate that may have been revoked."""
        from screens.jobs import refuse_revoked

        _ = self._say.words
        refuse_revoked(self._backends, card.certificate, description)
        if description.wants_look_up:
            self._say.event(
                "status",
                _("Certificate: not revoked"),
                status="good",
                by=description.revocation,
            )
        self._state = replace(self._state, step=Step.PIN)

    def _reader(self, desk: Desk, description: ServiceDescription) -> str:
        """The reader named, or the one with a card; waits for a card where someone is there.

        Of several cards the only one that can be used is picked by itself.
        """
        from screens.jobs import accepted_by, look

        _ = self._say.words
        readers = self._backends.readers()
        slots = readers.slots()
        wanted = self._answers.reader
        while True:
            self._state = replace(self._state, slots=slots)
            if wanted is not None and wanted not in {slot.reader for slot in slots}:
                raise ReaderUnknown(wanted)
            with_card = [
                slot
                for slot in slots
                if slot.state is not SlotState.EMPTY and wanted in {None, slot.reader}
            ]
            if len(with_card) == 1:
                return with_card[0].reader
            if with_card:
                return self._choose(look(self._backends, desk, with_card, accepted_by(description)))
            if not slots:
                raise NoReader
            if not self._someone_there():
                raise CardAbsent(wanted or slots[0].reader)
            self._say.event("waiting", _("Insert your card into the reader, chip first."))
            slots = _changed(readers, slots)

    def _choose(self, places: tuple[Place, ...]) -> str:
        from card.desk import picked
        from screens.places import line

        _ = self._say.words
        only = picked(places)
        if only is not None:
            return only.slot.reader
        offered = [place for place in places if place.usable] or places
        rows = "\n".join(f"  {number} {line(place, _)}" for number, place in enumerate(offered, 1))
        answer = self._ask(_("There are several cards. Which one is yours?") + f"\n{rows}\n>")
        if answer.isdecimal() and 1 <= int(answer) <= len(offered):
            return offered[int(answer) - 1].slot.reader
        raise ReaderUnknown(answer)

    def _prove(
        self, card: Card, service: Service, purpose: Purpose, account: str | None
    ) -> Verification:
        from screens.jobs import on_table, prove

        _ = self._say.words
        pin: Pin | None
        challenge = service.challenge(purpose, account)
        tries = card.tries_left()
        self._state = replace(self._state, card=replace(on_table(card), tries_left=tries))
        self._say.event("tries", self._tries_sentence(tries), left=tries)
        if tries == 0:
            raise PinBlocked
        if tries == 1:
            self._confirm_last_try()
        host = service.origin.removeprefix("https://")
        pad = card.pin_pad
        if pad is not None and (self._answers.pin_fd is None or not pad.keyboard):
            pin = None
            self._say.event(
                "pad",
                _(
                    "Type the PIN on the reader, to let the card sign for {host}, then press its "
                    "green key (OK). Its red key (C or X) stops it.",
                    host=host,
                ),
                reader=card.reader,
                seconds=pad.seconds,
            )
        else:
            pin = self._pin(_("PIN, to let the card sign for {host}:", host=host))
        verification = prove(card, service, challenge, pin, tries)
        after = Step.SIGN_IN if purpose is Purpose.REBIND else Step.FORM
        self._state = replace(self._state, step=after)
        self._say.event(
            "verified",
            _("Verified") + f": {verification.holder}, {verification.category}",
            holder=verification.holder,
            category=verification.category,
        )
        return verification

    def _tries_sentence(self, tries: int | None) -> str:
        _ = self._say.words
        if tries is None:
            return _("Tries left: the card does not say. A wrong PIN may lock it.")
        return _("Tries left before the card locks: {tries}", tries=tries)

    def _confirm_last_try(self) -> None:
        _ = self._say.words
        if self._answers.confirm_last_try:
            return
        if not self._someone_there():
            raise LastTryUnconfirmed
        question = _("This is the last try. To use it, type {word}:", word=CONFIRMATION)
        if self._ask(question).upper() != CONFIRMATION:
            raise LastTryUnconfirmed

    def _pin(self, question: str) -> Pin:
        if self._answers.pin_fd is not None:
            return read_secret(self._answers.pin_fd)
        return self._there().ask_secret(question)

    def _register(
        self, service: Service, description: ServiceDescription, verification: Verification
    ) -> None:
        fields = self._form(description, verification)
        key = idempotency_key()
        self._receipt(self._until_decided(lambda: service.register(verification, fields, key)))

    def _rebind(self, service: Service, verification: Verification, account: str) -> None:
        _ = self._say.words
        password = bytearray()
        if self._answers.password_fd is not None:
            secret = read_secret(self._answers.password_fd)
        else:
            question = _("Your account's password (not the PIN), then Enter:")
            secret = self._there().ask_secret(question, ascii_only=False)
        secret.copy_into(password)
        secret.wipe()
        try:
            session = service.sign_in(account, password)
        finally:
            password[:] = bytes(len(password))
        key = idempotency_key()
        self._receipt(self._until_decided(lambda: service.rebind(session, verification, key)))

    def _until_decided(self, send: Callable[[], Receipt]) -> Receipt:
        """Send; where the outcome stays open, offer to send the very same request again."""
        _ = self._say.words
        while True:
            try:
                return send()
            except ClientError as error:
                if decides(error.code) or not self._someone_there():
                    raise
                self._say.error(error.code, error.facts(), self.situation)
            self._ask(
                _(
                    "It is not known whether the request arrived. Press Enter to send the very "
                    "same one again; it will count once."
                )
            )

    def _form(
        self, description: ServiceDescription, verification: Verification
    ) -> dict[str, str | bytearray]:
        """Every field from --form; a missing or wrong one is asked for where someone is there."""
        values: dict[str, str | bytearray] = {}
        for item in description.account_form:
            value = self._given(item)
            if not item.required and not self._answers.form and self._someone_there():
                value = self._ask_field(item, None, verification)
            while (why := complaint_about(item, value)) is not None:
                if not self._someone_there():
                    raise FormFieldMissing(item.name)
                value = self._ask_field(item, why if value else None, verification)
            if value:
                values[item.name] = value
        return values

    def _given(self, item: FormField) -> str | bytearray:
        value = self._answers.form.get(item.name, "")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return bytearray(text.encode()) if item.kind is FieldKind.SECRET else text

    def _ask_field(
        self, item: FormField, why: str | None, verification: Verification
    ) -> str | bytearray:
        _ = self._say.words
        terminal = self._there()
        label = _.of(item.label)
        if why is not None:
            terminal.say(f"!! {label}: {_(COMPLAINTS[why])}")
        match item.kind:
            case FieldKind.SECRET:
                secret = terminal.ask_secret(f"{label}:", ascii_only=False)
                value = bytearray()
                secret.copy_into(value)
                secret.wipe()
                return value
            case FieldKind.CHOICE:
                for number, choice in enumerate(item.choices, 1):
                    terminal.say(f"  {number} {_.of(choice.label)}")
                answer = terminal.ask(f"{label}:")
                index = int(answer) - 1 if answer.isdecimal() else -1
                return item.choices[index].value if 0 <= index < len(item.choices) else ""
            case FieldKind.CONSENT:
                answer = terminal.ask(_("{label} Type {word} to agree:", label=label, word="YES"))
                return "true" if answer.upper() == CONFIRMATION else ""
            case _:
                hint = f" ({_.of(item.hint)})" if item.hint else ""
                holder = known(item, verification)
                default = f" [{holder}]" if holder else ""
                return terminal.ask(f"{label}{hint}{default}:") or holder

    def _there(self) -> Terminal:
        if self._terminal is None:
            self._terminal = Terminal()
        return self._terminal

    def _someone_there(self) -> bool:
        """Is there a person at a terminal to ask?"""
        try:
            self._there()
        except NoTerminal:
            return False
        return True

    def _ask(self, question: str) -> str:
        return self._there().ask(question)

    def _receipt(self, receipt: Receipt) -> None:
        _ = self._say.words
        self._say.event(
            "receipt",
            _(
                "Bound. Receipt {id}: account {account}, {holder}, card …{card}",
                id=receipt.id,
                account=receipt.account,
                holder=receipt.holder,
                card=receipt.card,
            ),
            id=receipt.id,
            purpose=receipt.purpose,
            account=receipt.account,
            holder=receipt.holder,
            category=receipt.category,
            card=receipt.card,
            bound=receipt.bound.isoformat(),
        )


def _changed(readers: Readers, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """Wait on another thread: Ctrl+C cannot end a call that blocks inside the PC/SC library."""
    change: Future[tuple[Slot, ...]] = Future()

    def wait() -> None:
        try:
            change.set_result(readers.wait(slots))
        except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
            change.set_exception(error)

    # A daemon thread: whatever the library does with the cancelling, the program can end.
    threading.Thread(target=wait, daemon=True).start()
    try:
        return change.result()
    except KeyboardInterrupt:
        readers.cancel()
        raise
