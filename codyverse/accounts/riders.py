"""What the statement that finds out who acts brings along, so that nobody has to ask for it by another one.

Higher domains put it in, in `wiring.py`, with a column of SQL that may name the row of `users`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import TextClause, text


@dataclass(frozen=True, slots=True)
class Rider:
    """`take` is given what `column` held, each time when somebody was found; `always`, or when it is asked for by name.

    Beside the row the column may name what the path of the request brings, such as `:attempt_id`; then those are its `needs`.
    """

    name: str
    column: str
    take: Callable[[Any], None]
    always: bool = False
    needs: tuple[str, ...] = ()


_RIDERS: dict[str, Rider] = {}


def ride_along(rider: Rider) -> None:
    """Bring this along from now on. Again is harmless. Before the first request."""
    _RIDERS[rider.name] = rider


def riding(wanted: Iterable[str] = ()) -> tuple[str, ...]:
    """The names of those that always ride and of these, in one order."""
    named = frozenset(wanted)
    return tuple(name for name, rider in _RIDERS.items() if rider.always or name in named)


@cache
def statement(owner: str, names: tuple[str, ...]) -> TextClause:
    """Who is found by the function `owner`: what is told of them, and what these riders bring. A function, for this is asked
    at every request, and planning it would be most of the work."""
    columns = "".join(f", {_RIDERS[name].column}" for name in names)
    return text(f"select users.told{columns} from {owner} as users")  # noqa: S608 - our own texts


def given(names: tuple[str, ...], path: Mapping[str, Any]) -> dict[str, Any]:
    """What these riders need of what the path brings."""
    return {need: path[need] for name in names for need in _RIDERS[name].needs}


def arrive(names: tuple[str, ...], values: Iterable[Any]) -> None:
    """Give each what its column held."""
    for name, value in zip(names, values, strict=True):
        _RIDERS[name].take(value)
