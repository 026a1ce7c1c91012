"""Figures over time in PostgreSQL, summed over all processes: by minute for two days, by hour for two months, by day for years.

Each process adds what it has counted to all three at once, in one statement, so that nothing has to be summed up later
and every step is right at any moment. What cannot be added twice without harm is a flush whose commit succeeded and
whose answer was lost: it is sent again, and counts twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import BigInteger, Float, PrimaryKeyConstraint, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.clock import now
from codyverse.core.database import Base, session
from codyverse.core.recorder import Figure, Key

Step = Literal["minute", "hour", "day"]
MINUTES: dict[Step, int] = {"minute": 1, "hour": 60, "day": 1440}
KEEP: dict[Step, timedelta] = {
    "minute": timedelta(days=2),
    "hour": timedelta(days=62),
    "day": timedelta(days=800),
}
BATCH = 20_000


class SeriesPoint(Base):
    """One figure of one span of `step` minutes that begins at `at` (UTC). See `recorder.Figure`."""

    __tablename__ = "series_points"
    __table_args__ = (PrimaryKeyConstraint("step", "at", "name", "label", "outcome"),)

    step: Mapped[int] = mapped_column(SmallInteger)
    at: Mapped[datetime]
    name: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    number: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[float] = mapped_column(Float(53))
    peak: Mapped[float] = mapped_column(Float(53))
    cells: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))


@dataclass(frozen=True, slots=True)
class Point:
    """What was counted under a name in one span."""

    at: datetime
    name: str
    label: str
    outcome: str
    figure: Figure


_ADD = text("""
    insert into series_points as old (step, at, name, label, outcome, number, total, peak, cells)
    select given.step, given.at, given.name, given.label, given.outcome, given.number, given.total, given.peak,
           cast(given.cells as bigint[])
    from unnest(cast(:step as smallint[]), cast(:at as timestamptz[]), cast(:name as text[]), cast(:label as text[]),
                cast(:outcome as text[]), cast(:number as bigint[]), cast(:total as float8[]),
                cast(:peak as float8[]), cast(:cells as text[]))
        as given (step, at, name, label, outcome, number, total, peak, cells)
    on conflict (step, at, name, label, outcome) do update set
        number = old.number + excluded.number,
        total = old.total + excluded.total,
        peak = greatest(old.peak, excluded.peak),
        cells = case when excluded.cells is null then old.cells when old.cells is null then excluded.cells else (
            select array_agg(coalesce(pair.own, 0) + coalesce(pair.more, 0) order by pair.place)
            from unnest(old.cells, excluded.cells) with ordinality as pair (own, more, place)
        ) end
""")
"""Rows come in the order of their key, so that two processes never wait for each other in a circle."""

_READ = text("""
    select at, name, label, outcome, number, total, peak, cells from series_points
    where step = :step and at >= :since and name = any(cast(:names as text[]))
    order by at
""")

_FORGET = text("""
    delete from series_points where ctid = any(array(
        select ctid from series_points where step = :step and at < :before limit :most
    ))
""")


def write(figures: dict[Key, Figure]) -> None:
    """Add these figures to what there is. One statement; twice counts twice."""
    rows = sorted(_spread(figures).items())
    if not rows:
        return
    columns: dict[str, list[Any]] = {"step": [], "at": [], "name": [], "label": [], "outcome": []}
    for key, _ in rows:
        for column, value in zip(columns, key, strict=True):
            columns[column].append(value)
    figured = {
        "number": [figure.number for _, figure in rows],
        "total": [figure.total for _, figure in rows],
        "peak": [figure.peak for _, figure in rows],
        "cells": [_as_array(figure.cells) for _, figure in rows],
    }
    session.connection().execute(_ADD, columns | figured)


def _spread(figures: dict[Key, Figure]) -> dict[tuple[int, datetime, str, str, str], Figure]:
    """The figures of each minute, and with them those of its hour and its day."""
    found: dict[tuple[int, datetime, str, str, str], Figure] = {}
    for key, figure in figures.items():
        for step in MINUTES.values():
            at = datetime.fromtimestamp(key.minute // step * step * 60, UTC)
            found.setdefault((step, at, key.name, key.label, key.outcome), Figure()).add(figure)
    return found


def _as_array(cells: list[int] | None) -> str | None:
    return None if cells is None else "{" + ",".join(map(str, cells)) + "}"


def read(step: Step, since: datetime, names: Iterable[str]) -> tuple[Point, ...]:
    """What was counted under these names from the span on in which `since` lies, oldest first. One statement."""
    span = MINUTES[step] * 60
    first = datetime.fromtimestamp(int(since.timestamp()) // span * span, UTC)
    values = {"step": MINUTES[step], "since": first, "names": list(names)}
    rows = session.connection().execute(_READ, values)
    return tuple(
        Point(row.at, row.name, row.label, row.outcome, Figure(row.number, row.total, row.peak, row.cells))
        for row in rows
    )


def forget_old() -> int:
    """Delete a batch of what has been kept long enough; how much went. Again until nothing is left."""
    gone = 0
    for step, span in KEEP.items():
        values = {"step": MINUTES[step], "before": now() - span, "most": BATCH}
        gone += session.connection().execute(_FORGET, values).rowcount
    return gone
