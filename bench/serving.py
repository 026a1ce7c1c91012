"""A site to be measured: a database that is thrown away, learners in it, servers on ports of their own, plain HTTP."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from flask import Flask

from bench.clocks import cpu_seconds
from codyverse import create_app
from codyverse.accounts import services as accounts
from codyverse.core.database import db, unit_of_work
from config import load_settings

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "wren-lantern-tide-42"
SETTINGS = {
    "CODYVERSE_ENV": "testing",
    "SECRET_KEY": "a-key-for-benchmarks-and-nothing-else",
    "ARGON2_TIME_COST": "1",
    "ARGON2_MEMORY_KIB": "1024",
    "RATELIMIT_DEFAULT": "100000000 per minute",
    "RATELIMIT_SIGN_IN": "100000 per minute",
    "RATELIMIT_SIGN_IN_ADDRESS": "100000 per minute",
    "LOG_LEVEL": "WARNING",
}
"""Cheap hashing and limits far away: neither is what is measured here."""
_ASGI = ["--interface", "asgi", "--factory", "--loop", "asyncio"]
PAGES = ["--interface", "wsgi", "app:app", "--blocking-threads", "4"]
PAGES_AND_STREAMS = [*_ASGI, "app:site"]
STREAMS = [*_ASGI, "app:stream"]


@dataclass
class Server:
    """A server process on a port of its own."""

    port: int
    process: subprocess.Popen[bytes]

    def _processes(self) -> list[psutil.Process]:
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def cpu(self) -> float:
        """Seconds of CPU that the server and its workers have used."""
        return sum(cpu_seconds(each.pid) for each in self._processes())

    def memory(self) -> float:
        """MB of the largest of its processes."""
        return max(each.memory_info().rss for each in self._processes()) / 1e6


@contextlib.contextmanager
def served(url: str, words: list[str], more: dict[str, str] | None = None) -> Iterator[Server]:
    """granian with these words, on the database at `url`; `more` are settings beside those of all benchmarks."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "granian", *words, "--port", str(port), "--no-ws"]
    command += ["--log-level", "warning", "--backpressure", "8192", "--workers-kill-timeout", "5"]
    own = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    env = own | SETTINGS | {"DATABASE_URL": url} | (more or {})
    said = tempfile.TemporaryFile() if more else None  # noqa: SIM115 - closed with the process
    process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True, stderr=said)
    try:
        for _ in range(2400):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"granian {' '.join(words)} did not start in two minutes")
        yield Server(port, process)
    except RuntimeError:
        if said is not None:
            said.seek(0)
            faults = [line for line in said.read().decode().splitlines() if '"level": "error"' in line]
            print(*faults[-3:], sep="\n", file=sys.stderr)
        raise
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def address(number: int) -> str:
    """The e-mail address of a learner."""
    return f"bench{number}@example.org"


def prepare(url: str, learners: int, more: dict[str, str] | None = None) -> Flask:
    """Tables, the real courses, learners; the application."""
    app = create_app(load_settings(SETTINGS | {"DATABASE_URL": url} | (more or {})))
    runner = app.test_cli_runner()
    for words in (["db", "upgrade"], ["content", "apply"]):
        done = runner.invoke(args=words)
        if done.exit_code:
            raise RuntimeError(f"flask {' '.join(words)}: {done.output}")
    with app.app_context():
        with unit_of_work():
            for number in range(learners):
                accounts.create_account(address(number), PASSWORD, "Bench")
        db.session.remove()
    return app


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(port: int, request: str, line: Line | None = None) -> tuple[int, dict[str, str], bytes, Line]:
    """One request on a connection that is kept; status, headers, body, connection."""
    reader, writer = line or await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for each in head[1:]:
        name, _, value = each.partition(": ")
        headers[name.lower()] = headers.get(name.lower(), "") + value
    body = b""
    if head[0].split()[1] in ("204", "304"):
        pass
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    return int(head[0].split()[1]), headers, body, (reader, writer)


def get(path: str, cookie: str = "") -> str:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"


def post(path: str, cookie: str, fields: dict[str, str]) -> str:
    body = urllib.parse.urlencode(fields)
    kind = "Content-Type: application/x-www-form-urlencoded"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n{kind}\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}"


async def sign_in(port: int, number: int = 0) -> str:
    """The session cookie of a learner who signs in as a person does."""
    _, headers, body, (_, writer) = await ask(port, get("/login"))
    cookie = headers["set-cookie"].split(";")[0]
    found = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', body)
    token = found[1].decode() if found else ""
    fields = {"csrf_token": token, "email": address(number), "password": PASSWORD}
    writer.close()
    status, headers, _, (_, writer) = await ask(port, post("/login", cookie, fields))
    writer.close()
    if status != 303:
        raise RuntimeError(f"signing in answered {status}")
    return headers["set-cookie"].split(";")[0]
