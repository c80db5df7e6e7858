"""What the sandbox refuses, and with which code; over TLS, in a thread."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from invented_card import MOICA, Authority, InventedCard, account_fields, rsa_key

from client.errors import ClientError, FormInvalid, SignInPaused
from client.https import HttpsService
from client.port import Receipt, Service, Verification, idempotency_key, signed_message
from client.purpose import Purpose
from client.sandbox.faults import Fault
from client.sandbox.rules import TRIES
from client.sandbox.server import Sandbox

PASSWORD = b"sandbox password"
KEY = rsa_key()  # only the certificates must differ


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Sandbox]:
    data = tmp_path_factory.mktemp("sandbox")
    with Sandbox(data, trusted_card_roots=[authority.pem]) as running:
        running.seed_account("existing", PASSWORD)
        yield running


@pytest.fixture
def service(sandbox: Sandbox) -> Iterator[HttpsService]:
    client = HttpsService(sandbox.url, ca_file=sandbox.ca_file)
    yield client
    client.close()
    sandbox.faults.clear()


@pytest.fixture
def card(authority: Authority) -> InventedCard:
    return authority.issue(key=KEY)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.code


def prove(card: InventedCard, service: Service, purpose: Purpose = Purpose.REGISTER) -> str:
    return code_of(lambda: card.prove(service, purpose))


# --- challenges and cards ---------------------------------------------------------------------


def test_a_challenge_is_used_once_even_in_vain(service: HttpsService, card: InventedCard) -> None:
    challenge = service.challenge(Purpose.SIGN_IN)
    good = card.sign(signed_message(service.origin, challenge.nonce))

    def verify(signature: bytes, key: str) -> Verification:
        return service.verify(challenge, card.der, "RS256", signature, key)

    first = idempotency_key()
    assert code_of(lambda: verify(bytes(256), first)) == "service.token.signature"
    assert code_of(lambda: verify(good, idempotency_key())) == "service.challenge.used"
    assert code_of(lambda: verify(bytes(256), first)) == "service.token.signature"  # a repeat
    assert code_of(lambda: verify(good, first)) == "service.idempotency.conflict"


def test_a_repeated_verification_gets_the_same_answer(
    service: HttpsService, card: InventedCard
) -> None:
    challenge = service.challenge(Purpose.SIGN_IN)
    signature = card.sign(signed_message(service.origin, challenge.nonce))
    key = idempotency_key()
    answers = {service.verify(challenge, card.der, "RS256", signature, key).id for _ in range(3)}
    assert len(answers) == 1


def test_a_challenge_of_another_service_is_unknown(
    service: HttpsService, card: InventedCard, authority: Authority, tmp_path: Path
) -> None:
    with Sandbox(tmp_path, trusted_card_roots=[authority.pem]) as other:
        elsewhere = HttpsService(other.url, ca_file=other.ca_file)
        challenge = elsewhere.challenge(Purpose.SIGN_IN)
        elsewhere.close()
    signature = card.sign(signed_message(service.origin, challenge.nonce))
    assert code_of(
        lambda: service.verify(challenge, card.der, "RS256", signature, idempotency_key())
    ) == ("service.challenge.unknown")


def test_challenges_are_for_an_account_when_rebinding_and_only_then(service: HttpsService) -> None:
    assert code_of(lambda: service.challenge(Purpose.REBIND)) == "service.request.invalid"
    assert code_of(lambda: service.challenge(Purpose.REGISTER, "x")) == "service.request.invalid"
    assert code_of(lambda: service.challenge(Purpose.REBIND, "\ud800")) == (
        "service.request.invalid"
    )


def test_a_challenge_does_not_tell_whether_an_account_exists(service: HttpsService) -> None:
    known, unknown = (
        service.challenge(Purpose.REBIND, account) for account in ("existing", "nobody")
    )
    assert (known.account, unknown.account) == ("existing", "nobody")
    assert (known.purpose, len(known.nonce)) == (unknown.purpose, len(unknown.nonce))


def test_cards_that_are_not_accepted(
    service: HttpsService, sandbox: Sandbox, authority: Authority, card: InventedCard
) -> None:
    assert prove(Authority().issue(key=KEY), service) == "service.card.untrusted"
    assert prove(authority.issue(key=KEY, kind=MOICA), service) == "service.card.category"
    assert prove(authority.issue(key=KEY, kind=None), service) == "service.card.category"
    sandbox.revoke(card.der)
    assert prove(card, service) == "service.card.revoked"


# --- accounts -----------------------------------------------------------------------------------


def test_refused_fields_are_named_and_a_corrected_form_may_keep_its_key(
    service: HttpsService, card: InventedCard
) -> None:
    verification, key = card.prove(service, Purpose.REGISTER), idempotency_key()
    wrong = {**account_fields("corrected"), "email": "x", "institution": "0", "extra": "1"}
    del wrong["consent"]
    with pytest.raises(FormInvalid) as caught:
        service.register(verification, wrong, key)
    assert caught.value.fields == "institution,email,consent,extra"
    receipt = service.register(verification, account_fields("corrected"), key)
    assert receipt.account == "corrected"


def test_one_account_one_card(
    service: HttpsService, authority: Authority, card: InventedCard
) -> None:
    early = authority.issue(key=KEY)
    waiting = card.prove(service, Purpose.REGISTER)
    verification, key = card.prove(service, Purpose.REGISTER), idempotency_key()
    service.register(verification, account_fields("holder"), key)

    def register(verification: Verification, account: str, key: str) -> Receipt:
        return service.register(verification, account_fields(account), key)

    assert prove(card, service) == "service.card.bound"  # before any form is filled in
    assert card.prove(service, Purpose.SIGN_IN).category == "HPC"
    fresh = idempotency_key()
    assert code_of(lambda: register(waiting, "second", fresh)) == "service.card.bound"
    assert code_of(lambda: register(verification, "second", fresh)) == (
        "service.verification.unknown"
    )
    assert code_of(lambda: register(verification, "second", key)) == (
        "service.idempotency.conflict"
    )
    other = early.prove(service, Purpose.REGISTER)
    assert code_of(lambda: register(other, "holder", fresh)) == "service.account.exists"
    changed = {**account_fields("holder"), "password": bytearray(b"another password")}
    assert code_of(lambda: service.register(verification, changed, key)) == (
        "service.idempotency.conflict"
    )


def test_a_verification_is_for_its_purpose_and_account(
    service: HttpsService, authority: Authority, sandbox: Sandbox
) -> None:
    sandbox.seed_account("another", PASSWORD)
    session = service.sign_in("another", bytearray(PASSWORD))
    for purpose, account in (
        (Purpose.REGISTER, None),
        (Purpose.SIGN_IN, None),
        (Purpose.REBIND, "existing"),
    ):
        verification = authority.issue(key=KEY).prove(service, purpose, account)
        assert code_of(
            lambda verified=verification: service.rebind(session, verified, idempotency_key())
        ) == ("service.verification.unknown")
    right = authority.issue(key=KEY).prove(service, Purpose.REBIND, "another")
    fields = account_fields("stranger")
    assert code_of(lambda: service.register(right, fields, idempotency_key())) == (
        "service.verification.unknown"
    )
    assert service.rebind(session, right, idempotency_key()).account == "another"


def test_a_card_of_another_account_is_not_taken_over(
    service: HttpsService, sandbox: Sandbox, card: InventedCard
) -> None:
    for account in ("first", "second"):
        sandbox.seed_account(account, PASSWORD)
    first, second = (
        service.sign_in(account, bytearray(PASSWORD)) for account in ("first", "second")
    )
    mine, theirs = (card.prove(service, Purpose.REBIND, account) for account in ("first", "second"))
    receipt = service.rebind(first, mine, idempotency_key())
    assert code_of(lambda: service.rebind(second, theirs, idempotency_key())) == (
        "service.card.bound"
    )
    assert code_of(lambda: card.prove(service, Purpose.REBIND, "second")) == "service.card.bound"
    again = card.prove(service, Purpose.REBIND, "first")  # the same card once more is no harm
    assert service.rebind(first, again, idempotency_key()).card == receipt.card


def test_one_of_two_accounts_gets_the_card(
    service: HttpsService, sandbox: Sandbox, card: InventedCard
) -> None:
    """Both submitted at once; and each of them three times under its key."""
    verifications = [card.prove(service, Purpose.REGISTER) for _ in range(2)]
    keys = [idempotency_key() for _ in verifications]
    outcomes: list[tuple[int, object]] = []

    def submit(number: int) -> None:
        fields = account_fields(f"racer{number}")
        try:
            receipt = service.register(verifications[number], fields, keys[number])
            outcomes.append((number, receipt))
        except ClientError as error:
            outcomes.append((number, error.code))

    threads = [threading.Thread(target=submit, args=(number % 2,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    winners = {number for number, outcome in outcomes if isinstance(outcome, Receipt)}
    assert len(outcomes) == 6
    assert len(winners) == 1
    receipts = {outcome for number, outcome in outcomes if number in winners}
    refusals = {outcome for number, outcome in outcomes if number not in winners}
    assert len(receipts) == 1
    assert refusals == {"service.card.bound"}
    connection = sqlite3.connect(sandbox.database)
    racers = "SELECT count(*) FROM accounts WHERE account LIKE 'racer%'"
    assert connection.execute(racers).fetchone() == (1,)
    connection.close()


# --- sessions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["pausing", "never-existed"])
def test_wrong_passwords_pause_the_sign_in(
    service: HttpsService, sandbox: Sandbox, account: str
) -> None:
    sandbox.seed_account("pausing", PASSWORD)
    for _ in range(TRIES):
        assert code_of(lambda: service.sign_in(account, bytearray(b"wrong"))) == (
            "service.sign-in.refused"
        )
    with pytest.raises(SignInPaused) as caught:
        service.sign_in(account, bytearray(PASSWORD))
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 300


def test_the_right_password_forgives_the_wrong_ones(
    service: HttpsService, sandbox: Sandbox
) -> None:
    sandbox.seed_account("forgiven", PASSWORD)
    for _ in range(2):
        for _ in range(TRIES - 1):
            assert code_of(lambda: service.sign_in("forgiven", bytearray(b"wrong"))) == (
                "service.sign-in.refused"
            )
        assert service.sign_in("forgiven", bytearray(PASSWORD)).bound_card is None


def test_a_session_ends(service: HttpsService, card: InventedCard) -> None:
    session = service.sign_in("existing", bytearray(PASSWORD))
    verification = card.prove(service, Purpose.REBIND, "existing")
    service.sign_out(session)
    assert code_of(lambda: service.rebind(session, verification, idempotency_key())) == (
        "service.session.expired"
    )


def test_an_unknown_receipt(service: HttpsService) -> None:
    for number in ("R-0000-0000-0000-0000", "../service", "", "\ud800"):
        assert code_of(lambda number=number: service.receipt(number)) == "service.receipt.unknown"


# --- faults ---------------------------------------------------------------------------------------


def whole_binding(service: HttpsService, card: InventedCard) -> None:
    service.describe()
    verification = card.prove(service, Purpose.REBIND, "existing")
    session = service.sign_in("existing", bytearray(PASSWORD))
    service.rebind(session, verification, idempotency_key())


FAULTS = {
    Fault.DOWN: "service.unavailable",
    Fault.BUSY: "service.busy",
    Fault.FAILED: "service.failed",
    Fault.SLOW: "net.timeout",
    Fault.NONSENSE: "service.nonsense",
    Fault.WRONG_TYPE: "service.nonsense",
    Fault.HUGE: "service.nonsense",
    Fault.REDIRECT: "service.nonsense",
    Fault.VERSION: "service.version",
    Fault.ORIGIN: "service.origin",
    Fault.CLOCK: "service.clock",
    Fault.CHALLENGE_EXPIRED: "service.challenge.expired",
    Fault.CHALLENGE_USED: "service.challenge.used",
    Fault.VERIFICATION_EXPIRED: "service.verification.expired",
    Fault.SESSION_EXPIRED: "service.session.expired",
    Fault.CARD_REVOKED: "service.card.revoked",
    Fault.CARD_REFUSED: "service.card.category",
}


def test_every_fault_is_held_to_a_code() -> None:
    """Those of the component list and of the responder are met in tests/unit/client."""
    elsewhere = ("manifest-", "file-", "status-")
    others = {fault for fault in Fault if fault.value.startswith(elsewhere)}
    assert others | set(FAULTS) == set(Fault)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_code_and_can_be_lifted(
    sandbox: Sandbox, authority: Authority, fault: Fault
) -> None:
    card = authority.issue(key=KEY)
    deadline = 0.5 if fault is Fault.SLOW else 30.0
    hurried = HttpsService(sandbox.url, ca_file=sandbox.ca_file, deadline=deadline, pauses=(0.0,))
    sandbox.faults.add(fault)
    try:
        assert code_of(lambda: whole_binding(hurried, card)) == FAULTS[fault]
    finally:
        sandbox.faults.clear()
        hurried.close()
    patient = HttpsService(sandbox.url, ca_file=sandbox.ca_file)
    whole_binding(patient, card)
    patient.close()


# --- what stays out of sight ----------------------------------------------------------------------


def test_no_secret_is_ever_logged(
    service: HttpsService, card: InventedCard, caplog: pytest.LogCaptureFixture
) -> None:
    fields = account_fields("unlogged")
    password = fields["password"]
    assert isinstance(password, bytearray)
    with caplog.at_level(logging.DEBUG):
        service.register(card.prove(service, Purpose.REGISTER), fields, idempotency_key())
        session = service.sign_in("unlogged", password)
        service.sign_out(session)
    assert caplog.records
    for secret in ("horse", "王測試", "測試員甲", session.token, "wang.test"):
        assert secret not in caplog.text
    assert password == b'correct"horse\\battery'  # the caller's to wipe
    assert session.token not in repr(session)


def test_one_connection_serves_many_requests(service: HttpsService) -> None:
    before = service.describe()
    (line,) = service._idle
    for _ in range(3):
        service.challenge(Purpose.SIGN_IN)
    assert service._idle == [line]
    assert service.describe().version == before.version


def test_a_stopped_sandbox_starts_again_where_it_was(tmp_path: Path, authority: Authority) -> None:
    sandbox = Sandbox(tmp_path, trusted_card_roots=[authority.pem])
    sandbox.start()
    sandbox.seed_account("patient", PASSWORD)
    service = HttpsService(sandbox.url, ca_file=sandbox.ca_file, pauses=())
    assert service.describe().origin == sandbox.url
    sandbox.stop()
    assert code_of(service.describe) in {"net.refused", "net.lost"}
    sandbox.start()
    assert service.sign_in("patient", bytearray(PASSWORD)).account == "patient"
    service.close()
    sandbox.stop()
