"""Counting requests in memory, for a process that has no Valkey, or has lost it."""

import threading
import time

from limits.storage import MemoryStorage


class PatientMemory(MemoryStorage):
    """The library's memory, which looks for what is over now and then instead of all the time.

    The library starts a thread for it at nearly every request, a hundred a second, and each goes through every key that
    was ever counted; and two requests that start it at the same moment fail. Here one request in `EVERY_S` does it, and
    what is over is forgotten whole. What somebody may still ask is reckoned from the times of their requests, not from this.
    """

    STORAGE_SCHEME = ["memory"]  # noqa: RUF012 - as the library declares it
    EVERY_S = 30.0

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **more: str) -> None:
        self._sweeping = threading.Lock()
        self._next_sweep = time.monotonic() + self.EVERY_S
        super().__init__(uri, wrap_exceptions, **more)

    def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802 - the library's private method, replaced
        if time.monotonic() >= self._next_sweep and self._sweeping.acquire(blocking=False):
            try:
                self._next_sweep = time.monotonic() + self.EVERY_S
                self.sweep()
            finally:
                self._sweeping.release()

    def sweep(self) -> None:
        """Forget what is over. Again is harmless."""
        at = time.time()
        for key in list(self.events):
            with self.locks[key]:
                kept = [each for each in self.events.get(key, ()) if each.expiry > at]
                if kept:
                    self.events[key] = kept
                else:
                    self.events.pop(key, None)
                    self.locks.pop(key, None)
        for key, until in list(self.expirations.items()):
            if until <= at:
                self.storage.pop(key, None)
                self.expirations.pop(key, None)
                self.locks.pop(key, None)
