"""What streams cost: pages with and without a thousand idle streams, each way of serving; how soon a badge is seen.

    python -m bench.streams [--streams 1000] [--seconds 4] [--rounds 3]      measures and prints; writes no page

In each round every server gets a start of its own and is measured without streams and with them, one right after the
other, by 16 connections that ask for the signed-in dashboard one page after another. CPU is that of the pages' server.
"""

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bench import tabs
from bench.report import Report, table
from bench.serving import (
    PAGES,
    PAGES_AND_STREAMS,
    STREAMS,
    Line,
    Server,
    ask,
    get,
    prepare,
    served,
    sign_in,
)
from codyverse.core.embedded import throwaway

EACH = 10
"""Streams of one learner."""
CLIENTS = 16
KEPT = 0.8
"""The bar: the share of their throughput that pages keep."""
SOON = 1.0
"""The aim: seconds until a badge is seen in another tab."""


@dataclass
class Found:
    """One way of serving: requests per second and CPU milliseconds per page, with and without streams, per round."""

    name: str
    rates: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    costs: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    memory: float = 0

    @property
    def kept(self) -> float:
        """The share of the throughput that is kept with streams: the median of the rounds."""
        return statistics.median(with_them / without for without, with_them in zip(*self.rates, strict=True))

    def row(self) -> list[object]:
        rates, costs = ([statistics.median(each) for each in both] for both in (self.rates, self.costs))
        told = [f"{rate:.0f} pages/s, {cost:.1f} ms" for rate, cost in zip(rates, costs, strict=True)]
        return [self.name, *told, f"{self.kept:.0%}", f"{self.memory:.0f} MB"]


async def pages(server: Server, cookie: str, seconds: float) -> tuple[float, float]:
    """As many dashboards as the clients get in this time: pages per second, CPU milliseconds per page."""
    end = time.perf_counter() + seconds

    async def client() -> int:
        done, line = 0, None
        while time.perf_counter() < end or line is None:
            status, _, _, line = await ask(server.port, get("/dashboard", cookie), line)
            if status != 200:
                raise RuntimeError(f"the dashboard answered {status}")
            done += 1
        line[1].close()
        return done

    before, began = server.cpu(), time.perf_counter()
    done = sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))
    return done / (time.perf_counter() - began), (server.cpu() - before) / done * 1000


@contextlib.asynccontextmanager
async def streams(port: int, cookies: list[str], number: int) -> AsyncIterator[None]:
    """So many open streams of these learners."""
    lines: list[Line] = []
    for each in range(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        path = f"/notifications/stream?after=0.{each}"
        writer.write(get(path, cookies[each % len(cookies)]).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(f"a stream answered {head!r}")
        lines.append((reader, writer))
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for _, writer in lines:
            writer.close()


async def one_round(found: Found, pages_of: Server, streams_of: Server, number: int, seconds: float) -> None:
    """The same server without streams and with them."""
    cookies = [await sign_in(pages_of.port, each) for each in range(number // EACH + 1)]
    await pages(pages_of, cookies[0], 0.5)
    quiet = await pages(pages_of, cookies[0], seconds)
    async with streams(streams_of.port, cookies, number):
        busy = await pages(pages_of, cookies[0], seconds)
        found.memory = max(found.memory, streams_of.memory())
    for into, values in zip((found.rates, found.costs), zip(quiet, busy, strict=True), strict=True):
        for each, value in zip(into, values, strict=True):
            each.append(value)


def all_rounds(url: str, number: int, seconds: float, rounds: int) -> tuple[Found, Found]:
    together = Found("one process for both (`make run`)")
    apart = Found("the streams in a process of their own (Procfile)")
    for _ in range(rounds):
        with served(url, PAGES_AND_STREAMS) as server:
            asyncio.run(one_round(together, server, server, number, seconds))
        with served(url, PAGES) as server, served(url, STREAMS) as beside:
            asyncio.run(one_round(apart, server, beside, number, seconds))
    return together, apart


def measure(number: int = 1000, seconds: float = 4, rounds: int = 3) -> Report:
    """All of it; the page for docs/measured."""
    with throwaway() as url:
        app = prepare(url, max(number // EACH + 1, tabs.LEARNERS))
        found = all_rounds(url, number, seconds, rounds)
        with served(url, PAGES_AND_STREAMS) as server:
            took = sorted(tabs.seconds_until_seen(app, f"http://127.0.0.1:{server.port}"))
    return report(found, took, number, rounds)


def report(found: tuple[Found, Found], took: list[float], number: int, rounds: int) -> Report:
    missed = [f"{each.name}: pages keep {each.kept:.0%} of {KEPT:.0%}" for each in found if each.kept < KEPT]
    if statistics.median(took) >= SOON:
        missed.append(
            f"a badge was seen in another tab after {statistics.median(took):.2f} s, aim {SOON:.0f} s"
        )
    head = [
        "Served by",
        "without streams",
        f"with {number:,} idle streams",
        "throughput kept",
        "memory of the streams' process",
    ]
    text = f"""
{CLIENTS} connections ask for the signed-in dashboard, one page after another; medians of {rounds} rounds, each measured without streams and
with them right after, on the same server. Milliseconds are CPU of the pages' server for one page. The bar is {KEPT:.0%} of the throughput.

{table(head, (each.row() for each in found))}

A learner finishes a first lesson in one tab of a browser; until the bell of another tab shows its badge, without a reload, it takes
{statistics.median(took):.2f} s (median of {len(took)} learners; the slowest {took[-1]:.2f} s), from the click on. The aim is less than {SOON:.0f} s.
"""
    return Report("What streams cost", text, tuple(missed))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what streams cost, and print it.")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(measure(given.streams, given.seconds, given.rounds).text)


if __name__ == "__main__":
    main()
