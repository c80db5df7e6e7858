"""hca-bind with a defect in it, held at its end to be looked at: `… SAID HOLD DEFECT [WORD …]`.

SAID and HOLD are descriptors: a byte goes to the one when the program has come to its end, and it
stays until the other is closed.
"""

from __future__ import annotations

import os
import sys

from card.apdu import Command
from card.private_process import keep_private
from tui.terminal import prepare_environment


def break_in(defect: str) -> None:
    """Put an exception that nobody foresees where a PIN is at hand."""
    match defect:
        case "typing":  # its last character is being drawn
            from screens.secret_field import SecretField

            drawn = SecretField.render

            def render(field: SecretField) -> object:
                return drawn(field) if len(field._secret) < 8 else 1 / 0

            SecretField.render = render  # type: ignore[assignment, method-assign]
        case "entering":  # Enter has handed it over
            from tui.engine import Engine

            Engine.secret = lambda *_: 1 / 0  # type: ignore[assignment, method-assign]
        case "sending":  # the command is being written
            encode = Command.encode

            def broken(command: Command) -> bytearray:
                return encode(command) if not command.carries_pin else bytearray(1 // 0)

            Command.encode = broken  # type: ignore[method-assign]
        case "answered":  # the card has had it
            from card.channel import Channel

            send = Channel.send

            def answered(channel: Channel, command: Command) -> object:
                response = send(channel, command)
                return response if not command.carries_pin else 1 / 0

            Channel.send = answered  # type: ignore[assignment, method-assign]
        case "none" | "SIGTERM":
            pass
        case _:
            raise ValueError(defect)


def main() -> None:
    said, hold = int(sys.argv[1]), int(sys.argv[2])
    sys.argv[1:] = sys.argv[3:]
    keep_private()
    prepare_environment()
    break_in(sys.argv.pop(1))
    from tui.main import run

    status = run(sys.argv[1:])
    os.write(said, b".")
    os.read(hold, 1)
    sys.exit(status)


if __name__ == "__main__":
    main()
