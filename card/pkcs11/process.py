"""The helper process from outside: one module in it, a deadline on every call.

Whatever the module does, a call comes back: with a reply, or with ModuleCrashed or ModuleTimeout
and no process left behind.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from card.errors import ModuleBroken, ModuleCrashed, ModuleTimeout
from card.pkcs11 import wire

END_SECONDS = 2.0  # for C_Finalize, once there is nothing more to ask
_HELPER = "card.pkcs11.helper"


class Helper:
    """One running helper for the module at `path`; calls may take `seconds` each.

    `environment` is added to this process's own.
    """

    def __init__(
        self, path: Path, seconds: int, environment: Mapping[str, str] | None = None
    ) -> None:
        self.module = path.name
        self._seconds = seconds
        # -P: the current folder is no place to import from.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _HELPER, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={
                **os.environ,
                **(environment or {}),
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            start_new_session=True,  # no terminal to write to, and Ctrl+C is not for it
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._requests = self._process.stdin
        self._frames: queue.SimpleQueue[bytes | bytearray | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="pkcs11-helper", daemon=True).start()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: wire.Request, pin: memoryview | None = None) -> wire.Reply:
        """One request to its reply; `pin` follows as a raw frame. Never asked twice.

        A Login waits for a person, and so longer than any other. Raises ModuleCrashed,
        ModuleTimeout, ModuleBroken; the helper has ended then.
        """
        try:
            pipe = self._requests.fileno()
            wire.send(pipe, wire.encode(request))
            if pin is not None:
                wire.send(pipe, pin)
        except (OSError, ValueError):  # ValueError: ended before
            raise self._crashed() from None
        seconds = wire.PAD_SECONDS if isinstance(request, wire.Login) else self._seconds
        try:
            frame = self._frames.get(timeout=seconds)
        except queue.Empty:
            self._kill()
            raise ModuleTimeout(self.module, seconds) from None
        if frame is None:
            raise self._crashed()
        try:
            reply: wire.Reply = wire.decode_reply(frame)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._kill()
            raise ModuleBroken(self.module, "") from None
        return reply

    def close(self) -> None:
        """End it: kindly, by the end of its input, then surely. Never raises."""
        with contextlib.suppress(OSError):
            self._requests.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()

    def _listen(self) -> None:
        """On a thread of its own: every frame as it comes, None at the end."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        with self._process.stdout as pipe:
            while True:
                frame = wire.receive(pipe.fileno())
                self._frames.put(frame)
                if frame is None:
                    return

    def _crashed(self) -> ModuleCrashed:
        try:
            status = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on
            status = self._kill()
        with contextlib.suppress(OSError):
            self._requests.close()
        return ModuleCrashed(self.module, status)

    def _kill(self) -> int:
        """End it and what the module may have started; its status."""
        if sys.platform == "win32":
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._requests.close()
        return self._process.wait()
