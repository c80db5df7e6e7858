"""PC/SC's contexts through pyscard's thin layer: made when needed, given up when a call blocks."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, TypeVar

from card.attachment import failure, refuse_foreign
from card.errors import CardError, PcscLibraryMissing
from card.pcsc_codes import STALE, Code

DENIED_AGAIN = 0.5  # seconds

_Result = TypeVar("_Result")


def load() -> ModuleType:
    """pyscard's low-level module. Raises PcscLibraryMissing."""
    try:
        if sys.platform == "linux":
            # pyscard opens the library when it is first used; without it, it writes a message
            # over the screen and reports a missing service.
            ctypes.CDLL("libpcsclite.so.1")
        return _extension()
    except (ImportError, OSError) as error:
        raise PcscLibraryMissing from error


@cache
def _extension() -> ModuleType:
    """pyscard's extension module alone: a session that waits has no use for what lies above it.

    Imported as `smartcard.scard` it brings two dozen modules of readers, sessions and monitors.
    """
    package = find_spec("smartcard")
    folders = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec("_scard", [f"{each}/scard" for each in folders or ()])
    if found is None or found.loader is None:
        raise ImportError("_scard")
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


class Context:
    """One PC/SC context, established when it is needed and again when its daemon is another."""

    def __init__(self, scard: ModuleType) -> None:
        self._scard = scard
        self.handle: int | None = None
        self.daemon = object()  # another one for each that was reached

    def call(self, operation: Callable[[int], tuple[int, list[Any]]]) -> tuple[int, list[Any]]:
        """Run `operation` on the context, once more on a fresh one where it proved stale.

        Raises PcscError where no context can be had.
        """
        if self.handle is not None:
            status, results = operation(self.handle)
            if status not in STALE:
                return status, results
            self.release()
        return operation(self.establish())

    def establish(self) -> int:
        """The handle. Raises PcscError."""
        if self.handle is None:
            refuse_foreign()
            scope = self._scard.SCARD_SCOPE_SYSTEM
            status, handle = self._scard.SCardEstablishContext(scope)
            if unsigned(status) == Code.SECURITY_VIOLATION:
                # A daemon that is just ending says the same; one that stays says it again.
                time.sleep(DENIED_AGAIN)
                status, handle = self._scard.SCardEstablishContext(scope)
            if unsigned(status) != Code.OK:
                raise failure(unsigned(status))
            self.handle = handle
            self.daemon = object()
        return self.handle

    def release(self) -> None:
        handle, self.handle = self.handle, None
        if handle is not None:
            self._scard.SCardReleaseContext(handle)


def within(
    seconds: float, call: Callable[[], _Result], late: Callable[[_Result], object]
) -> _Result | None:
    """What `call` returns, or None after `seconds`; `late` then gets it whenever it comes.

    While another program is in a transaction, connecting, beginning a transaction and
    disconnecting all wait for its end, which PC/SC can neither limit nor cancel.
    """
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except CardError as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        future.add_done_callback(
            lambda done: late(done.result()) if done.exception() is None else None
        )
        return None


def unsigned(status: int) -> int:
    """pyscard's return codes are signed on some systems."""
    return status & 0xFFFFFFFF


def answered(answer: list[Any]) -> tuple[int, list[Any]]:
    """What a function of pyscard's returns: the code, and the results behind it."""
    status, *results = answer
    return unsigned(status), list(results)
