"""With twenty times the learners every page and endpoint sends the same statements; what the benchmark measures at full size.

Buffers are held by `make bench ARGS=growth`; here the sites are too small to tell an index from luck.
"""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from bench import sites
from bench.growth import Pair, Size, build, compared
from bench.rounds import LEFT_OUT
from codyverse.core.database import db

SIZE = Size(small=12, lived=48, times=5, weeks=4, answers_every=5, lessons=40)
FREE = 250
"""Buffers that a request may touch more than on the small site: nothing that grows with the site stays below it."""


@pytest.fixture(scope="module")
def both(cluster: str) -> Iterator[tuple[Flask, Flask]]:
    """A small site, and one with twenty times the learners."""
    apps = [sites.application(url) for url in build(cluster, SIZE, ("cv_small", "cv_large"))]
    yield apps[0], apps[1]
    for app in apps:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="module")
def pairs(both: tuple[Flask, Flask]) -> tuple[Pair, ...]:
    return compared(*both)


def test_the_same_statements(pairs: tuple[Pair, ...]) -> None:
    differing = [
        pair.row()[:2] for pair in pairs if pair.held and pair.small.statements != pair.large.statements
    ]
    assert differing == []


def test_no_list_of_everybody_is_read(pairs: tuple[Pair, ...]) -> None:
    grown = [pair.row() for pair in pairs if pair.held and pair.large.buffers > pair.small.buffers * 2 + FREE]
    assert grown == []


def test_the_round_leaves_nothing_out(both: tuple[Flask, Flask], pairs: tuple[Pair, ...]) -> None:
    read = {rule.endpoint for rule in both[0].url_map.iter_rules() if "GET" in (rule.methods or ())}
    assert read - LEFT_OUT.keys() - {pair.name for pair in pairs} == set()


def test_the_large_site_is_one_that_rules_allow(both: tuple[Flask, Flask]) -> None:
    """Copied learners have ledgers that can be proved, like those whose lives were lived."""
    verified = both[1].test_cli_runner().invoke(args=["ledger", "verify"])
    assert (verified.exit_code, verified.stdout) == (0, "The ledger agrees.\n")
    assert sites.sizes(both[1])["users"] >= SIZE.lived * SIZE.times


_BACKWARDS = """
    select count(*) from (
        select created_at < lag(created_at) over (order by id) as earlier from ledger_entries
    ) as entries where earlier
"""
_CHANGES = """
    select count(*) from (
        select user_id <> lag(user_id) over (order by ctid) as another from ledger_entries
    ) as entries where another
"""


def test_rows_lie_as_life_would_have_written_them(both: tuple[Flask, Flask]) -> None:
    """Side by side is what happened at one time, not what happened to one learner."""
    with both[0].app_context(), db.engine.connect() as connection:
        assert connection.execute(text(_BACKWARDS)).scalar_one() == 0
        learners = connection.execute(text("select count(distinct user_id) from ledger_entries")).scalar_one()
        changes = connection.execute(text(_CHANGES)).scalar_one()
    assert changes > learners * 2
