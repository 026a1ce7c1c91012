"""pg_dump and pg_restore: where they are, how they reach the database, what they say when they fail."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2.extensions import make_dsn

from codyverse.backups.container import FRAME, Unusable
from codyverse.core.embedded import for_process, programs
from codyverse.core.libpq import words_of

NEVER_SHOWN = ("password", "sslpassword")
"""What must not stand on a command line, where others on the machine could read it."""
PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class Target:
    """A database as PostgreSQL's programs are told it: libpq's own words, and the environment that brings the password."""

    words: str
    environment: dict[str, str]


def target(url: str) -> Target:
    """The same database that the site reaches at this address, whatever stands in it: the driver's reading of it is used.

    What libpq reads from the environment (PGUSER, PGPASSFILE, PGSERVICE, PGSSLROOTCERT, …) counts for the programs as it
    does for the site. Raises Unusable for what can be told only in the open.
    """
    told = words_of(url)
    if told.get("sslpassword"):
        raise Unusable(
            "pg_dump cannot be told the sslpassword of DATABASE_URL without showing it to others on this machine: use a key "
            "file without a password, which only you can read."
        )
    password = told.get("password")
    open_ones = {name: value for name, value in told.items() if name not in NEVER_SHOWN}
    words = make_dsn(**open_ones) if open_ones else "application_name=codyverse"
    return Target(words, {**os.environ, **({"PGPASSWORD": str(password)} if password else {})})


def direct_url(settings: Any) -> str:
    """PostgreSQL itself: a pooler would not keep the snapshot of a dump."""
    return str(settings.stream_database_url or settings.database_url or for_process(settings.data_dir).url)


def dump(url: str, snapshot: str) -> Iterator[bytes]:
    """Everything that the database held at a snapshot, in pg_dump's own format. Raises Unusable when it fails."""
    to, words = target(url), ["--format=custom", "--no-owner", "--no-privileges", "--no-comments"]
    command = [_program("pg_dump"), *words, f"--snapshot={snapshot}", "--dbname", to.words]
    with _running(command, to.environment, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while part := process.stdout.read(FRAME):
            yield part
        _ended(process, "pg_dump")


def prove_dumps(url: str) -> str:
    """Prove that pg_dump gets in, is new enough and may read every table, by a dump without rows; its version.

    Raises Unusable.
    """
    to, found = target(url), programs.find()
    command = [found.path("pg_dump"), "--schema-only", "--lock-wait-timeout=3s", "--dbname", to.words]
    try:
        done = subprocess.run(
            command,
            env=to.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise Unusable(f"pg_dump failed: it did not end within {PATIENCE_S} seconds") from fault
    if done.returncode:
        raise Unusable(_told("pg_dump", done.stderr))
    return found.version


def readable(parts: Iterable[bytes]) -> None:
    """Prove that pg_restore can read a dump to its end. Raises Unusable."""
    _restore(["--file", os.devnull], dict(os.environ), parts)


def restore(url: str, dump_file: Path) -> None:
    """Put a dump into a database, all of it or nothing. Raises Unusable."""
    to = target(url)
    words = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"]
    _restore([*words, "--dbname", to.words, str(dump_file)], to.environment, ())


def _restore(words: list[str], env: dict[str, str], parts: Iterable[bytes]) -> None:
    command = [_program("pg_restore"), *words]
    with _running(command, env, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            for part in parts:
                process.stdin.write(part)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it says why, and ends with a status
        _ended(process, "pg_restore")


def _program(name: str) -> str:
    return programs.find().path(name)


@contextmanager
def _running(command: list[str], env: dict[str, str], *, stdin: int) -> Iterator[subprocess.Popen[bytes]]:
    """The program; killed if its caller gives up."""
    pipe = subprocess.PIPE
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
    said = process.stderr.read()
    if process.wait() != 0:
        raise Unusable(_told(name, said))


def _told(name: str, said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return f"{name} failed: {lines[0] if lines else 'it did not say why'}"
