"""What the statement that finds out who acts brings along, so that nobody has to ask for it by another one.

Higher domains put it in, in `wiring.py`, with a column of SQL that may name the row of `users`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, literal_column


@dataclass(frozen=True, slots=True)
class Rider:
    """`take` is given what `column` held, each time when somebody was found; `always`, or when it is asked for by name."""

    name: str
    column: str
    take: Callable[[Any], None]
    always: bool = False


_RIDERS: dict[str, Rider] = {}


def ride_along(rider: Rider) -> None:
    """Bring this along from now on. Again is harmless. Before the first request."""
    _RIDERS[rider.name] = rider


def riding(wanted: Iterable[str] = ()) -> tuple[str, ...]:
    """The names of those that always ride and of these, in one order."""
    named = frozenset(wanted)
    return tuple(name for name, rider in _RIDERS.items() if rider.always or name in named)


def columns(names: tuple[str, ...]) -> list[ColumnElement[Any]]:
    """Their columns, to stand last in a statement."""
    return [literal_column(_RIDERS[name].column) for name in names]


def arrive(names: tuple[str, ...], values: Iterable[Any]) -> None:
    """Give each what its column held."""
    for name, value in zip(names, values, strict=True):
        _RIDERS[name].take(value)
