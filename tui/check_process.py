"""The component check in a process of its own, which ends with the check.

It needs an HTTP client, TLS, package metadata and the drivers' lists: ten megabytes that a session
would keep while it waits for its card, on a host where hundreds wait. What the check finds comes
back through a pipe. `python -m tui.check_process` is the other end.
"""

from __future__ import annotations

import contextlib
import copyreg
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from screens.wizard import Check, Failure, failure_of

if TYPE_CHECKING:
    from pathlib import Path

    from screens.jobs import Outcome
    from screens.wizard import Fact
    from tui.backends import SupplyOptions


@dataclass(frozen=True)
class Request:
    """What `RealBackends` is made of, and whether a card was met that only a module can reach."""

    service: str | None
    ca: Path | None
    supply: SupplyOptions
    needs_module: bool


class CheckFailed(Exception):
    """What the check let through, by its code."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.code = failure.code
        self._facts = failure.facts

    def facts(self) -> Mapping[str, Fact]:
        return self._facts


class CheckProcessEnded(Exception):
    """The process ended before the check did."""


class CheckProcess:
    """Starts the process when asked, and can end it from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, request: Request, report: Callable[[Check], None]) -> Outcome:
        """Block until the check is done. Raises CheckFailed, CheckProcessEnded."""
        # -P: the current folder is no place to import from.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tui.check_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # no terminal to write to, and Ctrl+C is not for it
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        with self._lock:
            self._process = process
        try:
            with process:
                return _converse(process, request, report)
        finally:
            process.kill()
            process.wait()

    def cancel(self) -> None:
        """End the check under way; `run` raises then."""
        with self._lock:
            if self._process is not None:
                self._process.kill()


def _converse(
    process: subprocess.Popen[bytes], request: Request, report: Callable[[Check], None]
) -> Outcome:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - pipes
    with contextlib.suppress(BrokenPipeError), process.stdin as requests:
        pickle.dump(request, requests)
    while True:
        try:
            answer = pickle.load(process.stdout)  # noqa: S301 - from our own process
        except (EOFError, pickle.UnpicklingError) as error:
            raise CheckProcessEnded from error
        match answer:
            case Check():
                report(answer)
            case Failure():
                raise CheckFailed(answer)
            case _:
                outcome: Outcome = answer
                return outcome


# --- the process ---------------------------------------------------------------------------------


def main() -> None:
    """One request from the standard input; each row, then the outcome or what went wrong."""
    from card.private_process import keep_private

    keep_private()
    copyreg.pickle(MappingProxyType, lambda facts: (MappingProxyType, (dict(facts),)))
    request = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library may print
    try:
        _answer(answers, _check(request, lambda row: _answer(answers, row)))
    except Exception as error:  # noqa: BLE001 - a defect is told like any other failure
        _answer(answers, failure_of(error))
    os._exit(0)  # what would be tidied up ends with the process


def _check(request: Request, report: Callable[[Check], None]) -> Outcome:
    from screens.jobs import check_components
    from tui.backends import RealBackends

    backends = RealBackends(request.service, request.ca, supply=request.supply)
    return check_components(backends.equipment(), backends.service, report, request.needs_module)


def _answer(answers: IO[bytes], answer: object) -> None:
    pickle.dump(answer, answers)
    answers.flush()


if __name__ == "__main__":
    main()
