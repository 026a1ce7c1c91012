"""Waiting for what comes about on its own; the bound is only for what never does."""

import time
from collections.abc import Callable

PATIENCE_S = 60.0


def eventually(fact: Callable[[], object], seconds: float = PATIENCE_S) -> bool:
    """Whether `fact` becomes true in time."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
