"""The benchmarks by name: measured on this machine, one after another, and written to docs/measured.

    make bench                   all of them
    make bench ARGS=streams      only this one
    make bench CHECK=1           fail when a bar does not hold

A benchmark is a module of this folder with `measure() -> Report`, and one line in BENCHMARKS. A bar that does not hold
is said and written down; with --check the exit status is then 1.
"""

import argparse
import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bench.report import Report

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "docs" / "measured"
BENCHMARKS = {
    "budgets": "what each kind of request costs, beside its budget",
    "growth": "every page and endpoint with a thousand times the learners",
    "journeys": "thousands of learners on real journeys, against a whole cluster",
    "streams": "a thousand idle streams beside the pages, and how soon a badge is seen in another tab",
}


def commit() -> str:
    """The commit that is measured, and whether files differ from it."""
    try:
        words = ["git", "describe", "--always", "--dirty=, and changes", "--exclude=*"]
        said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return said.stdout.strip() or "unknown"


def written(name: str, report: Report) -> Path:
    """The page in docs/measured."""
    path = MEASURED / f"{name}.md"
    when = f"Last run: {datetime.now(UTC):%Y-%m-%d}, commit {commit()}"
    load = os.getloadavg()[1]
    where = f"{platform.system()} with {os.cpu_count()} cores (load {load:.0f} meanwhile), by `make bench` (bench/{name}.py)"
    bars = "".join(f"\nThe bar does not hold: {bar}\n" for bar in report.missed)
    path.write_text(
        f"# {report.title}\n\n{when}, {where}.\n{bars}\n{report.text.strip()}\n", encoding="utf-8"
    )
    return path


def run(names: Iterable[str]) -> int:
    """Measure these; how many bars do not hold."""
    missed = 0
    for name in names:
        print(f"{name}: {BENCHMARKS[name]} …", flush=True)
        report: Report = importlib.import_module(f"bench.{name}").measure()
        print(report.text.strip())
        for bar in report.missed:
            print(f"The bar does not hold: {bar}", file=sys.stderr)
        print(f"Written to {written(name, report).relative_to(ROOT)}.", flush=True)
        missed += len(report.missed)
    return missed


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.run", description="Measure, and write docs/measured.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar does not hold")
    given = parser.parse_args()
    names = given.names or list(BENCHMARKS)
    for name in names:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name}")
    missed = run(names)
    return 1 if missed and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
