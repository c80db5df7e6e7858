"""The APDU trace: one JSON object a line, without any data by construction."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from card.port import Exchange, Tracer


def trace_to(path: Path) -> Tracer:
    """A tracer that appends to `path`, readable by its owner only. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    file = os.fdopen(descriptor, "a", encoding="ascii")

    def write(exchange: Exchange) -> None:
        row: dict[str, object] = asdict(exchange)
        for name in ("ins", "p1", "p2"):
            row[name] = f"{row[name]:02X}"
        row["sw"] = f"{exchange.sw:04X}"
        row["ms"] = round(exchange.ms, 3)
        file.write(json.dumps(row) + "\n")
        file.flush()

    return write
