"""Loading a library without another one that it knows what to do without."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(package: str) -> Iterator[None]:
    """In the block `package` counts as not installed, unless somebody has loaded it already.

    For a library that loads it at once only to offer what is not used here. To be used while modules are loaded, which one
    thread does.
    """
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment] # Python's own word for: not to be found
    try:
        yield
    finally:
        del sys.modules[package]
