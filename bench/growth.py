"""What a thousand times the learners costs: every page and endpoint on a small site and on a large one, side by side.

    python -m bench.growth [--lived 5500] [--times 20]      measures and prints; writes no page

Both sites have the same 200 lessons and the same learner, whose round is measured; caches are emptied before each
request. Counted are statements, and the pages of tables and indexes that they touch: neither depends on how busy the
machine is.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask

from bench import sites
from bench.buffers import Cost
from bench.crowds import crowded
from bench.report import Report, table
from bench.rounds import LEFT_OUT, Round
from codyverse.core.database import db
from codyverse.core.embedded import throwaway

SMALL, LIVED, TIMES = 110, 5_500, 20
"""Learners of the small site; of the large one those whose lives are lived, and how often all of them are there.

The ledgers have 10⁴ and 10⁷ entries then."""
WEEKS = 26
ANSWERS_EVERY = 10
MOST = 1.5


@dataclass(frozen=True, slots=True)
class Pair:
    """A request on both sites."""

    name: str
    small: Cost
    large: Cost
    seconds: tuple[float, float]
    held: bool = True

    @property
    def ratio(self) -> float:
        """Of the buffers; of the small site those count that it would touch if it looked things up as a large one does."""
        return self.large.buffers / max(1, self.small.buffers, self.small.by_index)

    def faults(self) -> Iterator[str]:
        if not self.held:
            return
        if self.small.statements != self.large.statements:
            yield f"{self.name}: {self.small.statements} statements on the small site, {self.large.statements} on the large one"
        if self.ratio > MOST:
            yield f"{self.name}: {self.small.buffers} buffers on the small site, {self.large.buffers} on the large one"

    def row(self) -> list[object]:
        statements = str(self.small.statements)
        if self.large.statements != self.small.statements:
            statements += f" → {self.large.statements}"
        times = " / ".join(f"{each * 1000:.0f}" for each in self.seconds)
        small = [self.small.buffers, self.small.by_index]
        return [self.name, statements, *small, self.large.buffers, f"{self.ratio:.2f}", times]


def compared(small: Flask, large: Flask) -> tuple[Pair, ...]:
    """The same round on both, request by request. Raises RuntimeError if the round knows no way to a page."""
    rounds = [Round(small, 60), Round(large, 300)]
    if unknown := rounds[0].unknown():
        raise RuntimeError(f"bench/rounds.py has no ids for {', '.join(unknown)}")
    both = zip(*(each.visits() for each in rounds), strict=True)
    return tuple(
        Pair(one.name, one.cost, other.cost, (one.seconds, other.seconds), one.held) for one, other in both
    )


@dataclass(frozen=True, slots=True)
class Size:
    """How large both sites are: so many learners live on the small one and on the large one, and there `times` times."""

    small: int = SMALL
    lived: int = LIVED
    times: int = TIMES
    weeks: int = WEEKS
    answers_every: int = ANSWERS_EVERY
    lessons: int = sites.LESSONS


def build(url: str, size: Size, names: tuple[str, str] = ("small", "large")) -> tuple[str, str]:
    """Both sites, in databases of their own beside that at `url`; their addresses. Whoever is on the small one is on both."""
    boss = sites.named(url, "postgres")
    small, large = (sites.named(url, name) for name in names)
    sites.statement(boss, f"create database {names[0]}")
    sites.taught(small, size.lessons)
    sites.peopled(small, size.small, weeks=size.weeks, answers_every=size.answers_every)
    sites.statement(boss, f"create database {names[1]} template {names[0]}")
    sites.peopled(large, size.lived, weeks=size.weeks, answers_every=size.answers_every)
    for name, times in zip(names, (1, size.times), strict=True):
        print(f"{name}, in the order of time:", file=sys.stderr, flush=True)
        crowded(sites.named(url, name, "postgres"), times)
    return small, large


@contextmanager
def two_sites(size: Size) -> Iterator[tuple[Flask, Flask]]:
    """A small and a large site in one throw-away PostgreSQL."""
    with throwaway() as url:
        small, large = build(url, size)
        apps = sites.application(small), sites.application(large)
        yield apps
        for app in apps:
            with app.app_context():
                db.engine.dispose()


def measure(lived: int = LIVED, times: int = TIMES) -> Report:
    """Build both sites, go the round on both, compare."""
    with two_sites(Size(lived=lived, times=times)) as (small, large):
        held = [sites.sizes(app) for app in (small, large)]
        pairs = compared(small, large)
    return report(held, pairs)


def report(held: Sequence[dict[str, int]], pairs: Sequence[Pair]) -> Report:
    """The page."""
    missed = tuple(fault for pair in pairs for fault in pair.faults())
    grown = max((pair for pair in pairs if pair.held), key=lambda pair: pair.ratio)
    sizes = table(
        ["rows", "small", "large"], [[name, f"{held[0][name]:,}", f"{held[1][name]:,}"] for name in held[0]]
    )
    rows = table(
        ["request", "statements", "buffers, small", "small by index", "large", "ratio", "ms"],
        [pair.row() for pair in pairs],
    )
    words = INTRODUCTION.format(
        count=len(pairs),
        most=MOST,
        name=grown.name,
        ratio=grown.ratio,
        answers_every=ANSWERS_EVERY,
        times=TIMES,
        left_out="; ".join(f"{name}: {why}" for name, why in sorted(LEFT_OUT.items())),
    )
    return Report("What growth costs", f"{words}\n\n{sizes}\n\n{rows}", missed)


INTRODUCTION = """
Two sites with the same lessons and, among their learners, the same one, who goes the same round on both: {count} requests,
every page and endpoint that is read, and what a lesson, a sign-in and the settings write. Caches are emptied before each
request. Bar: the same number of statements, and at most {most} times the buffers (pages of tables and indexes that the
statements touch, by EXPLAIN ANALYZE, in memory or not). The most grown is {name}, {ratio:.2f} times.

A table of the small site fits into a few pages, which PostgreSQL reads as a whole where it looks things up in a large one. So
the small site is measured twice, as it is and with such reading forbidden (“by index”), and the ratio is to the larger one.

Histories are those of `flask demo seed`, of which the large site has each {times} times, under other names, spread over a day;
one learner of {answers_every} has answers, the others' lessons were reported. On both sites rows lie in the order of time, as life
would have written them: whoever learns on a day writes between everybody else who learns then, and nobody's rows lie side by
side because they are one person's. Written learner by learner, as the seed does it, a large site would look better than any
real one. Every table was just vacuumed, as the server does by itself after 2 % of new rows in those that are read from their
indexes alone. The job that prepares an export reads every row that the learner ever caused, and on a large site most of those
lie on pages of their own (docs/decisions/side-by-side.md). It is no request, nobody's page waits for it, and it is shown without a bar; asking
for an export and fetching it are requests like all others (docs/decisions/exports.md). `ms` is the time of the whole request with its measuring, for orientation only. Left out: {left_out}.
"""


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.growth", description="Measure what growth costs.")
    parser.add_argument("--lived", type=int, default=LIVED)
    parser.add_argument("--times", type=int, default=TIMES)
    made = measure(**vars(parser.parse_args()))
    print(made.text, *made.missed, sep="\n")


if __name__ == "__main__":
    main()
