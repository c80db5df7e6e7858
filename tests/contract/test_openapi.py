"""The running sandbox against client/openapi.yaml, and the contract against the error tree."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from invented_card import Authority

from client.errors import ContractProblem
from client.sandbox.server import Sandbox

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONTRACT = ROOT / "client" / "openapi.yaml"
ACCOUNT, PASSWORD = "existing", "sandbox password"
SECONDS = 300


def test_the_contract_names_exactly_the_problems_that_the_client_knows() -> None:
    named = set(re.findall(r"service\.[a-z-]+\.[a-z-]+", CONTRACT.read_text("utf-8")))
    assert named == {problem.code for problem in ContractProblem.__subclasses__()}


@pytest.mark.timeout(SECONDS + 60)
def test_the_sandbox_keeps_the_contract(tmp_path: Path) -> None:
    authority = Authority()
    card_key = tmp_path / "card-authority.pem"
    card_key.write_bytes(
        authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with Sandbox(tmp_path / "data", trusted_card_roots=[authority.pem]) as sandbox:
        sandbox.seed_account(ACCOUNT, PASSWORD.encode())
        run = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                *("--config-file", HERE / "openapi.toml"),
                *("run", CONTRACT),
                *("--url", sandbox.url),
                *("--tls-verify", sandbox.ca_file),
            ],
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": "openapi_hooks",
                "PYTHONPATH": os.pathsep.join(map(str, (ROOT, HERE, HERE.parent / "support"))),
                "SANDBOX_URL": sandbox.url,
                "SANDBOX_CA": str(sandbox.ca_file),
                "CARD_AUTHORITY_KEY": str(card_key),
                "SANDBOX_ACCOUNT": ACCOUNT,
                "SANDBOX_PASSWORD": PASSWORD,
                "NO_PROXY": "localhost",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
        succeeded = _events(sandbox.database, "outcome = 'ok'")
        refused = _events(sandbox.database, "outcome LIKE 'service.%'")
    # what schemathesis saw was the service at work, not only its refusals
    assert succeeded == {
        "POST /v1/challenges",
        "POST /v1/verifications",
        "POST /v1/accounts",
        "POST /v1/sessions",
        "DELETE /v1/sessions/current",
        "POST /v1/bindings",
    }
    assert succeeded <= refused


def _events(database: Path, condition: str) -> set[str]:
    connection = sqlite3.connect(database)
    try:
        rows = connection.execute(f"SELECT DISTINCT event FROM audit WHERE {condition}")  # noqa: S608
        return {event for (event,) in rows}
    finally:
        connection.close()
