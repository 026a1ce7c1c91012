"""The only place that reads the time."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_moved: ContextVar[datetime | None] = ContextVar("moved", default=None)


def now() -> datetime:
    """The current moment, aware, in UTC. Tests move it with time-machine."""
    return _moved.get() or datetime.now(UTC)


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """Let everything in this block happen at `moment` (aware). Only for making demo histories."""
    token = _moved.set(moment)
    try:
        yield
    finally:
        _moved.reset(token)
