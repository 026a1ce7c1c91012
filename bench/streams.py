"""What streams cost: pages with and without a thousand idle streams, each way of serving; how soon news arrives.

    python bench/streams.py [--streams 1000] [--seconds 4] [--rounds 3]

Every way is measured on a database of its own that is thrown away, in interleaved rounds, with 16 connections that ask
for the signed-in dashboard one page after another. CPU is that of the server's processes. Arrival: from the request
that marks everything as read until the stream of another tab says so, over quiet moments.
"""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from codyverse import create_app  # noqa: E402
from codyverse.core.embedded import throwaway  # noqa: E402
from config import load_settings  # noqa: E402

PASSWORD = "wren-lantern-tide-42"
EACH = 10
"""Streams of one learner."""
CLIENTS = 16
WAYS = {
    "WSGI, pages only (as before streams)": ["--interface", "wsgi", "app:app", "--blocking-threads", "4"],
    "ASGI, pages by the bridge, and streams": [
        "--interface",
        "asgi",
        "--factory",
        "--loop",
        "asyncio",
        "app:site",
    ],
}
APART = ["--interface", "asgi", "--factory", "--loop", "asyncio", "app:stream"]


@dataclass
class Server:
    """A server process on a port of its own."""

    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds of CPU that the server and its workers have used."""
        top = psutil.Process(self.process.pid)
        return sum(sum(each.cpu_times()[:2]) for each in (top, *top.children(recursive=True)))

    def memory(self) -> float:
        """MB of the largest of its processes."""
        top = psutil.Process(self.process.pid)
        return max(each.memory_info().rss for each in (top, *top.children(recursive=True))) / 1e6


@dataclass
class Found:
    """Requests per second and CPU µs per request, one per round."""

    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, requests: int, seconds: float, cpu: float) -> None:
        self.rate.append(requests / seconds)
        self.cpu.append(cpu / requests * 1e6)

    def __str__(self) -> str:
        return f"{statistics.median(self.rate):7.0f}/s {statistics.median(self.cpu):7.0f} µs"


def environment(url: str) -> dict[str, str]:
    values = {
        "CODYVERSE_ENV": "testing",
        "DATABASE_URL": url,
        "SECRET_KEY": "a-key-for-benchmarks-and-nothing-else",
        "RATELIMIT_DEFAULT": "100000000 per minute",
        "ARGON2_TIME_COST": "1",
        "ARGON2_MEMORY_KIB": "1024",
        "RATELIMIT_SIGN_IN": "100000 per minute",
        "LOG_LEVEL": "WARNING",
    }
    return {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ} | values


@contextlib.contextmanager
def served(url: str, words: list[str]) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "granian",
        *words,
        "--port",
        str(port),
        "--no-ws",
        "--log-level",
        "warning",
    ]
    command += ["--backpressure", "8192", "--workers-kill-timeout", "5"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(url), start_new_session=True)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield Server(port, process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


async def ask(
    port: int, request: str, reader_writer: tuple | None = None
) -> tuple[int, dict[str, str], bytes, tuple]:
    """One request on a connection that is kept; status, headers, body, connection."""
    reader, writer = reader_writer or await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in head[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = headers.get(name.lower(), "") + value
    body = b""
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    return int(head[0].split()[1]), headers, body, (reader, writer)


def get(path: str, cookie: str = "", more: str = "") -> str:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n{more}\r\n"


def post(path: str, cookie: str, fields: dict[str, str]) -> str:
    body = urllib.parse.urlencode(fields)
    kind = "Content-Type: application/x-www-form-urlencoded"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n{kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n{body}"


def token(body: bytes) -> str:
    found = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', body)
    assert found
    return found[1].decode()


async def sign_in(port: int, number: int = 0) -> str:
    _, headers, body, _ = await ask(port, get("/login"))
    cookie = headers["set-cookie"].split(";")[0]
    fields = {"csrf_token": token(body), "email": f"bench{number}@example.org", "password": PASSWORD}
    status, headers, _, _ = await ask(port, post("/login", cookie, fields))
    assert status == 303, status
    return headers["set-cookie"].split(";")[0]


async def pages(port: int, cookie: str, seconds: float) -> tuple[int, float]:
    """As many dashboards as 16 clients get in this time; how many, and the seconds it took."""
    end = time.perf_counter() + seconds

    async def client() -> int:
        done, line = 0, None
        while time.perf_counter() < end:
            status, _, _, line = await ask(port, get("/dashboard", cookie), line)
            assert status == 200, status
            done += 1
        assert line is not None
        line[1].close()
        return done

    began = time.perf_counter()
    done = sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))
    return done, time.perf_counter() - began


@contextlib.asynccontextmanager
async def streams(port: int, cookies: list[str], number: int):
    lines = []
    for each in range(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get(f"/notifications/stream?after=0.{each}", cookies[each % len(cookies)]).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0], head
        lines.append((reader, writer))
    await asyncio.sleep(1)
    try:
        yield lines
    finally:
        for _, writer in lines:
            writer.close()


async def arrival(port: int, cookie: str, app: object, times: int = 20) -> list[float]:
    """Milliseconds from the start of a request that changes something until another tab's stream says so."""
    from codyverse.core.clock import now
    from codyverse.core.database import db, unit_of_work
    from codyverse.notifications import services

    found = []
    async with streams(port, [cookie], 1) as [(reader, _)]:
        for number in range(times):
            with contextlib.suppress(TimeoutError):
                while await asyncio.wait_for(reader.readline(), 0.2):
                    pass
            with app.app_context():  # type: ignore[attr-defined]
                began = time.perf_counter()
                with unit_of_work():
                    details = {"level": number, "name": "Bench", "gems": 1}
                    services.tell("level", f"level:{port}:{number}", details, [1], now())
                db.session.remove()
            while b"event: news" not in await reader.readline():
                pass
            found.append((time.perf_counter() - began) * 1000)
    return found


def prepare(url: str, learners: int) -> object:
    """Tables, courses, learners; the application."""
    app = create_app(
        load_settings({k: v for k, v in environment(url).items() if k not in {"PATH", "HOME", "LANG"}})
    )
    runner = app.test_cli_runner()
    for words in (["db", "upgrade"], ["content", "apply"]):
        done = runner.invoke(args=words)
        assert done.exit_code == 0, done.output
    from codyverse.accounts import services as accounts
    from codyverse.core.database import db, unit_of_work

    with app.app_context():
        with unit_of_work():
            for number in range(learners):
                accounts.create_account(f"bench{number}@example.org", PASSWORD, "Bench")
        db.session.remove()
    return app


async def measure(url: str, app: object, number: int, seconds: float, rounds: int) -> None:
    results: dict[str, Found] = {}
    for _ in range(rounds):
        for name, words in WAYS.items():
            with served(url, words) as server:
                cookie = await sign_in(server.port)
                await pages(server.port, cookie, 0.5)
                await _round(results, name, server, cookie, seconds)
                if not name.startswith("ASGI"):
                    continue
                cookies = [await sign_in(server.port, each) for each in range(number // EACH + 1)]
                async with streams(server.port, cookies, number):
                    await _round(results, f"{name}, {number} idle", server, cookie, seconds)
                    print(f"  memory with {number} streams: {server.memory():.0f} MB", file=sys.stderr)
        with (
            served(url, WAYS["WSGI, pages only (as before streams)"]) as server,
            served(url, APART) as beside,
        ):
            cookie = await sign_in(server.port)
            await pages(server.port, cookie, 0.5)
            cookies = [await sign_in(server.port, each) for each in range(number // EACH + 1)]
            async with streams(beside.port, cookies, number):
                await _round(
                    results, f"WSGI, and {number} idle streams in a process beside", server, cookie, seconds
                )
                print(f"  memory of the stream process: {beside.memory():.0f} MB", file=sys.stderr)
    for name, found in results.items():
        print(f"{name:<62} {found}")
    with served(url, WAYS["ASGI, pages by the bridge, and streams"]) as server:
        took = sorted(await arrival(server.port, await sign_in(server.port), app))
        print(
            f"news in another tab's stream after {statistics.median(took):.0f} ms (slowest of 20: {took[-1]:.0f} ms)"
        )


async def _round(results: dict[str, Found], name: str, server: Server, cookie: str, seconds: float) -> None:
    before = server.cpu()
    done, took = await pages(server.port, cookie, seconds)
    results.setdefault(name, Found()).add(done, took, server.cpu() - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with throwaway() as url:
        app = prepare(url, given.streams // EACH + 1)
        asyncio.run(measure(url, app, given.streams, given.seconds, given.rounds))


if __name__ == "__main__":
    main()
