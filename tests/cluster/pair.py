"""A real primary with a real streaming replica and a Valkey, and the application that uses all three."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from flask import Flask
from flask_migrate import upgrade

from codyverse import create_app
from codyverse.core.database import db
from codyverse.core.embedded.cluster import prepare
from codyverse.core.embedded.lease import Lease
from codyverse.core.embedded.pidfile import PidFile
from codyverse.core.embedded.replica import replica_of, superuser_url
from codyverse.core.embedded.valkey import EmbeddedValkey
from codyverse.core.replicas import Replicas, replicas
from tests.conftest import FreshClient, settings_for
from tests.places import quick_folder
from tests.waiting import eventually

MOST_LAG = 2


def ask(lease: Lease, query: str) -> list[tuple]:
    """One statement as the superuser, in a transaction of its own."""
    connection = psycopg2.connect(superuser_url(lease).replace("+psycopg2", "", 1))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


@dataclass
class Pair:
    """The two databases, the Valkey, and an application that reads from the replica."""

    primary: Lease
    replica: Lease
    valkey: EmbeddedValkey
    app: Flask

    @property
    def replicas(self) -> Replicas:
        found = replicas(self.app)
        assert found is not None
        return found

    def is_in(self, person: int = 0) -> bool:
        """Whether somebody who wrote nothing would read from the replica now."""
        with self.app.app_context():
            return self.replicas.choose(person) is not None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The replica gets everything and shows nothing of it."""
        ask(self.replica, "select pg_wal_replay_pause()")
        assert eventually(
            lambda: ask(self.replica, "select pg_get_wal_replay_pause_state()") == [("paused",)]
        )
        try:
            yield
        finally:
            ask(self.replica, "select pg_wal_replay_resume()")

    def kill_replica(self) -> None:
        """kill -9; its keeper starts it again."""
        state = PidFile.read(self.replica.folder / "data")
        assert state is not None
        os.kill(state.pid, signal.SIGKILL)


@contextmanager
def a_pair() -> Iterator[Pair]:
    folder = quick_folder("cv-pair-")
    (folder / "postgres").mkdir(mode=0o711)
    prepare(
        folder / "postgres", throwaway=True
    )  # from the template: what follows is a lasting database on it
    valkey = EmbeddedValkey(folder / "run").start()
    try:
        with Lease(folder / "postgres").take() as primary, replica_of(primary, folder / "replica") as replica:
            app = create_app(
                settings_for(
                    primary.url,
                    REPLICA_URLS=replica.url,
                    REDIS_URL=valkey.url,
                    REPLICA_MAX_LAG_S=str(MOST_LAG),
                    RATELIMIT_STORAGE_URI="memory://",
                )
            )
            app.test_client_class = FreshClient
            with app.app_context():
                upgrade()
                db.session.remove()
            made = Pair(primary, replica, valkey, app)
            yield made
            made.replicas.close()
            with app.app_context():
                db.engine.dispose()
    finally:
        valkey.stop()
        shutil.rmtree(folder, ignore_errors=True)
