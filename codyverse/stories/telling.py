"""Stories told: batches of learners lived, several at a time, each a set of rows for COPY."""

import copyreg
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from codyverse.stories import plot
from codyverse.stories.game import Numbers
from codyverse.stories.library import Library
from codyverse.stories.life import LAST_GAP, Life
from codyverse.stories.rows import Sheets

PUBLIC_EVERY = 10


@dataclass(frozen=True, slots=True)
class Tale:
    """What is the same for all stories of a run. `answers_every`: of so many learners one has studied here, answer by
    answer; the others' lessons were reported by another program, which leaves no answers.
    """

    seed: str
    weeks: int
    until: datetime
    password_hash: str
    answers_every: int = 1

    def person(self, number: int) -> plot.Person:
        return plot.person(number, self.seed, self.weeks, self.until.date())

    def days(self, who: plot.Person) -> tuple[plot.Day, ...]:
        return plot.days(who, self.seed, self.until)


@dataclass(frozen=True, slots=True)
class Part:
    """Learners to be lived together: their numbers, their ids, and ids for as many attempts as they may begin."""

    numbers: tuple[int, ...]
    user_ids: tuple[int, ...]
    attempt_ids: tuple[int, ...]


class Teller:
    """Lives learners, one after another."""

    def __init__(self, tale: Tale, library: Library) -> None:
        self.tale, self.library = tale, library
        self.numbers = Numbers(library.numbers)
        self.steps = [len(lesson.steps) for lesson in library.lessons]

    def __call__(self, part: Part) -> dict[str, bytes]:
        """The rows of these learners by table."""
        sheets, ids = Sheets(), iter(part.attempt_ids)
        for number, user_id in zip(part.numbers, part.user_ids, strict=True):
            self._live(number, user_id, ids, sheets)
        return sheets.take()

    def _live(self, number: int, user_id: int, ids: Iterator[int], sheets: Sheets) -> None:
        tale, who = self.tale, self.tale.person(number)
        life = Life(user_id, who, self.library, self.numbers, sheets)
        plan = tale.days(who)
        here = number % tale.answers_every == 0
        done = 0
        for sitting in plot.sittings(who, tale.seed, plan, self.steps):
            attempt_id = next(ids)
            done += 1
            if _ends(sitting) >= tale.until:
                break
            (life.study if here else life.report)(attempt_id, sitting)
        for _ in range(sum(day.lessons for day in plan) - done):
            next(ids)
        life.close(tale.password_hash)
        if number % PUBLIC_EVERY == 0:
            shown = ["badges", "level", "streak", "lessons"]
            sheets.put("public_profiles", user_id, f"demo-{number + 1}", True, shown)


def _ends(sitting: plot.Sitting) -> datetime:
    return sitting.at + timedelta(seconds=sum(sitting.seconds) + LAST_GAP)


def _fixed(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


copyreg.pickle(MappingProxyType, lambda mapping: (_fixed, (dict(mapping),)))
"""The rules of the game hold such mappings, and have to reach the other processes."""

_own: list[Teller] = []


def _begin(tale: Tale, library: Library) -> None:
    _own[:] = [Teller(tale, library)]


def _tell(part: Part) -> dict[str, bytes]:
    return _own[0](part)


@contextmanager
def tellers(tale: Tale, library: Library, processes: int) -> Iterator["Telling"]:
    """So many processes that live learners; with one it is done in this process."""
    if processes < 2:
        yield Telling(None, Teller(tale, library))
        return
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, fresh, _begin, (tale, library)) as pool:
        yield Telling(pool, Teller(tale, library))


@dataclass(frozen=True, slots=True)
class Telling:
    """Gives the rows of the parts, in their order, a few parts ahead of whoever takes them."""

    pool: ProcessPoolExecutor | None
    teller: Teller

    def rows(self, parts: Iterable[Part]) -> Iterator[dict[str, bytes]]:
        if self.pool is None:
            yield from map(self.teller, parts)
            return
        waiting = []
        for part in parts:
            waiting.append(self.pool.submit(_tell, part))
            if len(waiting) > 4:
                yield waiting.pop(0).result()
        for each in waiting:
            yield each.result()
