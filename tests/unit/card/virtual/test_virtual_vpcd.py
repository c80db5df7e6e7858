"""The vpcd client against a socket that plays vpcd byte by byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from card.errors import VpcdUnreachable
from card.virtual import vpcd
from card.virtual.authority import Authority
from card.virtual.card import VirtualCard
from card.virtual.profile import Profile

SECONDS = 20
VERIFY = bytes.fromhex("0020008108") + b"Test-124"
TRIES = bytes.fromhex("00200081")


class Vpcd:
    """vpcd's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        self.connection = connection

    def send(self, message: bytes) -> None:
        self.connection.sendall(len(message).to_bytes(2, "big") + message)

    def receive(self) -> bytes | None:
        """One message; None when the card has hung up."""
        size = self._exactly(2)
        return None if size is None else self._exactly(int.from_bytes(size, "big"))

    def _exactly(self, size: int) -> bytes | None:
        received = b""
        while len(received) < size:
            part = self.connection.recv(size - len(received))
            if not part:
                return None
            received += part
        return received

    def ask(self, message: bytes) -> bytes | None:
        self.send(message)
        return self.receive()


@contextmanager
def reader_of(insert: Callable[[str, int], None]) -> Iterator[Vpcd]:
    """A reader into which `insert` puts a card; after the block it must have left."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        host, port = server.getsockname()
        thread = threading.Thread(target=insert, args=(host, port))
        thread.start()
        connection, _ = server.accept()
        with connection:
            yield Vpcd(connection)
        thread.join(SECONDS)
        assert not thread.is_alive()


def serving(card: VirtualCard, stop: threading.Event | None = None) -> AbstractContextManager[Vpcd]:
    return reader_of(lambda host, port: vpcd.serve(card, host, port, stop))


@pytest.fixture
def card() -> VirtualCard:
    return VirtualCard(Profile.parse('[key]\ntype = "EC"'))


def test_atr_commands_and_power(card: VirtualCard) -> None:
    with serving(card) as reader:
        assert reader.ask(vpcd.ATR) == card.atr
        assert reader.ask(VERIFY) == b"\x63\xc2"
        assert reader.ask(bytes.fromhex("00A4000C025015")) == b"\x90\x00"
        assert reader.ask(bytes.fromhex("00A4000C025032")) == b"\x90\x00"
        for control in (vpcd.POWER_OFF, vpcd.POWER_ON, vpcd.RESET):
            reader.send(control)
            assert reader.ask(bytes.fromhex("00A4000C025032")) == b"\x6a\x82"
            assert reader.ask(bytes.fromhex("00A4000C025015")) == b"\x90\x00"
        assert reader.ask(TRIES) == b"\x63\xc2"  # a power cycle gives no try back


def test_messages_in_pieces_and_together(card: VirtualCard) -> None:
    with serving(card) as reader:
        framed = len(TRIES).to_bytes(2, "big") + TRIES
        for byte in framed:
            reader.connection.sendall(bytes((byte,)))
        assert reader.receive() == b"\x63\xc3"
        reader.connection.sendall(framed * 3)
        assert [reader.receive() for _ in range(3)] == [b"\x63\xc3"] * 3


def test_a_long_answer(card: VirtualCard) -> None:
    with serving(card) as reader:
        answer = reader.ask(bytes.fromhex("0084000000FF00"))
        assert answer is not None
        assert len(answer) == 0xFF00 + 2


@pytest.mark.parametrize("cut", [b"", b"\x00", b"\x00\x04", b"\x00\x04\x00\x20"])
def test_vpcd_closes_in_the_middle(card: VirtualCard, cut: bytes) -> None:
    with serving(card) as reader:
        reader.connection.sendall(cut)
    assert card.transmitted == 0


def test_stop(card: VirtualCard) -> None:
    stop = threading.Event()
    with serving(card, stop) as reader:
        assert reader.ask(vpcd.ATR) == card.atr
        stop.set()
        assert reader.receive() is None


@pytest.mark.parametrize("answer", ["mute", "remove"])
def test_a_card_that_is_gone_hangs_up(answer: str) -> None:
    toml = f'kind = "foreign"\n[[fault]]\nat = "#2"\nanswer = "{answer}"'
    with serving(VirtualCard(Profile.parse(toml))) as reader:
        assert reader.ask(TRIES) == b"\x6a\x88"
        assert reader.ask(TRIES) is None


def test_an_empty_answer_is_sent_as_one() -> None:
    toml = 'kind = "foreign"\n[[fault]]\nat = "#1"\nanswer = "empty"'
    with serving(VirtualCard(Profile.parse(toml))) as reader:
        assert reader.ask(TRIES) == b""
        assert reader.ask(TRIES) == b"\x6a\x88"


def test_nobody_listens(card: VirtualCard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
    with pytest.raises(VpcdUnreachable) as caught:
        vpcd.serve(card, host, port)
    assert caught.value.facts() == {"host": host, "port": port}


def test_run_uses_the_ca_in_the_directory(tmp_path: Path) -> None:
    profile = Profile.parse('[key]\ntype = "EC"')
    with reader_of(lambda host, port: vpcd.run(host, port, profile, tmp_path)) as reader:
        assert reader.ask(bytes.fromhex("00A4080C0450154332")) == b"\x90\x00"
        answer = reader.ask(bytes.fromhex("00B00000000000"))
    assert answer == Authority.load_or_create(tmp_path).issuing_der + b"\x90\x00"
