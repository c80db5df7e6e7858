"""Fetches one file as the component step does and prints what it took, as JSON.

Run as a script: `python fetch.py ADDRESS SIZE SHA256 CA_FILE FOLDER`.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from client.components.download import fetch
from client.components.manifest import File
from client.components.progress import Meter
from client.components.source import ServiceSource
from client.errors import FileMissing


def memory(name: str) -> float:
    """A line of /proc/self/status in MiB: VmRSS is now, VmHWM the most since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {name}")


def main(address: str, size: str, sha256: str, ca_file: str, folder: str) -> None:
    file = File("component", address, int(size), sha256)
    parts = urlsplit(address)
    source = ServiceSource(f"https://{parts.netloc}", Path(ca_file))
    stop = threading.Event()
    # a file that is not there loads TLS and httpx, as the wizard has long before a download
    with contextlib.suppress(FileMissing):
        nothing = File("nothing", address + ".none", 1, sha256)
        fetch(nothing, source, Path(folder), report=print_nothing, stop=stop)
    idle = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    began = time.perf_counter()
    fetch(file, source, Path(folder), report=Meter(file.size, print_nothing), stop=stop)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "above_idle": memory("VmHWM") - idle}))


def print_nothing(_: object) -> None:
    """The screen's part is measured elsewhere."""


main(*sys.argv[1:])
