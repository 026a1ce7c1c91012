"""The load generator: plain HTTP on kept connections, closed loop or at a fixed rate; it tells its own CPU."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.serving import Line, ask

CLIENTS = 16
STARVED = 0.9
"""The share of its core from which on the generator, not the server, is what was measured."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of some requests: seconds in all, of CPU of the generator, and until each was answered."""

    count: int
    seconds: float
    own_cpu: float
    waits: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def busy(self) -> float:
        """The share of a core that the generator itself has used."""
        return self.own_cpu / self.seconds

    def wait(self, share: float) -> float:
        """The milliseconds within which this share was answered."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(share * len(self.waits)))] * 1000


def closed(port: int, requests: Sequence[str], status: int) -> Done:
    """All of them, as fast as the clients get answers. RuntimeError if one is answered otherwise than with `status`."""

    async def client(each: Iterator[str]) -> None:
        line: Line | None = None
        for request in each:
            line = await _asked(port, request, status, line)
        if line is not None:
            line[1].close()

    async def all_of_them() -> None:
        shared = iter(requests)
        await asyncio.gather(*(client(shared) for _ in range(CLIENTS)))

    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(all_of_them())
    return Done(len(requests), time.perf_counter() - began, time.process_time() - cpu)


def at_rate(port: int, requests: Sequence[str], status: int, rate: float) -> Done:
    """One after another at this rate, whether or not the ones before were answered; counted from when each was due."""
    waits: list[float] = []

    async def all_of_them() -> None:
        idle: list[Line] = []
        began = time.perf_counter()

        async def one(number: int, request: str) -> None:
            due = began + number / rate
            line = await _asked(port, request, status, idle.pop() if idle else None)
            waits.append(time.perf_counter() - due)
            idle.append(line)

        tasks = []
        for number, request in enumerate(requests):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(number, request)))
        await asyncio.gather(*tasks)

    started, cpu = time.perf_counter(), time.process_time()
    asyncio.run(all_of_them())
    return Done(len(requests), time.perf_counter() - started, time.process_time() - cpu, tuple(waits))


async def _asked(port: int, request: str, status: int, line: Line | None) -> Line:
    got, _, body, line = await ask(port, request, line)
    if got != status:
        raise RuntimeError(f"{request.splitlines()[0]} answered {got}: {body[:300]!r}")
    return line
