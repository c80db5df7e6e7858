"""A component of 100 MiB over loopback TLS, beside curl: time, and memory above idle."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figure import Figure

SIZE = 100 * 1024 * 1024
MOST_MIB = 32.0  # above idle
TIMES_CURL = 1.25  # no less than 0.8 times its speed
SERVER = """
import sys
from pathlib import Path
from client.sandbox.server import Sandbox
sandbox = Sandbox(Path(sys.argv[1]))
sandbox.open()
entry = {
    "id": "bench", "part": "module", "name": {"zh-Hant": "測試", "en": "bench"}, "version": "1",
    "licence": "MIT", "platform": {"system": "linux", "machine": "any"},
    "install": {"how": "module"}, "file": {"name": "bench.bin"},
}
sandbox.shelf.put(entry, Path(sys.argv[2]))
print(sandbox.url, sandbox.ca_file, flush=True)
sandbox.serve()
"""


def measure(runs: int) -> list[Figure]:
    """In turn, each into a fresh file; the first round is not counted."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        content = folder / "content.bin"
        digest = _random_file(content)
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(folder / "sandbox"), str(content)],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            url, ca_file = server.stdout.readline().split()
            address = f"{url}/v1/components/files/bench.bin"
            ours, theirs, memory = [], [], []
            for turn in range(runs + 1):
                seconds, above = _ours(address, digest, ca_file, folder / f"ours-{turn}")
                curl = _curl(address, ca_file, folder / "curl.bin")
                if turn:
                    ours.append(seconds)
                    memory.append(above)
                    theirs.append(curl)
        finally:
            server.terminate()
            server.wait()
    return [
        Figure(
            "100 MiB over loopback TLS, hashed",
            "s",
            "curl and fsync, same server",
            tuple(ours),
            tuple(theirs),
            most_times=TIMES_CURL,
        ),
        Figure(
            "memory above idle for that",
            "MiB",
            "the promise",
            tuple(memory),
            (MOST_MIB,) * len(memory),
            most=MOST_MIB,
        ),
    ]


def _random_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE // 2**20):
            block = os.urandom(2**20)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _ours(address: str, digest: str, ca_file: str, folder: Path) -> tuple[float, float]:
    script = Path(__file__).with_name("fetch.py")
    run = subprocess.run(
        [sys.executable, script, address, str(SIZE), digest, ca_file, folder],
        capture_output=True,
        check=True,
    )
    for each in folder.iterdir():
        each.unlink()
    taken = json.loads(run.stdout)
    return taken["seconds"], taken["above_idle"]


def _curl(address: str, ca_file: str, target: Path) -> float:
    run = subprocess.run(
        ["curl", "-sS", "--cacert", ca_file, "-o", target, "-w", "%{time_total}", address],
        capture_output=True,
        check=True,
    )
    began = time.perf_counter()
    with target.open("rb") as file:
        os.fsync(file.fileno())  # ours is on the disk when it is done
    synced = time.perf_counter() - began
    target.unlink()
    return float(run.stdout) + synced
