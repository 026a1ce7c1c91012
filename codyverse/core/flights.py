"""Equal work that is wanted by several threads at once is done by one of them; the others wait for what it finds."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")
PATIENCE_SECONDS = 5.0
"""So long somebody waits for another; then they do the work themselves."""


class _Flight:
    def __init__(self) -> None:
        self.landed = threading.Event()
        self.found: tuple[Any, ...] = ()


class Flights:
    """What is being worked out in this process."""

    def __init__(self) -> None:
        self._flying: dict[Hashable, _Flight] = {}
        self._lock = threading.Lock()

    def once(self, key: Hashable, work: Callable[[], Value]) -> Value:
        """What `work` returns, done by one of all who ask for `key` meanwhile. If that one fails, each does it alone."""
        with self._lock:
            flight = self._flying.get(key)
            first = flight is None
            if flight is None:
                flight = self._flying[key] = _Flight()
        if not first:
            flight.landed.wait(PATIENCE_SECONDS)
            return flight.found[0] if flight.found else work()
        try:
            found = work()
            flight.found = (found,)
            return found
        finally:
            with self._lock:
                self._flying.pop(key, None)
            flight.landed.set()
