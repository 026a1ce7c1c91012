"""pg_dump and pg_restore: where they are, how they reach the database, what they say when they fail."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from codyverse.backups.container import FRAME, Unusable
from codyverse.core.embedded import programs

_WORDS = {"sslmode": "PGSSLMODE", "host": "PGHOST", "port": "PGPORT"}


def environment(url: str) -> dict[str, str]:
    """The database as PostgreSQL's programs are told it: not on the command line, where others could read the password."""
    told: URL = make_url(url)
    given: dict[str, object] = {"PGHOST": told.host, "PGPORT": told.port, "PGUSER": told.username}
    given |= {"PGDATABASE": told.database, "PGPASSWORD": told.password}
    given |= {_WORDS[name]: value for name, value in told.query.items() if name in _WORDS}
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return keep | {name: str(value) for name, value in given.items() if value is not None}


def dump(url: str, snapshot: str) -> Iterator[bytes]:
    """Everything that the database held at a snapshot, in pg_dump's own format. Raises Unusable when it fails."""
    words = ["--format=custom", "--no-owner", "--no-privileges", "--no-comments"]
    command = [programs.find().path("pg_dump"), *words, f"--snapshot={snapshot}"]
    with _running(command, url, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while part := process.stdout.read(FRAME):
            yield part
        _ended(process, "pg_dump")


def readable(parts: Iterable[bytes]) -> None:
    """Prove that pg_restore can read a dump to its end. Raises Unusable."""
    _restore(["--file", os.devnull], "postgresql://nowhere", parts)


def restore(url: str, dump_file: Path) -> None:
    """Put a dump into a database, all of it or nothing. Raises Unusable."""
    words = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"]
    database = make_url(url).database or ""
    _restore([*words, "--dbname", database, str(dump_file)], url, ())


def _restore(words: list[str], url: str, parts: Iterable[bytes]) -> None:
    command = [programs.find().path("pg_restore"), *words]
    with _running(command, url, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            for part in parts:
                process.stdin.write(part)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it says why, and ends with a status
        _ended(process, "pg_restore")


@contextmanager
def _running(command: list[str], url: str, *, stdin: int) -> Iterator[subprocess.Popen[bytes]]:
    """The program; killed if its caller gives up."""
    pipe, env = subprocess.PIPE, environment(url)
    with subprocess.Popen(command, env=env, stdin=stdin, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _ended(process: subprocess.Popen[bytes], name: str) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read()
    said = process.stderr.read().decode(errors="replace").strip()
    if process.wait() != 0:
        raise Unusable(f"{name} failed: {said.splitlines()[0] if said else 'it did not say why'}")
