"""What a process has seen since it last told the database: numbers, times and samples, by minute, in memory.

`series.py` writes them down. Everything here adds up, so that the figures of several processes do too: counts, sums,
the highest value, and times as how many fell between which bounds.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from codyverse.core.clock import now

BOUNDS = tuple(0.0005 * 2 ** (place / 2) for place in range(34))
"""Seconds, from half a millisecond to 46 s, each √2 of the one before: a percentile is at most so much off. What takes
longer falls into one cell more."""
CELLS = len(BOUNDS) + 1
MOST_KEPT = 50_000
"""Figures that wait while the database is away; beyond this, new ones are dropped rather than the process filled."""


class Key(NamedTuple):
    """What is counted: `name` (requests, jobs, …), `label` (which one) and `outcome`, in the minute of this number."""

    minute: int
    name: str
    label: str
    outcome: str


@dataclass(slots=True)
class Figure:
    """How many, their sum (seconds, bytes, …), the highest, and how many fell into which cell (None: no times)."""

    number: int = 0
    total: float = 0.0
    peak: float = 0.0
    cells: list[int] | None = None

    def add(self, other: "Figure") -> None:
        """Take in what somebody else has counted."""
        self.number += other.number
        self.total += other.total
        self.peak = max(self.peak, other.peak)
        if other.cells is not None:
            mine = self.cells or [0] * CELLS
            self.cells = [own + more for own, more in zip(mine, other.cells, strict=True)]


class Recorder:
    """The figures of one application in one process. All methods are quick, and safe to call from several threads."""

    def __init__(self) -> None:
        self._figures: dict[Key, Figure] = {}
        self._lock = threading.Lock()

    def timed(self, name: str, label: str, outcome: str, seconds: float) -> None:
        """Something was done and took so long."""
        with self._lock:
            figure = self._at(name, label, outcome)
            figure.number += 1
            figure.total += seconds
            figure.peak = max(figure.peak, seconds)
            if figure.cells is None:
                figure.cells = [0] * CELLS
            figure.cells[bisect_left(BOUNDS, seconds)] += 1

    def counted(
        self, name: str, label: str = "", outcome: str = "", number: int = 1, total: float = 0
    ) -> None:
        """So many happened, which sum up to `total`."""
        if number or total:
            with self._lock:
                figure = self._at(name, label, outcome)
                figure.number += number
                figure.total += total

    def sampled(self, name: str, label: str, value: float) -> None:
        """Something stands at this value now."""
        with self._lock:
            figure = self._at(name, label, "")
            figure.number += 1
            figure.total += value
            figure.peak = max(figure.peak, value)

    def _at(self, name: str, label: str, outcome: str) -> Figure:
        key = Key(minute_of(now()), name, label, outcome)
        found = self._figures.get(key)
        if found is None:
            found = Figure()
            if len(self._figures) < MOST_KEPT:
                self._figures[key] = found
        return found

    def take(self) -> dict[Key, Figure]:
        """Everything so far; from here on it is the caller's to keep, or to give back."""
        with self._lock:
            taken, self._figures = self._figures, {}
        return taken

    def give_back(self, figures: dict[Key, Figure]) -> None:
        """What was taken could not be kept: it counts again with the rest."""
        with self._lock:
            for key, figure in figures.items():
                if key in self._figures:
                    self._figures[key].add(figure)
                elif len(self._figures) < MOST_KEPT:
                    self._figures[key] = figure


def minute_of(moment: datetime) -> int:
    """The number of this minute since 1970."""
    return int(moment.timestamp()) // 60


def added(parts: Iterable[Figure]) -> Figure:
    """All of them together."""
    whole = Figure()
    for part in parts:
        whole.add(part)
    return whole


def percentile(cells: Sequence[int] | None, share: float) -> float | None:
    """The seconds within which this share was done, read within its cell as if spread evenly; None of nothing."""
    whole = sum(cells) if cells else 0
    if not cells or not whole:
        return None
    wanted, below = share * whole, 0
    for place, number in enumerate(cells):
        if number and below + number >= wanted:
            low = BOUNDS[place - 1] if place else 0.0
            high = BOUNDS[place] if place < len(BOUNDS) else BOUNDS[-1] * 2
            return low + (high - low) * (wanted - below) / number
        below += number
    return BOUNDS[-1]
