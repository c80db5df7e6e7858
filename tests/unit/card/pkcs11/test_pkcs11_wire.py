"""Frames over a real pipe, and what they hold."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.pkcs11 import wire


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


def test_a_frame_longer_than_a_pipe_holds(pipe: tuple[int, int]) -> None:
    payload = os.urandom(300_000)
    thread = threading.Thread(target=wire.send, args=(pipe[1], payload))
    thread.start()
    assert wire.receive(pipe[0]) == payload
    thread.join()


def test_a_pin_is_received_into_a_buffer_that_can_be_wiped(pipe: tuple[int, int]) -> None:
    wire.send(pipe[1], memoryview(bytearray(b"123456")))
    received = wire.receive(pipe[0])
    assert isinstance(received, bytearray)
    assert received == b"123456"


@pytest.mark.parametrize(
    "stream", [b"", b"\0\0", b"\0\0\0\x05abcd", b"\xff\xff\xff\xff" + b"x" * 100]
)
def test_a_stream_that_is_cut_or_claims_too_much(pipe: tuple[int, int], stream: bytes) -> None:
    os.write(pipe[1], stream)
    os.close(pipe[1])
    assert wire.receive(pipe[0]) is None


def test_an_empty_frame_is_a_frame(pipe: tuple[int, int]) -> None:
    wire.send(pipe[1], b"")
    assert wire.receive(pipe[0]) == b""


@pytest.mark.parametrize(
    "reply",
    [
        wire.Loaded((wire.Slot(2**64 - 1, "讀卡機"),)),
        wire.Token("label", "serial", 0x40000, 6, 2**64 - 1, same=False),
        wire.Signed(b"\0\xff"),
        wire.Refused("CKR_PIN_INCORRECT", login=True),
        wire.NotLoaded(missing=True, library="libneeded.so.1"),
    ],
)
def test_a_reply_survives_the_way(reply: wire.Reply) -> None:
    assert wire.decode_reply(wire.encode(reply)) == reply


@given(st.binary(max_size=200))
def test_a_helper_that_talks_nonsense_is_found_out(payload: bytes) -> None:
    try:
        wire.decode_reply(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    pytest.fail("bytes by chance are no reply")
