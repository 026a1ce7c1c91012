"""Connections that are kept beside the pool: whose they are, when several threads begin at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import create_engine

from codyverse.core import holding


def test_threads_that_are_the_first_at_once_share_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a connection is given back to another holder than the one that counts it."""
    met = Barrier(2)

    class Slow(holding.Holder):
        def __init__(self, *given: Any, **more: Any) -> None:
            with suppress(BrokenBarrierError):
                met.wait(0.5)  # for a second one that is being made too
            super().__init__(*given, **more)

    monkeypatch.setattr(holding, "Holder", Slow)
    engine = create_engine("postgresql+psycopg2://nobody@nowhere/none")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(holding.kept_of, [engine] * 2)
    assert first is second
