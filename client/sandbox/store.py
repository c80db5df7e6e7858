"""The sandbox's memory: one SQLite file that a kill at any moment leaves whole."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA_VERSION = 1
BUSY_SECONDS = 5.0
SCHEMA = """
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,          -- scrypt, with its salt
    fields TEXT NOT NULL,            -- JSON: the account form without its secrets
    created INTEGER NOT NULL         -- all times: seconds since 1970, UTC
) STRICT;
CREATE TABLE bindings (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id),  -- an account has one card
    card TEXT NOT NULL UNIQUE,       -- a card has one account; SHA-256 of the certificate
    bound INTEGER NOT NULL
) STRICT;
CREATE TABLE challenges (
    id TEXT PRIMARY KEY,
    nonce TEXT NOT NULL,
    purpose TEXT NOT NULL,
    account TEXT,
    expires INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE verifications (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    account TEXT,
    card TEXT NOT NULL,
    holder TEXT NOT NULL,
    category TEXT NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE sessions (
    token BLOB PRIMARY KEY,          -- SHA-256 of the bearer token
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    expires INTEGER NOT NULL
) STRICT;
CREATE TABLE sign_ins (              -- wrong passwords, for names that exist and that do not
    account TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    since INTEGER NOT NULL
) STRICT;
CREATE TABLE answers (               -- what a repeated Idempotency-Key gets
    key TEXT NOT NULL,
    route TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (key, route)
) STRICT;
CREATE TABLE receipts (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    card TEXT NOT NULL,
    holder TEXT NOT NULL,
    category TEXT NOT NULL,
    bound INTEGER NOT NULL
) STRICT;
CREATE TABLE revoked (card TEXT PRIMARY KEY) STRICT;
CREATE TABLE audit (                 -- numbers and codes, no names
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    event TEXT NOT NULL,
    outcome TEXT NOT NULL,           -- "ok" or the problem's code
    account_id INTEGER,
    card TEXT                        -- short card number
) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE (ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE (ABORT, 'the audit trail is append-only'); END;
"""


class Store:
    """One connection for all threads, one transaction at a time. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        with self.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _statements(SCHEMA):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise sqlite3.DatabaseError("the database is of another version")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block or nothing of it; on disk (synchronous=FULL) when it ends."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _statements(script: str) -> Iterator[str]:
    """Each statement of `script`; `executescript` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
