"""One file, and everything that can come between: never a wrong one under the right name."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from component_desk import QUICK, Desk, entry

from client.components.download import cached_name
from client.components.manifest import File
from client.components.progress import EVERY, Meter, Progress
from client.components.source import ServiceSource
from client.components.supply import Supply
from client.errors import ClientCancelled, ClientError, DiskFull, FileContentWrong, FileSizeWrong
from client.sandbox.components import BLOCK
from client.sandbox.faults import Fault
from client.sandbox.server import Sandbox
from client.sandbox.tls import make_identity

PATIENCE = 60.0
SEED = 5
SIZE = 6 * BLOCK + 12345
CONTENT = random.Random(SEED).randbytes(SIZE)  # noqa: S311 - no secret
RIGHT = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(desk: Desk) -> File:
    desk.sandbox.shelf.put(entry("lib.so"), CONTENT)
    return desk.file()


def is_right(path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == RIGHT


# --- breaks --------------------------------------------------------------------------------------


def test_a_break_at_every_chunk_boundary_and_beside_it(desk: Desk, file: File) -> None:
    """One download that breaks at all of them, and goes on with Range each time."""
    boundaries = range(0, SIZE, BLOCK)
    places = sorted({at + by for at in boundaries for by in (-1, 0, 1)} - {-1})
    desk.sandbox.shelf.breaks.extend(places)
    assert is_right(desk.fetch(file))
    assert not desk.sandbox.shelf.breaks
    assert desk.cached() == [cached_name(file)]


@pytest.mark.parametrize("place", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, SIZE - 1])
def test_a_restart_after_a_break_goes_on_from_there(desk: Desk, file: File, place: int) -> None:
    """The first run gives up at the break; another one goes on, and asks for no byte twice."""
    desk.sandbox.shelf.breaks.extend([place] * (len(QUICK) + 1))
    with pytest.raises(ClientError) as caught:
        desk.fetch(file)
    assert caught.value.code == "net.lost"
    assert desk.cached() == []
    part = desk.home / "cache" / (cached_name(file) + ".part")
    assert part.stat().st_size == place
    desk.reports.clear()
    assert is_right(desk.fetch(file))
    assert all(report.done >= place for report in desk.reports)


def test_breaks_at_random_bytes(desk: Desk, file: File) -> None:
    chance = random.Random(SEED)  # noqa: S311
    for _ in range(5):
        for left in (desk.home / "cache").glob("*"):
            left.unlink()
        places = sorted(chance.randrange(SIZE) for _ in range(12))
        desk.sandbox.shelf.breaks = deque(places)
        assert is_right(desk.fetch(file)), places


# --- what the server does wrong ------------------------------------------------------------------

REFUSED = {
    Fault.FILE_MISSING: "component.file.missing",
    Fault.FILE_SHORT: "component.file.size",
    Fault.FILE_LONG: "component.file.size",
    Fault.FILE_ENDLESS: "component.file.size",
    Fault.FILE_OTHER: "component.file.hash",
    Fault.FILE_SAME_ETAG: "component.file.hash",
    Fault.FILE_CUT: "net.lost",
}
OVERCOME = {
    Fault.FILE_SLOW,
    Fault.FILE_BREAK,
    Fault.FILE_REPLACED,
    Fault.FILE_NO_RANGE,
    Fault.FILE_WRONG_RANGE,
}


def test_every_fault_of_a_file_is_expected() -> None:
    assert {*REFUSED, *OVERCOME} == {fault for fault in Fault if fault.startswith("file-")}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_wrong_file_never_gets_the_name(desk: Desk, file: File, fault: Fault) -> None:
    desk.sandbox.faults.add(fault)
    with pytest.raises(ClientError) as caught:
        desk.fetch(file)
    assert caught.value.code == REFUSED[fault]
    assert desk.cached() == []
    desk.sandbox.faults.clear()
    assert is_right(desk.fetch(file))


@pytest.mark.parametrize("fault", sorted(OVERCOME))
def test_what_a_download_gets_over(desk: Desk, file: File, fault: Fault) -> None:
    desk.sandbox.faults.add(fault)
    assert is_right(desk.fetch(file))


def test_two_versions_never_mix(desk: Desk, file: File) -> None:
    """The file is replaced while a part of the old one lies here: If-Range gets all of the new."""
    desk.sandbox.shelf.breaks.extend([SIZE // 2] * (len(QUICK) + 1))
    with pytest.raises(ClientError):
        desk.fetch(file)
    newer = CONTENT[::-1]
    desk.sandbox.shelf.put(entry("lib.so"), newer)
    replacing = desk.file()
    assert desk.fetch(replacing).read_bytes() == newer
    with pytest.raises(FileContentWrong):  # the old list's file is no more; its part is thrown away
        desk.fetch(file)
    assert desk.cached() == [cached_name(replacing)]


def test_a_part_of_unknown_origin_is_not_gone_on_with(desk: Desk, file: File) -> None:
    cache = desk.home / "cache"
    cache.mkdir(parents=True)
    (cache / (cached_name(file) + ".part")).write_bytes(CONTENT[: SIZE // 2])
    assert is_right(desk.fetch(file))


def test_a_spoilt_part_is_thrown_away_once(desk: Desk, file: File) -> None:
    """Bytes that a power cut turned to zeros: the hash finds it, the whole file is fetched."""
    desk.sandbox.shelf.breaks.extend([SIZE // 2] * (len(QUICK) + 1))
    with pytest.raises(ClientError):
        desk.fetch(file)
    part = desk.home / "cache" / (cached_name(file) + ".part")
    part.write_bytes(bytes(part.stat().st_size))
    assert is_right(desk.fetch(file))


def test_a_spoilt_file_in_the_cache_is_fetched_anew(desk: Desk, file: File) -> None:
    path = desk.fetch(file)
    path.write_bytes(CONTENT[:-1] + b"?")
    assert is_right(desk.fetch(file))


# --- the person, the disk, the power -------------------------------------------------------------


def test_cancelled_at_once_and_gone_on_with(desk: Desk, file: File) -> None:
    desk.sandbox.faults.add(Fault.FILE_SLOW)
    supply = desk.supply()

    def report(progress: Progress) -> None:
        if progress.done:
            desk.stop.set()
            supply.cancel()

    with pytest.raises(ClientCancelled):
        supply.fetch(file, report, desk.stop)
    assert desk.cached() == []
    desk.sandbox.faults.clear()
    desk.stop.clear()
    assert is_right(desk.fetch(file))
    assert desk.reports[0].done > 0


def _fetch_elsewhere(
    url: str, ca_file: Path, keys: list[str], home: Path, limit: int | None = None
) -> None:
    """In a process of its own: the last component of the list, into `home`; the error's code."""
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    supply = Supply(
        ServiceSource(url, ca_file),
        keys=keys,
        service=url,
        cache=home / "cache",
        state=home / "state",
        pauses=QUICK,
    )
    stop = threading.Event()
    file = supply.manifest(stop).components[-1].file
    assert file is not None
    try:
        supply.fetch(file, lambda _: None, stop)
    except ClientError as error:
        sys.exit(error.code)


def elsewhere(desk: Desk, limit: int | None = None) -> multiprocessing.process.BaseProcess:
    sandbox = desk.sandbox
    process = multiprocessing.get_context("spawn").Process(
        target=_fetch_elsewhere,
        args=(sandbox.url, sandbox.ca_file, [sandbox.shelf.public_key], desk.home, limit),
    )
    process.start()
    return process


def test_killed_again_and_again(desk: Desk, file: File) -> None:
    """SIGKILL at four places; each run goes on where the one before was killed."""
    part = desk.home / "cache" / (cached_name(file) + ".part")
    desk.sandbox.faults.add(Fault.FILE_SLOW)
    before = 0
    for _ in range(4):
        process = elsewhere(desk)
        end = time.monotonic() + PATIENCE
        while not (part.exists() and part.stat().st_size > before + 100_000):
            assert time.monotonic() < end
            assert process.is_alive()
            time.sleep(0.005)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(PATIENCE)
        assert desk.cached() == []
        assert part.stat().st_size > before
        before = part.stat().st_size
    desk.sandbox.faults.clear()
    assert is_right(desk.fetch(file))
    assert all(report.done >= before for report in desk.reports)


def test_a_full_disk_by_the_process_limit(desk: Desk, file: File) -> None:
    """RLIMIT_FSIZE: the write itself fails, in the middle of the file."""
    process = elsewhere(desk, limit=SIZE // 2)
    process.join(PATIENCE)
    assert process.exitcode == 1  # sys.exit with a text
    assert desk.cached() == []
    part = desk.home / "cache" / (cached_name(file) + ".part")
    assert part.stat().st_size == SIZE // 2
    assert is_right(desk.fetch(file))


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes; skips where this run may not mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount; the limit of the process is tested above")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(desk: Desk, file: File) -> None:
    """Seen before the first byte; met in the middle where another program takes the space."""
    with small_disk(desk.home / "small", SIZE + 256 * 1024) as disk:
        desk.home = disk
        filler = disk / "filler"
        filler.write_bytes(bytes(512 * 1024))
        with pytest.raises(DiskFull) as caught:
            desk.fetch(file)
        assert caught.value.needed == SIZE
        assert caught.value.free is not None
        assert caught.value.free < SIZE
        filler.unlink()
        desk.sandbox.faults.add(Fault.FILE_SLOW)

        def another_program(progress: Progress) -> None:
            if progress.done and not filler.exists():
                filler.write_bytes(bytes(512 * 1024))

        with pytest.raises(DiskFull) as caught:
            desk.supply().fetch(file, another_program, desk.stop)
        assert caught.value.free is None
        assert desk.cached() == []
        filler.unlink()
        desk.sandbox.faults.clear()
        assert is_right(desk.fetch(file))
        desk.home = disk.parent


def test_a_folder_that_cannot_be_written(desk: Desk, file: File) -> None:
    (desk.home / "cache").write_text("not a folder")
    with pytest.raises(ClientError) as caught:
        desk.fetch(file)
    assert caught.value.code == "component.disk.write"


# --- several runs --------------------------------------------------------------------------------


def test_concurrent_runs_share_one_download(desk: Desk, file: File) -> None:
    """Three processes and this one: all end with the file, which was sent once."""
    desk.sandbox.faults.add(Fault.FILE_SLOW)
    opened = desk.sandbox.shelf.opened(file.name)
    others = [elsewhere(desk) for _ in range(3)]
    assert is_right(desk.fetch(file))
    for process in others:
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert desk.sandbox.shelf.opened(file.name) == opened + 1
    assert desk.cached() == [cached_name(file)]


def test_a_run_that_waits_for_another_can_be_cancelled(desk: Desk, file: File) -> None:
    desk.sandbox.faults.add(Fault.FILE_SLOW)
    desk.sandbox.shelf.slow_seconds = 1.0
    other = elsewhere(desk)
    lock = desk.home / "cache" / (cached_name(file) + ".part")
    end = time.monotonic() + PATIENCE
    while not lock.exists():
        assert time.monotonic() < end
        time.sleep(0.005)
    threading.Timer(0.1, desk.stop.set).start()
    with pytest.raises(ClientCancelled):
        desk.fetch(file)
    other.kill()
    other.join(PATIENCE)


# --- proxies and progress ------------------------------------------------------------------------


class ConnectProxy:
    """An HTTP proxy that knows CONNECT and leads every host to one port of this computer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += near.recv(4096)
        self.asked.append(request.split()[1].decode())
        far = socket.create_connection(("127.0.0.1", self._port))
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=_pour, args=(near, far), daemon=True).start()
        _pour(far, near)

    def close(self) -> None:
        self._listener.close()


def _pour(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of the environment, which alone knows the way to the host."""
    host = "components.example.invalid"
    data = tmp_path / "sandbox"
    data.mkdir()
    (data / "tls.pem").write_bytes(make_identity((host, "localhost"))[0])
    with Sandbox(data) as sandbox:
        proxy = ConnectProxy(int(sandbox.url.rpartition(":")[2]))
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        supply = Supply(
            ServiceSource(f"https://{host}", sandbox.ca_file),
            keys=[sandbox.shelf.public_key],
            service=sandbox.url,
            cache=tmp_path / "cache",
            state=tmp_path / "state",
        )
        stop = threading.Event()
        try:
            file = supply.manifest(stop).components[0].file
            assert file is not None
            path = supply.fetch(file, lambda _: None, stop)
        finally:
            proxy.close()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
        assert proxy.asked == [f"{host}:443"] * 3  # list, signature, file


def test_a_proxy_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ClientError) as caught:
        ServiceSource("https://components.example.invalid").read("manifest.json", 1000)
    assert caught.value.code == "net.proxy"


def test_at_most_two_reports_a_second_with_speed_and_time_left() -> None:
    now = [100.0]
    reports: list[Progress] = []
    meter = Meter(1000, reports.append, lambda: now[0])
    for done in range(0, 1001, 10):
        meter(done)
        now[0] += 0.1
    assert len(reports) <= 101 * 0.1 / EVERY + 1
    assert reports[0] == Progress(0, 1000, 0.0, None)
    assert reports[-1].speed == pytest.approx(100.0)
    assert reports[-1].left == pytest.approx((1000 - reports[-1].done) / 100.0)


def test_the_size_is_known_before_a_byte_is_written(desk: Desk, file: File) -> None:
    wrong = File(file.name, file.address, SIZE + 1, file.sha256)
    with pytest.raises(FileSizeWrong) as caught:
        desk.fetch(wrong)
    assert caught.value.facts() == {"file": "lib.so", "size": SIZE + 1, "offered": SIZE}
