"""What makes the wizard go: it runs the work, watches readers and service, and keeps the state.

No Textual here. `post` brings a call from a worker thread back to the thread that owns the state;
`changed` is told of every new state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from client.purpose import Purpose
from screens import events, moves, wizard
from screens.wizard import Step, Submission, Wizard, Work
from tui.worker import Worker

if TYPE_CHECKING:
    from card.desk import Desk, Place
    from card.pin import Pin
    from card.port import Card, Readers, Slot
    from card.seen import Seen
    from client.port import Challenge, Receipt, Service, ServiceDescription, Session, Verification
    from screens.jobs import Backends, Equipment
    from screens.offers import Transfer
    from tui.event_log import EventLog

T = TypeVar("T")
READERS_RETRY_SECONDS = 1.0  # after anything but a PC/SC service that is away
SERVICE_RETRY_SECONDS = 3.0  # while the reporting service is away

# Where a card may be taken out and put back within the turn.
_AT_THE_CARD = frozenset({Step.READER, *wizard.CARD_STEPS})

Post = Callable[[Callable[[], None]], object]
Changed = Callable[[Wizard, Wizard], None]
AskRights = Callable[[tuple[str, ...]], bool]


class Engine:
    """One person's way from the welcome screen to the receipt, without a screen.

    Every method is called on the owner's thread. Blocking calls run on one worker thread, so two
    never touch the card at the same time; the watches have threads of their own.
    """

    def __init__(
        self,
        backends: Backends,
        post: Post,
        changed: Changed,
        log: EventLog | None = None,
        *,
        ask_rights: AskRights | None = None,
    ) -> None:
        """`log` is told of every new state; `ask_rights` runs, on the terminal, what asks for
        the password of an administrator, and says whether it was given.
        """
        self.wizard = Wizard()
        self._log = log
        self._backends = backends
        self._ask_rights = ask_rights
        self._equipment: Equipment | None = None
        self._post = post
        self._changed = changed
        self._generation = 0
        self._card: Card | None = None
        self._desk: Desk | None = None
        # What was read of cards, and what the readers were like when that began.
        self._seen: tuple[tuple[Slot, ...], Seen] | None = None
        self._looking = False
        self._service: Service | None = None
        self._jobs = Worker("jobs", self._defect)
        self._readers_watch = Worker("readers-watch", self._defect)
        self._service_watch = Worker("service-watch", self._defect)
        self._readers: Readers | None = None
        self._watching_readers = False
        self._watching_service = False
        self._ended = threading.Event()

    # --- what the person asks for -----------------------------------------------------------------

    def warm_up(self) -> None:
        """Load, behind the first screen, what the next step needs."""
        self._jobs.submit(partial(_load, "screens.jobs", "tui.check_process"))

    def start(self, purpose: Purpose) -> None:
        self._check(moves.start(self.wizard, purpose))

    def go_on(self) -> None:
        """Enter, where it does not carry anything: go on, try again, or send again."""
        now = self.wizard
        if now.busy is not None:
            return
        match now.step:
            case Step.COMPONENTS if now.plan is not None and now.plan.runs:
                self._install(now)
            case Step.COMPONENTS if wizard.components_ready(now):
                self._become(moves.choose_reader(now))
                self.watch_readers()
            case Step.COMPONENTS if now.offers and now.plan is None:
                self._get(now)
            case Step.COMPONENTS:
                self._check(moves.check(now))
            case Step.CARD if now.card_gone and now.card is not None:
                self._open(moves.read_again(now))
            case Step.CARD if now.reader is not None:
                self._open(moves.read_card(now, now.reader))
            case Step.PIN if now.card_gone:
                self._open(moves.read_again(now))
            case Step.PIN:
                self._prepare(moves.prepare_pin(now))
            case Step.RESULT:
                self._become(moves.enter_account(now))
            case Step.FORM if now.submission is not None:
                self._register(now.submission)
            case Step.SIGN_IN if now.session is not None:
                self._bind(now.submission or _new_submission({}))
            case Step.RECEIPT:
                self.forget()

    def check_again(self, step: Step | None) -> None:
        """From a remedy that was carried out at `step`: look there again; else as `go_on`."""
        now = self.wizard
        match wizard.step_to_check(now, step):
            case Step.COMPONENTS:
                self._check(moves.check(now))
            case Step.READER:
                self._become(moves.choose_reader(now))
                self.watch_readers()
            case Step.CARD if now.reader is not None:
                self._open(moves.read_card(now, now.reader))
            case _:
                self.go_on()

    def get_component(self) -> None:
        """Fetch what is missing; installing it is another decision."""
        now = self.wizard
        if now.step is Step.COMPONENTS and now.busy is None and now.offers:
            self._get(now)

    def back(self) -> None:
        """Cancel what runs; else one step back where that is safe."""
        if self.wizard.busy is not None:
            if not wizard.can_cancel(self.wizard):
                return
            if self.wizard.busy is Work.CHECKING:
                self._backends.cancel_check()
            elif self.wizard.busy is Work.DOWNLOADING:
                self._cancel_equipment()
            self._generation += 1
            self._cancel_requests()
            self._become(events.cancelled(self.wizard))
        else:
            self._become(moves.back(self.wizard))

    def choose_reader(self, reader: str) -> None:
        self._open(moves.read_card(self.wizard, reader))

    def confirm_card(self, account: str) -> None:
        self._prepare(moves.prepare_pin(self.wizard, account))

    def confirm_last_try(self) -> None:
        self._become(moves.confirm_last_try(self.wizard))

    def change_keys(self) -> None:
        """The keyboard in place of the reader's keys, or back."""
        self._become(moves.change_keys(self.wizard))

    def enter_on_pad(self) -> None:
        """Enter, where the PIN is entered on the reader's keys: one entry, one VERIFY at most."""
        if wizard.pad_allowed(self.wizard):
            self._prove(None)

    def secret(self, secret: Pin) -> None:
        """Enter on the PIN, or on the password. The buffer is spent or wiped, whatever happens."""
        now = self.wizard
        if wizard.pin_allowed(now):
            self._prove(secret)
        elif now.step is Step.SIGN_IN and now.busy is None and now.session is None:
            self._sign_in(secret)
        else:
            secret.wipe()

    def keep_draft(self, fields: Mapping[str, str]) -> None:
        self._become(moves.keep_draft(self.wizard, fields))

    def submit(self, fields: Mapping[str, str | bytearray]) -> None:
        """Send the account form, once; see `go_on` for sending it again."""
        if self.wizard.busy is None and not self.wizard.undecided:
            self._register(_new_submission(fields))

    def forget(self) -> None:
        """Back to the first screen; nothing of this turn is kept.

        Only what a card says of itself is, until something moves in a reader: see `_become`.
        """
        session = self.wizard.session
        self._generation += 1
        if self._log is not None:
            self._log.forget()
        self._jobs.submit(partial(self._tidy, session))
        self._become(moves.anew(self.wizard))

    def end(self) -> None:
        """Stop the watches and let go of card and service; does not wait for them."""
        self._ended.set()
        self._generation += 1
        self._seen = None
        self._backends.cancel_check()
        self._cancel_requests()
        self._jobs.submit(partial(self._tidy, self.wizard.session))
        self._jobs.submit(self._close_service)
        if self._readers is not None:
            self._readers.cancel()

    def let_go(self, seconds: float) -> None:
        """After `end`: wait, but no longer than that, until card and service were let go of."""
        done = threading.Event()
        self._jobs.submit(done.set)
        done.wait(seconds)

    # --- the work ---------------------------------------------------------------------------------

    def _check(self, state: Wizard) -> None:
        def report(row: wizard.Check) -> None:
            self._post(partial(self._apply, generation, partial(moves.check_known, row=row)))

        self._become(state)
        generation = self._generation + 1
        self._work(
            lambda: self._backends.check(self._the_service, report, state.needs_module),
            lambda now, outcome: moves.checked(now, *outcome),
        )

    def _get(self, state: Wizard) -> None:
        offer = state.offers[0]

        def report(transfer: Transfer) -> None:
            apply = partial(moves.transferred, transfer=transfer)
            self._post(partial(self._apply, generation, apply))

        self._become(moves.get(state))
        generation = self._generation + 1
        self._work(lambda: self._the_equipment().fetch(offer, report), moves.fetched)

    def _install(self, state: Wizard) -> None:
        from tui.errors import InstallDenied

        plan = state.plan
        if plan is None:
            return
        self._become(moves.install(state))
        if plan.asks and not (self._ask_rights and self._ask_rights(plan.asks)):
            self._become(events.failed(self.wizard, wizard.failure_of(InstallDenied())))
            return
        self._work(lambda: self._the_equipment().install(plan), lambda now, _: moves.check(now))

    def _open(self, state: Wizard) -> None:
        from screens.jobs import on_table, open_card

        reader = state.reader
        if reader is None:
            return

        def job() -> wizard.CardOnTable:
            self._close_card()
            taken = self._desk.take(reader) if self._desk is not None else None
            seen = self._the_seen(state.slots)
            self._card = taken or open_card(self._backends, reader, state.service, seen)
            # Behind the next screen: whoever waits for a card has no use for it yet.
            self._jobs.submit(partial(_load, "client.https", "client.line", "client.wire", "httpx"))
            return on_table(self._card)

        self._become(state)
        self._work(job, moves.card_read)

    def _look_up(self, card: wizard.CardOnTable) -> None:
        from screens.jobs import refuse_revoked

        service = self.wizard.service
        self._work(
            lambda: refuse_revoked(self._backends, card.certificate, service),
            lambda now, _: moves.looked_up(now),
        )

    def _prepare(self, state: Wizard) -> None:
        from screens.jobs import refuse_revoked

        account = state.account if state.purpose is Purpose.REBIND else None

        def job() -> tuple[Challenge, int | None]:
            # Once more: without a fresh word on the certificate there is no challenge, and
            # without a challenge no field for the PIN, however the wizard got here.
            refuse_revoked(self._backends, self._the_card().certificate, state.service)
            challenge = self._the_service().challenge(state.purpose, account)
            return challenge, self._the_card().tries_left()

        self._become(state)
        self._work(job, lambda now, outcome: moves.pin_ready(now, *outcome))

    def _prove(self, pin: Pin | None) -> None:
        """With the PIN that was typed, or None: it is entered on the reader's keys."""
        from screens.jobs import prove

        challenge, card = self.wizard.challenge, self.wizard.card
        if challenge is None or card is None:
            if pin is not None:
                pin.wipe()
            return

        def entered() -> None:
            self._post(partial(self._apply, generation, moves.entered))

        def proved(now: Wizard, verification: Verification) -> Wizard:
            # Nothing asks it again. A module's process ends, and with it what the module keeps.
            self._jobs.submit(self._close_card)
            return moves.proved(now, verification)

        self._become(moves.enter(self.wizard) if pin is None else moves.prove(self.wizard))
        generation = self._generation + 1
        shown = card.tries_left

        def job() -> Verification:
            card, service = self._the_card(), self._the_service()
            return prove(card, service, challenge, pin, shown, entered=entered)

        self._work(job, proved)

    def _register(self, submission: Submission) -> None:
        verification = self.wizard.verification
        if verification is None:
            return

        def job() -> Receipt:
            return self._the_service().register(verification, submission.fields, submission.key)

        self._become(moves.register(self.wizard, submission))
        self._work(job, moves.bound)

    def _sign_in(self, secret: Pin) -> None:
        account = self.wizard.account
        password = bytearray()
        secret.copy_into(password)
        secret.wipe()

        def job() -> Session:
            try:
                return self._the_service().sign_in(account, password)
            finally:
                password[:] = bytes(len(password))

        self._become(moves.sign_in(self.wizard))
        self._work(job, moves.signed_in)

    def _bind(self, submission: Submission) -> None:
        verification, session = self.wizard.verification, self.wizard.session
        if verification is None or session is None:
            return

        def job() -> Receipt:
            return self._the_service().rebind(session, verification, submission.key)

        self._become(moves.bind(self.wizard, submission))
        self._work(job, moves.bound)

    def _work(self, job: Callable[[], T], then: Callable[[Wizard, T], Wizard]) -> None:
        """Run `job` on the worker thread; its result or its error makes the next state."""
        self._generation += 1
        generation = self._generation

        def run() -> None:
            apply: Callable[[Wizard], Wizard]
            try:
                result = job()
            except Exception as error:  # noqa: BLE001 - a defect must not take the wizard along
                apply = partial(events.failed, failure=wizard.failure_of(error))
            else:

                def apply(now: Wizard) -> Wizard:
                    return then(now, result)

            self._post(partial(self._finish, generation, apply))

        self._jobs.submit(run)

    def _apply(self, generation: int, apply: Callable[[Wizard], Wizard]) -> None:
        if generation == self._generation and self.wizard.busy is not None:
            self._become(apply(self.wizard))

    def _finish(self, generation: int, apply: Callable[[Wizard], Wizard]) -> None:
        """The outcome of the newest job; that of a cancelled one is dropped."""
        before = self.wizard
        self._apply(generation, apply)
        now = self.wizard
        if now is before:
            return
        if now.busy is Work.LOOKING_UP and now.card is not None:
            self._look_up(now.card)
        elif now.busy is Work.PREPARING:  # the same card came back on the PIN step
            self._prepare(now)
        elif now.busy is Work.CHECKING:  # something was installed
            self._check(now)
        elif before.busy in wizard.PIN_UNDER_WAY and now.card_gone:  # nor is it what was read of it
            self._jobs.submit(self._forget_seen)
        elif before.busy in wizard.PIN_UNDER_WAY and wizard.after_failed_proof(now):
            self._prepare(events.prepare_again(now))

    # --- what happens outside ---------------------------------------------------------------------

    def watch_readers(self) -> None:
        """From now on the state tells of every reader and card."""
        if not self._watching_readers:
            self._watching_readers = True
            self._readers_watch.submit(self._follow_readers)

    def _follow_readers(self) -> None:
        """On its own thread: block until something changes, say so, and block again."""
        known: tuple[Slot, ...] | None = None
        lost: str | None = None
        while not self._ended.is_set():
            try:
                self._readers = readers = self._backends.readers()
                known = readers.slots() if known is None else readers.wait(known)
            except Exception as error:  # noqa: BLE001 - a defect is shown like any other failure
                failure = wizard.failure_of(error)
                if failure.cancelled:
                    return
                if failure.code != lost:
                    lost = failure.code
                    self._jobs.submit(self._clear_desk)  # its connections ended with the service
                    self._post(partial(self._event, partial(events.readers_lost, failure=failure)))
                known = None
                self._until_readers_may_be_back(error)
                continue
            lost = None
            self._post(partial(self._event, partial(events.slots_changed, slots=known)))

    def _until_readers_may_be_back(self, error: Exception) -> None:
        from card.errors import CardCancelled, PcscServiceMissing, PcscServiceStopped

        away = isinstance(error, PcscServiceMissing | PcscServiceStopped)
        if self._readers is None or not away:
            self._ended.wait(READERS_RETRY_SECONDS)
            return
        with suppress(CardCancelled):
            self._readers.wait_for_service()

    def _event(self, apply: Callable[[Wizard], Wizard]) -> None:
        now = apply(self.wizard)
        if now.busy is not self.wizard.busy:
            self._generation += 1  # what ran is moot: its card is gone
            self._backends.revocation().cancel()
        self._become(now)
        if wizard.returned(now) and now.busy is None:
            self._open(moves.read_again(now))
        elif events.readers_back(now):
            self._check(moves.check(now))

    def _look(self) -> None:
        """Look at the cards in the list, behind it; the list shows what is found."""
        if self._looking or not wizard.to_look_at(self.wizard):
            return
        self._looking = True
        slots, service = self.wizard.slots, self.wizard.service

        def job() -> None:
            from card.desk import Desk
            from screens.jobs import accepted_by, look

            places: tuple[Place, ...] | None = None
            try:
                self._desk = self._desk or Desk()
                places = look(
                    self._backends, self._desk, slots, accepted_by(service), self._the_seen(slots)
                )
            finally:
                self._post(partial(self._looked, places))

        self._jobs.submit(job)

    def _looked(self, places: tuple[Place, ...] | None) -> None:
        self._looking = False
        if places is not None:
            self._become(events.looked(self.wizard, places))

    def _follow_service(self) -> None:
        """On its own thread, while a step waits for the service: ask for it now and then."""
        from client.errors import ClientError

        try:
            service = self._backends.service()
            with closing(service):
                while not self._ended.wait(SERVICE_RETRY_SECONDS):
                    if not wizard.waits_for_service(self.wizard):
                        return
                    with suppress(ClientError):
                        self._post(partial(self._service_back, service.describe()))
        finally:
            self._watching_service = False

    def _service_back(self, description: ServiceDescription) -> None:
        if not wizard.waits_for_service(self.wizard):
            return
        now = events.service_back(self.wizard, description)
        if now.busy is Work.CHECKING:
            self._check(now)
        elif now.busy is Work.PREPARING:
            self._prepare(now)
        else:
            self._become(now)

    def _defect(self, error: Exception) -> None:
        """On a worker's thread: what nobody foresaw is shown like any other failure."""
        failure = wizard.failure_of(error)
        self._post(partial(self._event, partial(events.failed, failure=failure)))

    # --- the state, the card and the service ------------------------------------------------------

    def _become(self, new: Wizard) -> None:
        old, self.wizard = self.wizard, new
        if old.submission is not None and new.submission is None:
            _wipe_secrets(old.submission)
        if wizard.waits_for_readers(new):
            self.watch_readers()
        if wizard.waits_for_service(new) and not self._watching_service:
            self._watching_service = True
            self._service_watch.submit(self._follow_service)
        if old.step is Step.READER and new.step not in {Step.READER, Step.CARD}:
            self._jobs.submit(self._clear_desk)
        if self._seen is not None and new.step not in _AT_THE_CARD and new.slots != self._seen[0]:
            self._seen = None  # whoever comes next finds nothing of a card that was taken along
        self._look()
        if new != old:
            if self._log is not None:
                self._log.note(new)
            self._changed(old, new)

    def _the_service(self) -> Service:
        if self._service is None:
            self._service = self._backends.service()
        return self._service

    def _the_equipment(self) -> Equipment:
        if self._equipment is None:
            self._equipment = self._backends.equipment()
        return self._equipment

    def _cancel_requests(self) -> None:
        if self._service is not None:
            self._service.cancel()
        self._backends.revocation().cancel()

    def _cancel_equipment(self) -> None:
        if self._equipment is not None:
            self._equipment.cancel()

    def _the_card(self) -> Card:
        if self._card is None:
            from card.errors import CardAbsent

            raise CardAbsent(self.wizard.reader or "")
        return self._card

    def _close_card(self) -> None:
        if self._card is not None:
            self._card.close()
            self._card = None

    def _the_seen(self, slots: tuple[Slot, ...]) -> Seen:
        """What was read of cards so far; on the worker thread."""
        known = self._seen
        if known is None:
            from card.seen import Seen

            self._seen = known = (slots, Seen())
        return known[1]

    def _forget_seen(self) -> None:
        self._seen = None

    def _clear_desk(self) -> None:
        if self._desk is not None:
            self._desk.close()

    def _tidy(self, session: Session | None) -> None:
        """On the worker thread: let go of the cards, and sign out."""
        self._close_card()
        self._clear_desk()
        self._backends.revocation().forget()
        if session is not None and self._service is not None:
            from client.errors import ClientError

            with suppress(ClientError):  # an open session runs out by itself
                self._service.sign_out(session)

    def _close_service(self) -> None:
        if self._service is not None:
            self._service.close()
            self._service = None


def _new_submission(fields: Mapping[str, str | bytearray]) -> Submission:
    from client.port import idempotency_key

    return Submission(idempotency_key(), fields)


def _wipe_secrets(submission: Submission) -> None:
    for value in submission.fields.values():
        if isinstance(value, bytearray):
            value[:] = bytes(len(value))


def _load(*modules: str) -> None:
    from importlib import import_module

    for name in modules:
        import_module(name)
