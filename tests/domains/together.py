"""Many at once: the same act from several threads, each with its own connection, all let go at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from flask import Flask

from codyverse.core.database import db


def together(app: Flask, acts: list[Callable[[], Any]]) -> list[Any]:
    """Run all acts at once; what each returned, or the exception that it raised."""
    gate = Barrier(len(acts))

    def one(act: Callable[[], Any]) -> Any:
        with app.app_context():
            try:
                db.session.connection()
                gate.wait(30)
                return act()
            except Exception as fault:  # noqa: BLE001 - the test looks at it
                return fault
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))
