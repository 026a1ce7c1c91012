"""A load generator in a process of its own: asks a server at a steady rate, whether it keeps up or not (an open loop).

    python -m tests.drills.generator '{"port": 8000, "rate": 400, "seconds": 4, "deadline": 1, "requests": ["GET / …"]}'

Prints what came back as JSON. A late answer is worth nothing to whoever has gone: only what comes within the deadline,
counted from the moment at which the request was due, is good. `rate` 0 is the closed loop: so many lines, each of which
asks anew as soon as it is answered. `behind` says how late the generator itself was at worst.
"""

import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

GIVE_UP_S = 15.0
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Run:
    """One measurement under way."""

    port: int
    requests: list[bytes]
    deadline: float
    idle: list[Line] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    good: int = 0
    latencies: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    behind: float = 0.0
    numbers: Any = field(default_factory=count)

    async def ask(self, due: float) -> None:
        """One request, on an idle line or a new one."""
        request = self.requests[next(self.numbers) % len(self.requests)]
        try:
            status = await asyncio.wait_for(self._exchange(request), GIVE_UP_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.statuses["none"] += 1
            return
        took = time.perf_counter() - due
        self.statuses[str(status)] += 1
        if status == 200:
            self.latencies.append(took)
            self.good += took <= self.deadline
        elif status == 503:
            self.refusals.append(took)

    async def _exchange(self, request: bytes) -> int:
        line = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = line
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        self.idle.append(line)
        return int(head[9:12])

    async def open_loop(self, rate: float, seconds: float) -> None:
        tasks, begun = set(), time.perf_counter()
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            early = due - time.perf_counter()
            if early > 0:
                await asyncio.sleep(early)
            self.behind = max(self.behind, time.perf_counter() - due)
            task = asyncio.create_task(self.ask(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def closed_loop(self, lines: int, seconds: float) -> None:
        end = time.perf_counter() + seconds

        async def one() -> None:
            while time.perf_counter() < end:
                await self.ask(time.perf_counter())

        await asyncio.gather(*[one() for _ in range(lines)])


def _milliseconds(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1) if ordered else 0.0


async def measure(told: dict[str, Any]) -> dict[str, Any]:
    """What one run brought."""
    run = Run(told["port"], [each.encode("latin-1") for each in told["requests"]], told["deadline"])
    cpu, seconds = time.process_time(), told["seconds"]
    if told["rate"]:
        await run.open_loop(told["rate"], seconds)
    else:
        await run.closed_loop(told["lines"], seconds)
    for _, writer in run.idle:
        writer.close()
    return {
        "goodput": round(run.good / seconds, 1),
        "statuses": dict(run.statuses),
        "p50_ms": _milliseconds(run.latencies, 0.5),
        "p99_ms": _milliseconds(run.latencies, 0.99),
        "refused_p50_ms": _milliseconds(run.refusals, 0.5),
        "refused_p99_ms": _milliseconds(run.refusals, 0.99),
        "mean_ms": round(statistics.fmean(run.latencies) * 1000, 1) if run.latencies else 0.0,
        "behind_ms": round(run.behind * 1000, 1),
        "cpu_share": round((time.process_time() - cpu) / seconds, 2),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(json.loads(sys.argv[1])))))  # noqa: T201 - its answer
