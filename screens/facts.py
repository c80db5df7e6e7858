"""Names and values, one pair a line, aligned by display width (a Chinese character counts 2)."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def rows(*pairs: tuple[str, str]) -> str:
    """`name  value` lines with the values below each other."""
    width = max(cell_len(name) for name, _ in pairs) + 2
    return "\n".join(set_cell_size(name, width) + value for name, value in pairs)
