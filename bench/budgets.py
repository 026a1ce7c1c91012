"""What requests cost, beside what they may cost: the table of budgets, measured in one run with everything on.

Each row is measured between two looks at the bare Flask route, round after round, and its CPU time is also told as it would be
where that route costs 115 µs, which is what the budgets were written for: other work on the machine makes both dearer.
"""

import json
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from bench import load
from bench.clocks import cpu_seconds
from bench.ends import ends_of_lessons
from bench.limits import Limit, selects_of_page
from bench.people import after_first_lesson, crowd, open_lessons
from bench.report import Report, table
from bench.serving import PAGES, ROOT, Server, prepare, served
from bench.starts import MOST_S, second_start
from bench.work import Budget, Make, answer, completion, dashboards, get, once, pages
from codyverse.core.embedded import throwaway

PROCESSES, THREADS, ROUNDS = 2, 2, 3
LEARNERS, FEW, WRITES, WARM = 10_000, 300, 100, 40
"""`WARM`: so many of what is written before anything is measured, until each process has loaded what it needs for it."""
REFERENCE_US = 115.0
"""CPU of a bare Flask route on the machine that the budgets were written on (105 to 125)."""
MEMORY_MB = 150
BARE = get("/")
HOW = ["--workers", str(PROCESSES), "--blocking-threads", str(THREADS)]
OURS = [*PAGES[:3], *HOW]
THEIRS = ["--interface", "wsgi", "bench.bare:app", *HOW]


def settings(folder: str) -> dict[str, str]:
    """As in production: limits, logs and metrics on, nothing shared between the processes."""
    return {
        "CODYVERSE_ENV": "production",
        "SECRET_KEY": "b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef",
        "BASE_URL": "http://127.0.0.1:8000",
        "MAIL_FROM": "Cody <cody@example.org>",
        "SESSION_COOKIE_SECURE": "false",
        "PROXY_HOPS": "1",
        "RATELIMIT_DEFAULT": "200 per minute",
        "RATELIMIT_STORAGE_URI": "memory://",
        "LOG_LEVEL": "INFO",
        "PROMETHEUS_MULTIPROC_DIR": folder,
    }


@dataclass
class Found:
    """A row: for each round µs of CPU per request, those of the bare route around it, and statements per request."""

    budget: Budget
    web: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    statements: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def scaled(self, costs: list[float]) -> float:
        """The median cost as it would be where the bare route costs REFERENCE_US."""
        pairs = zip(costs, self.bare, strict=True)
        return statistics.median(cost / bare * REFERENCE_US for cost, bare in pairs)

    def missed(self) -> list[str]:
        """In plain words, each of its bars that does not hold."""
        bars = [
            ("µs of web CPU", self.scaled(self.web), self.budget.web),
            ("µs of PostgreSQL", self.scaled(self.database), self.budget.database),
            ("statements", statistics.median(self.statements), self.budget.statements),
        ]
        return [
            f"{self.budget.name}: {value:.1f} {what}, at most {most:.0f}"
            for what, value, most in bars
            if most is not None and value > most + 0.05
        ]

    def row(self) -> list[object]:
        may = self.budget
        return [
            may.name,
            f"{statistics.median(self.web):.0f}",
            f"**{self.scaled(self.web):.0f}**",
            "" if may.web is None else f"{may.web:.0f}",
            f"{self.scaled(self.database):.0f}" + ("" if may.database is None else f" of {may.database:.0f}"),
            f"{statistics.median(self.statements):.1f}"
            + ("" if may.statements is None else f" of {may.statements:.0f}"),
            f"{statistics.median(self.rates):.0f}",
        ]


class Site:
    """The servers and the database while they are measured."""

    def __init__(self, ours: Server, bare: Server) -> None:
        self.ours, self.bare = ours, bare

    def database_cpu(self) -> float:
        """Seconds of CPU of all processes of PostgreSQL."""
        mine = psutil.Process().children(recursive=True)
        return sum(cpu_seconds(each.pid) for each in mine if each.name() == "postgres")

    def statements(self) -> float:
        """Statements sent by all web processes so far."""
        wanted = urllib.request.Request(
            f"http://127.0.0.1:{self.ours.port}/metrics", headers={"Accept": "application/json"}
        )
        with urllib.request.urlopen(wanted, timeout=30) as told:
            families = json.load(told)
        [found] = [each for each in families if each["name"] == "cody_db_statements"]
        return float(sum(each["value"] for each in found["samples"] if each["name"].endswith("_total")))

    def bare_cost(self, count: int = 500) -> float:
        """µs of CPU of the bare route."""
        before = self.bare.cpu()
        load.closed(self.bare.port, BARE(count), 200)
        return (self.bare.cpu() - before) / count * 1e6

    def measure(self, found: Found) -> None:
        """One round of a row, between two looks at the bare route."""
        first = self.bare_cost()
        requests = found.budget.make(found.budget.each)
        before = self.ours.cpu(), self.database_cpu(), self.statements()
        done = load.closed(self.ours.port, requests, found.budget.status)
        after = self.ours.cpu(), self.database_cpu(), self.statements()
        found.bare.append((first + self.bare_cost()) / 2)
        web, database, statements = (now - then for now, then in zip(after, before, strict=True))
        found.web.append(web / done.count * 1e6)
        found.database.append(database / done.count * 1e6)
        found.statements.append(statements / done.count)
        found.rates.append(done.rate)
        found.busy.append(done.busy)


@contextmanager
def on_one_core() -> Iterator[None]:
    """This process, which is the generator, on the last core alone; the servers may use all."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _tag(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/courses", timeout=30) as told:
        return str(told.headers["ETag"])


def measure() -> Report:
    """All of it; the page for docs/measured, and the same as JSON beside it."""
    with throwaway() as url, tempfile.TemporaryDirectory() as folder:
        more = settings(folder)
        app = prepare(
            url, 0, {key: value for key, value in more.items() if key != "PROMETHEUS_MULTIPROC_DIR"}
        )
        people = crowd(app, LEARNERS)
        number = ROUNDS * WRITES + WARM
        writers = people[: 3 * number]
        answers = [answer(each) for each in open_lessons(app, writers[:number], answered=False)]
        ends = [completion(each) for each in open_lessons(app, writers[number : 2 * number], answered=True)]
        experienced = after_first_lesson(app, writers[2 * number :])
        later = [completion(each) for each in open_lessons(app, experienced, answered=True, done=1)]
        with served(url, OURS, more) as ours, served(url, THEIRS, more) as bare, on_one_core():
            site = Site(ours, bare)
            time.sleep(2)
            few, others = people[-FEW:], people[len(writers) : -FEW]
            fresh = once(dashboards(others)(len(others)))
            read = (dashboards(few), fresh, pages(others))
            rows = [
                Found(each)
                for each in budgets(_tag(ours.port), read, (once(answers), once(ends), once(later)))
            ]
            load.closed(ours.port, dashboards(few)(2 * PROCESSES * FEW), 200)
            load.closed(ours.port, get("/api/courses")(200), 200)
            load.closed(ours.port, pages(few)(WARM), 200)
            for store in (answers, ends, later):
                load.closed(ours.port, once(store)(WARM), 200)
            for _ in range(ROUNDS):
                for each in rows:
                    site.measure(each)
            limits = selects_of_page(app, url, others[0]), ends_of_lessons(app, url)
            waits = latency(ours.port, rows)
            memory = ours.memory()
    return report(rows, limits, waits, memory, second_start())


def budgets(tag: str, read: tuple[Make, Make, Make], written: tuple[Make, Make, Make]) -> list[Budget]:
    """The rows of the table: of what is read the API's dashboard kept and not kept, and the page; an answer, the end of a
    learner's first lesson, which brings more than any other, and of the second one."""
    kept, fresh, page = read
    return [
        Budget("GET /health", get("/health"), web=200, statements=0),
        Budget("GET /api/courses, kept", get("/api/courses"), web=350),
        Budget("the same, 304", get("/api/courses", If_None_Match=tag), 304, web=300),
        Budget("API dashboard, kept", kept, web=400, statements=1),
        Budget(f"API dashboard, not kept ({LEARNERS:,} learners)", fresh, web=1000, statements=4),
        Budget("the dashboard's page", page, web=1500, statements=6, each=300),
        Budget("an answer to a step (htmx)", written[0], web=1800, statements=6, each=WRITES),
        Budget("a completion (API), of a first lesson", written[1], web=1000, database=700, each=WRITES),
        Budget("the same, of a second lesson", written[2], web=1000, database=700, each=WRITES),
    ]


def latency(port: int, rows: list[Found]) -> dict[str, list[float]]:
    """p50 and p99 in ms at half of the rate that the closed loop reached."""
    found = {}
    manifest = json.loads((ROOT / "static" / "dist" / "manifest.json").read_text())
    name = min(str(each) for each in manifest.values() if str(each).endswith(".css"))
    work = {
        "API, not kept": (rows[4].budget.make, statistics.median(rows[4].rates)),
        "API, kept": (rows[1].budget.make, statistics.median(rows[1].rates)),
        "static": (get(f"/static/dist/{Path(name).name}"), statistics.median(rows[0].rates)),
    }
    for what, (make, rate) in work.items():
        done = load.at_rate(port, make(600), 200, rate / 2)
        found[what] = [done.wait(0.5), done.wait(0.99)]
    return found


BARS = {"API, not kept": (10, 60), "API, kept": (None, 10), "static": (None, 5)}


def report(
    rows: list[Found],
    limits: tuple[Limit, Limit],
    waits: dict[str, list[float]],
    memory: float,
    start: float,
) -> Report:
    missed = [bar for each in rows for bar in each.missed()]
    ratio = REFERENCE_US / rows[1].scaled(rows[1].web)
    selects, ends = limits
    page = statistics.median(rows[5].rates) / selects.rate
    end = statistics.median(rows[7].rates) / ends.rate
    busiest = max(share for each in rows for share in each.busy)
    if busiest > load.STARVED:
        missed.append(f"the generator used {busiest:.0%} of its core: it was starved, and the run is void")
    if ratio < 0.37:
        missed.append(f"a JSON answer with all middleware: {ratio:.0%} of the bare route, at least 37 %")
    if page < 0.10:
        missed.append(f"the dashboard's page: {page:.1%} of pgbench with the same selects, at least 10 %")
    if end < 0.30:
        missed.append(f"a completion: {end:.1%} of pgbench with its own statements, at least 30 %")
    if memory > MEMORY_MB:
        missed.append(f"memory: {memory:.0f} MB a web process, at most {MEMORY_MB}")
    if start > MOST_S:
        missed.append(
            f"the second start of `make run`: {start:.1f} s to the first answer, at most {MOST_S:.0f} s"
        )
    for what, (middle, late) in waits.items():
        for value, most, word in ((middle, BARS[what][0], "p50"), (late, BARS[what][1], "p99")):
            if most is not None and value > most:
                missed.append(f"latency, {what}: {word} {value:.1f} ms, at most {most} ms")
    bare = statistics.median(cost for each in rows for cost in each.bare)
    head = [
        "Work",
        "web CPU µs here",
        f"where bare Flask costs {REFERENCE_US:.0f}",
        "budget",
        "PostgreSQL µs",
        "statements",
        "answers/s",
    ]
    text = f"""
{PROCESSES} web processes of granian with {
        THREADS
    } threads each; cache and rate limits in the memory of each, so that they share nothing; rate limit
(200 a minute for each person or address), security headers, sessions or tokens, metrics and JSON log lines on. {
        ROUNDS
    } rounds, medians. The
generator is pinned to one core and used {busiest:.0%} of it at most (above {
        load.STARVED:.0%} the run is void). A bare Flask route under the same
server costs **{
        bare:.0f} µs** here; it was measured before and after each row in each round. Budgets are held against the third column.

{table(head, (each.row() for each in rows))}

{
        table(
            ["Limit", "here", "bar"],
            [
                [
                    "a JSON answer (courses, kept) against the bare Flask route, by CPU",
                    f"{ratio:.0%}",
                    "≥ 37 %",
                ],
                [
                    f"the dashboard's page against pgbench with its {selects.number} selects ({selects.rate:.0f}/s)",
                    f"{page:.1%}",
                    "≥ 10 %",
                ],
                [
                    f"a completion against pgbench with its own {ends.number} statements ({ends.rate:.0f}/s)",
                    f"{end:.1%}",
                    "≥ 30 %",
                ],
                ["memory of the largest web process", f"{memory:.0f} MB", f"≤ {MEMORY_MB} MB"],
                ["`make run`, second start, until the first answer", f"{start:.1f} s", f"≤ {MOST_S:.0f} s"],
                *[
                    [
                        f"latency at half of the peak rate, open loop: {what}",
                        f"p50 {a:.1f} ms, p99 {b:.1f} ms",
                        ", ".join(
                            f"{w} < {m} ms" for w, m in zip(("p50", "p99"), BARS[what], strict=True) if m
                        ),
                    ]
                    for what, (a, b) in waits.items()
                ],
            ],
        )
    }

pgbench, PostgreSQL's own, runs on the generator's core with as many clients as that, on the same database. It sends the texts
that the site sent for one request and reckons nothing between them. Completions are each of another learner, whose open lesson,
goals and token are copies of the recorded one's; afterwards all of them are found to have what that one has.
"""
    _keep(
        {
            "bare_us": bare,
            "busiest_generator": busiest,
            "json_share_of_bare": ratio,
            "page_share_of_pgbench": page,
            "completion_share_of_pgbench": end,
            "memory_mb": memory,
            "second_start_s": start,
            "latency_ms": waits,
            "missed": missed,
            "rows": [_plain(each) for each in rows],
        }
    )
    return Report("What requests cost, beside their budgets", text, tuple(missed))


def _plain(found: Found) -> dict[str, object]:
    told = asdict(found)
    told["budget"] = {key: value for key, value in told["budget"].items() if key != "make"}
    return told | {"scaled_web": found.scaled(found.web), "scaled_database": found.scaled(found.database)}


def _keep(told: dict[str, object]) -> None:
    (ROOT / "docs" / "measured" / "budgets.json").write_text(
        json.dumps(told, indent=1) + "\n", encoding="utf-8"
    )
