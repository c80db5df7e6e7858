"""What a run counted: cells of a matrix, executions, hits."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Figures:
    """Counts by subject; `whole` False: a part of each matrix, for everyday runs."""

    whole: bool = field(default_factory=lambda: os.environ.get("PROOF") == "whole")
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, subject: str, **numbers: int) -> None:
        """Add to what was counted of a subject; at the end a number of `misses` is no surprise."""
        self.counts.setdefault(subject, Counter()).update(numbers)

    def lines(self) -> list[str]:
        width = max(map(len, self.counts), default=0)
        return [
            f"{subject:{width}}  " + "  ".join(f"{what}={n:,}" for what, n in numbers.items())
            for subject, numbers in sorted(self.counts.items())
        ]
