"""A process that uses the embedded database, driven line by line; what `people.py` starts.

It loads the embedded database without the rest of Cody Verse, so that ten of them start in a moment.
"""

import contextlib
import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parents[2]


def load_embedded():
    """The package `codyverse.core.embedded` below packages whose __init__ is not run."""
    for name in ("codyverse", "codyverse.core"):
        package = types.ModuleType(name)
        package.__path__ = [str(ROOT.joinpath(*name.split(".")))]
        sys.modules[name] = package
    return importlib.import_module("codyverse.core.embedded")


def query(url: str, sql: str) -> list:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


class User:
    """What a line may ask for: take, release, spawn, sql URL STATEMENT."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.embedded = load_embedded()
        self.kind = kind
        self.folder = folder
        self.held = contextlib.ExitStack()

    def take(self, _rest: str) -> str:
        if self.kind == "throwaway":
            return self.held.enter_context(self.embedded.throwaway())
        if self.kind == "process":
            return self.embedded.for_process(self.folder).url
        return self.held.enter_context(self.embedded.running(self.folder))

    def release(self, _rest: str) -> None:
        self.held.close()

    def spawn(self, _rest: str) -> int:
        return subprocess.Popen(["sleep", "60"]).pid

    def sql(self, rest: str) -> list:
        url, _, statement = rest.partition(" ")
        return query(url, statement)


def main() -> None:
    user = User(sys.argv[1], Path(sys.argv[2]))
    for line in sys.stdin:
        word, _, rest = line.rstrip("\n").partition(" ")
        try:
            said = {"answer": getattr(user, word)(rest)}
        except user.embedded.EmbeddedPostgresError as fault:
            said = {"fault": str(fault)}
        except psycopg2.Error as fault:
            said = {"broken": str(fault)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    user.held.close()


if __name__ == "__main__":
    main()
