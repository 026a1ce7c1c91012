"""The real `flask` as an operator types it: a process of its own, its two outputs apart."""

import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
READ_BEFORE = ("PYTHON", "LC_", "PROMETHEUS_")
"""Names in the environment that count while the libraries are loaded: with these the command is started from nothing."""


def flask(url: str, *words: str | bytes, typed: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run it on the database at `url`, with nothing else of this process's settings."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "1024", "SLOW_QUERY_MS": "600000"}
    given = keep | cheap | {"CODYVERSE_ENV": "testing", "DATABASE_URL": url} | env
    if "LANG" in env or any(name.startswith(READ_BEFORE) for name in env):
        command = [sys.executable, "-m", "flask", *words]
        return subprocess.run(
            command, cwd=ROOT, env=given, input=typed, capture_output=True, text=True, check=False
        )
    return _split_off([os.fsdecode(word) for word in words], given, typed)


def _split_off(words: list[str], environment: dict[str, str], typed: str) -> subprocess.CompletedProcess[str]:
    """The same in a process that has the libraries already (`forks.py`)."""
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as complained,
        socket.socket(socket.AF_UNIX) as line,
    ):
        given.write(typed.encode())
        given.seek(0)
        line.connect(_door()[1])
        told = json.dumps({"words": words, "environment": environment}).encode()
        socket.send_fds(line, [told], [file.fileno() for file in (given, said, complained)])
        status = int(line.recv(16))
        said.seek(0)
        complained.seek(0)
        return subprocess.CompletedProcess(
            ["flask", *words], status, said.read().decode(), complained.read().decode()
        )


@functools.cache
def _door() -> tuple[subprocess.Popen[bytes], str]:
    """Where `forks.py` listens, one for each process that tests; it ends when its standard input does."""
    folder = Path(tempfile.mkdtemp(prefix="cv-flask-"))
    path = folder / "door"
    command = [sys.executable, str(Path(__file__).with_name("forks.py")), str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert eventually(lambda: path.exists() or process.poll() is not None)
    assert process.poll() is None
    return process, str(path)
