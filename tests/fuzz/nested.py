"""DER as nested lists, so that one object is replaced and the lengths around it still agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from card.virtual import der

OCTET_STRING, CONSTRUCTED = 0x04, 0x20
# A tag and what is in it, objects or bytes; or a whole encoding, right or wrong.
Node: TypeAlias = "tuple[int, bytes | list[Node]] | bytes"


def parsed(data: bytes) -> list[Node] | None:
    """The objects one after the other; None where `data` is anything else.

    An OCTET STRING may hold objects too, as that of an extension does.
    """
    nodes: list[Node] = []
    while data:
        size, start = data[1] if len(data) > 1 else 0xFF, 2
        if size > 0x80:
            start += size - 0x80
            size = int.from_bytes(data[2:start], "big")
        value, tag = data[start : start + size], data[0]
        if tag & 0x1F == 0x1F or len(value) != size:
            return None
        inner = parsed(value) if tag & CONSTRUCTED or (tag == OCTET_STRING and value) else None
        nodes.append((tag, value if inner is None else inner))
        data = data[start + size :]
    return nodes


def encoded(nodes: list[Node]) -> bytes:
    return b"".join(map(_encoded, nodes))


def _encoded(node: Node) -> bytes:
    if isinstance(node, bytes):
        return node
    tag, inner = node
    return der.tlv(tag, inner if isinstance(inner, bytes) else encoded(inner))


def places(nodes: list[Node]) -> Iterator[tuple[list[Node], int]]:
    """Every object, as the list that it is in and its place there."""
    for number, node in enumerate(nodes):
        yield nodes, number
        if not isinstance(node, bytes) and isinstance(node[1], list):
            yield from places(node[1])
