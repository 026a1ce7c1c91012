"""A server that takes what is sent and answers nothing, as one does whose disk stands still."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


def freeze(pid: int) -> None:
    """The process and those it has started do nothing from now on. It comes first, so that it starts no more of them."""
    for each in _all_of(pid):
        each.suspend()


def thaw(pid: int) -> None:
    """They go on where they were, with all that was sent meanwhile. Again is harmless, also when it has ended since."""
    with suppress(psutil.NoSuchProcess):
        for each in _all_of(pid):
            with suppress(psutil.NoSuchProcess):
                each.resume()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """It does nothing within the block."""
    freeze(pid)
    try:
        yield
    finally:
        thaw(pid)


def _all_of(pid: int) -> list[psutil.Process]:
    first = psutil.Process(pid)
    return [first, *first.children()]
