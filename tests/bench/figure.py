"""One figure beside its reference, and how a set of them is printed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """Samples of one quantity, taken in turn from the program and from a reference.

    `most` is the most that the median may be, in the figure's unit; `most_times` the most that
    it may be as a multiple of the reference's. None where nothing was promised.
    """

    name: str
    unit: str
    reference_name: str
    samples: tuple[float, ...]
    reference_samples: tuple[float, ...]
    most: float | None = None
    most_times: float | None = None

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def reference(self) -> float:
        return median(self.reference_samples)

    @property
    def ratio(self) -> float | None:
        """None where the reference is nothing."""
        return self.median / self.reference if self.reference else None

    @property
    def kept(self) -> bool:
        return (self.most is None or self.median <= self.most) and (
            self.most_times is None or self.median <= self.most_times * self.reference
        )


def _number(value: float) -> str:
    digits = 0 if value == int(value) or value >= 100 else 1 if value >= 10 else 3
    return f"{value:,.{digits}f}"


def _promise(figure: Figure) -> str:
    if figure.most is not None:
        promise = f"at most {_number(figure.most)}"
    elif figure.most_times is not None:
        promise = f"at most {figure.most_times:g} times"
    else:
        return ""
    return promise + (": kept" if figure.kept else ": EXCEEDED")


def as_table(figures: Iterable[Figure]) -> str:
    rows = [("figure", "unit", "median", "reference", "ratio", "promise", "reference is")]
    rows += [
        (
            each.name,
            each.unit,
            _number(each.median),
            _number(each.reference),
            "" if each.ratio is None else f"{each.ratio:.2f}",
            _promise(each),
            each.reference_name,
        )
        for each in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in {2, 3, 4} else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_json(figures: Iterable[Figure]) -> str:
    entries = [
        {
            **asdict(each),
            "median": each.median,
            "reference": each.reference,
            "ratio": each.ratio,
            "kept": each.kept,
        }
        for each in figures
    ]
    return json.dumps(entries, indent=2, ensure_ascii=False)
