"""A terminal whose size changes faster than the wizard can lay itself out."""

from __future__ import annotations

from pathlib import Path

import pytest
from person import at_the_wizard
from textual import events
from textual.geometry import Size
from textual.screen import Screen

pytestmark = pytest.mark.anyio
LAYOUTS = 20  # of two sizes; without an end there are thousands a second


async def test_two_sizes_on_their_way_at_once_do_not_follow_each_other_for_ever(
    authority_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts: list[Size | None] = []
    lay_out = Screen._refresh_layout

    def count(screen: Screen[object], size: Size | None = None, scroll: bool = False) -> None:
        layouts.append(size)
        assert len(layouts) < LAYOUTS
        lay_out(screen, size, scroll)

    async with at_the_wizard(authority_folder) as person:
        await person.settled()
        monkeypatch.setattr(Screen, "_refresh_layout", count)
        small, present = Size(20, 5), person.app.size
        for event in (events.Resize(small, small), events.Show(), events.Resize(present, present)):
            person.app.screen.post_message(event)
        await person.settled()
        assert person.app.screen.size == present
