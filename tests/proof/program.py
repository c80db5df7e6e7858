"""The program, to be killed again and again: `program.py URL CA AUTHORITY`.

The wizard's engine on the embedded card, with a service of another process. For each line
`PURPOSE KIND NUMBER` of its input it forks a program that ends by SIGKILL at that transition, or
before or after that command to the card, or goes on to the end; all of them have the same card.
Nothing in the product knows of it. One line of JSON comes back.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from headless import Desk, Person, Stuck, new_card

from card.errors import CardError
from card.virtual.authority import Authority
from client.purpose import Purpose
from screens.wizard import Wizard


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(desk: Desk, purpose: Purpose, kind: str, number: int) -> dict[str, object]:
    """One program from its start to its end, which may not be its own."""
    desk.lay_out()
    person = Person(desk, purpose)
    transitions = 0

    def moved(_: Wizard) -> None:
        nonlocal transitions
        transitions += 1
        if kind == "transition" and transitions == number:
            die()

    def sent(answer: bytes) -> bytes | CardError:
        die()
        return answer

    person.moved = moved
    if kind.startswith("command"):
        desk.breaker.at, desk.breaker.change = number - 1, sent
        desk.breaker.lost = kind == "command-before"
    with suppress(Stuck):  # what stands in its way is in its codes
        person.finish()
    receipt = person.wizard.receipt
    person.leave()
    return {
        "transitions": transitions,
        "commands": desk.breaker.sent,
        "codes": person.codes,
        "receipt": receipt.id if receipt else None,
    }


def main() -> None:
    url, ca, folder = sys.argv[1:]
    card = new_card(Authority.load_or_create(Path(folder)))
    for line in sys.stdin:
        purpose, kind, number = line.split()
        answer, end = os.pipe()
        child = os.fork()  # nothing has started a thread yet
        if child == 0:
            desk = Desk(Path(os.devnull), url, Path(ca), card)
            told = json.dumps(run(desk, Purpose(purpose), kind, int(number)))
            os.write(end, told.encode())
            os._exit(0)
        os.close(end)
        told = b""
        while part := os.read(answer, 65536):
            told += part
        os.close(answer)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(json.dumps({"pid": child, "status": status, **json.loads(told or b"{}")}))
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
