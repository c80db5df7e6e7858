"""The sandbox, to be killed at a statement to its database: `service.py PORT DATA CA NUMBER`.

SQLite itself says of every statement before it is carried out; at the one with that number,
counted from when the service is ready, the process ends by SIGKILL. 0: never. The count of all is
kept in the file DATA/statements. Nothing in the product knows of it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from client.sandbox.server import Sandbox


def main() -> None:
    port, data, ca, number = sys.argv[1:]
    sandbox = Sandbox(Path(data), int(port), [Path(ca).read_bytes()])
    sandbox.open()
    statements = 0
    count = (Path(data) / "statements").open("w")

    def about_to(_statement: str) -> None:
        nonlocal statements
        statements += 1
        if statements == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        count.seek(0)
        count.write(str(statements))
        count.flush()

    sandbox._opened()._connection.set_trace_callback(about_to)
    sys.stdout.write(f"{sandbox.url}\n")
    sys.stdout.flush()
    sandbox.serve()


if __name__ == "__main__":
    main()
