"""Every problem of the contract arrives as the error it left as."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from client import errors
from client.errors import ClientError, ContractProblem
from client.failures import from_answer
from client.line import Answer
from client.sandbox.app import STATUS, _refusal

SAMPLES: dict[str, object] = {"retry_after": 42, "fields": "email,phone"}


def sample(problem: type[ContractProblem]) -> ContractProblem:
    return problem(**{field.name: SAMPLES[field.name] for field in fields(problem)})


def answer(status: int, body: bytes, media_type: str = "application/problem+json") -> Answer:
    return Answer(status, media_type, body, None)


@pytest.mark.parametrize("problem", ContractProblem.__subclasses__())
def test_a_problem_survives_the_wire(problem: type[ContractProblem]) -> None:
    sent = sample(problem)
    outcome = _refusal(sent)
    arrived = from_answer(answer(outcome.status, outcome.body))
    assert type(arrived) is problem
    assert arrived.facts() == sent.facts()
    assert not arrived.retriable


def test_every_problem_has_a_status_and_a_code_of_its_own() -> None:
    problems = ContractProblem.__subclasses__()
    assert set(problems) <= set(STATUS)
    codes = [problem.code for problem in problems]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"service(\.[a-z-]+){1,2}", code) for code in codes)


PROBLEM = json.dumps({"code": "service.new-in-1.1", "title": "New", "status": 0}).encode()


@pytest.mark.parametrize(
    ("status", "body", "media_type", "error"),
    [
        (400, PROBLEM, "application/problem+json", errors.ServiceProblem),
        (429, PROBLEM, "application/problem+json", errors.ServiceBusy),
        (429, b"slow down", "text/plain", errors.ServiceBusy),
        (500, PROBLEM, "application/problem+json", errors.ServiceFailed),
        (502, b"<html>", "text/html", errors.ServiceUnavailable),
        (503, b"", "", errors.ServiceUnavailable),
        (504, b"{", "application/problem+json", errors.ServiceUnavailable),
        (507, b"", "", errors.ServiceFailed),
        (404, b"<html>", "text/html", errors.ServiceNonsense),
        (404, b"{}", "application/problem+json", errors.ServiceNonsense),
        (404, b"\xff", "application/problem+json", errors.ServiceNonsense),
        (404, b"[" * 100_000, "application/problem+json", errors.ServiceNonsense),
        (422, b'{"code":"service.form.invalid","fields":["\\u001b"]}', "application/problem+json",
         errors.ServiceNonsense),
        (200, PROBLEM, "application/problem+json", errors.ServiceNonsense),
        (302, b"", "", errors.ServiceNonsense),
        (201, b"{}", "application/json", errors.ServiceNonsense),
    ],
)  # fmt: skip
def test_other_answers(status: int, body: bytes, media_type: str, error: type[ClientError]) -> None:
    assert type(from_answer(answer(status, body, media_type))) is error


def test_an_unknown_problem_keeps_its_status() -> None:
    assert from_answer(answer(418, PROBLEM)).facts() == {"status": 418}
