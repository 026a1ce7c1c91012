"""How many lessons PostgreSQL can finish at most: pgbench sends what the site sends for one, for learners who wait for it.

One learner finishes a lesson over the API, and the statements of that are kept with their values. Then pgbench sends the
same texts for thousands of others, each once, of whom everything that they depend on is a copy of that learner's: the open
attempt and its steps, the goals of the day, a token. So they write all that a completion writes, which is counted
afterwards. What the site reckons between two statements, pgbench has in its script.
"""

import re

from flask import Flask
from sqlalchemy import text

from bench.limits import Limit, Sent, listening, pgbench
from bench.load import CLIENTS
from bench.people import Waiting, as_autovacuum_leaves_it, crowd, open_lessons
from codyverse.core.database import db, session, unit_of_work

EACH = 250
"""Lessons that one client finishes."""
_FAR, _FURTHER = 5_000_000, 7_000_000
"""From where the ids of these learners and of their attempts are counted: nothing else in a statement has such a number."""
_NUMBERED = "select setval(pg_get_serial_sequence('{table}', 'id'), {number}, false)"
_HASH = "decode(lpad(to_hex({learner}), 64, '0'), 'hex')"
"""The hash by which a learner's token is known, from their id."""
_COPIES = (
    "update daily_goals set kind = 'lessons', target = 1 where user_id = :first and slot = 1",
    f"""
    update api_tokens set token_hash = {_HASH.format(learner="user_id")}
    where user_id between cast(:first as bigint) + 1 and :last
    """,
    """
    insert into attempts (id, user_id, lesson_id, seed, started_at, last_event_at, seconds)
    overriding system value
    select learner + :apart, learner, model.lesson_id, model.seed, model.started_at, model.last_event_at, model.seconds
    from attempts as model, generate_series(cast(:first as bigint) + 1, :last) as learner where model.user_id = :first
    """,
    """
    insert into attempt_steps (attempt_id, step_id, revision_id, position, asks, tries, first_correct, solved, done_at)
    select learner + :apart, model.step_id, model.revision_id, model.position, model.asks, model.tries,
           model.first_correct, model.solved, model.done_at
    from attempt_steps as model, generate_series(cast(:first as bigint) + 1, :last) as learner
    where model.attempt_id = :first + :apart
    """,
    """
    insert into daily_goals (user_id, local_date, slot, kind, target, coins)
    select learner, model.local_date, model.slot, model.kind, model.target, model.coins
    from daily_goals as model, generate_series(cast(:first as bigint) + 1, :last) as learner where model.user_id = :first
    """,
    """
    insert into activity_days (user_id, local_date)
    select learner, model.local_date
    from activity_days as model, generate_series(cast(:first as bigint) + 1, :last) as learner where model.user_id = :first
    """,
    "update users set locale = locale where id between :first and :last",
    "update attempts set seconds = seconds where user_id between :first and :last",
)
"""The last two give all rows one version, which a completion names."""
_WRITTEN = text("""
    select user_id, (select count(*) from attempts where user_id = users.id and completed_at is not null),
           (select count(*) from lesson_progress where user_id = users.id),
           (select sum(lessons) from activity_days where user_id = users.id),
           (select sum(xp) from activity_days where user_id = users.id),
           (select count(*) from ledger_entries where user_id = users.id),
           (select count(reached_at) from daily_goals where user_id = users.id),
           (select count(*) from earned_badges where user_id = users.id),
           (select count(*) from notifications where user_id = users.id), level, streak, xp, coins, gems
    from users join players on players.user_id = users.id where users.id between :first and :last order by user_id
""")


def ends_of_lessons(app: Flask, url: str) -> Limit:
    """pgbench with all that a completion sends, 16 clients, each lesson of another learner."""
    _count_from(app, "users", _FAR)
    *people, warm = crowd(app, 2 + CLIENTS * EACH, "ends")
    [other] = open_lessons(app, [warm], answered=True)
    _count_from(app, "attempts", _FURTHER)
    [model] = open_lessons(app, people[:1], answered=True)
    ids = {"first": people[0].id, "last": people[-1].id, "apart": _FURTHER - _FAR}
    if model.attempt_id != ids["first"] + ids["apart"] or ids["last"] - ids["first"] != CLIENTS * EACH:
        raise RuntimeError("somebody else made learners or attempts meanwhile")
    with app.app_context():
        _copy(ids)
        _sent(app, other)  # fills the caches
        sent = _sent(app, model)
        as_autovacuum_leaves_it()
        limit = Limit(pgbench(url, _script(sent, ids), "-t", str(EACH), "-D", "done=0"), len(sent))
        _must_have_written(ids)
        session.remove()
    return limit


def _count_from(app: Flask, table: str, number: int) -> None:
    with app.app_context(), unit_of_work():
        session.execute(text(_NUMBERED.format(table=table, number=number)))


def _copy(ids: dict[str, int]) -> None:
    with unit_of_work():
        for sql in _COPIES:
            session.execute(text(sql), ids)


def _sent(app: Flask, waiting: Waiting) -> list[Sent]:
    """What is sent for one completion."""
    client = app.test_client(use_cookies=False)
    with listening(app) as sent:
        headers = {"Authorization": f"Bearer {waiting.who.token}"}
        answered = client.post(f"/api/attempts/{waiting.attempt_id}/complete", headers=headers)
        db.engine.dispose()
    if answered.status_code != 200:
        raise RuntimeError(f"finishing a lesson answered {answered.status_code}: {answered.text[:300]}")
    return list(sent)


def _script(sent: list[Sent], ids: dict[str, int]) -> str:
    """The same for the next learner of each client; in one transaction what was in one."""
    lines = [
        "\\set done :done + 1",
        f"\\set learner {ids['first']} + :client_id * {EACH} + :done",
        f"\\set attempt :learner + {ids['apart']}",
    ]
    names = {ids["first"]: ":learner", ids["first"] + ids["apart"]: ":attempt"}
    within = False
    for each in sent:
        if within == each.alone:
            lines.append("commit;" if within else "begin;")
            within = not within
        said = re.sub(r"'\\x[0-9a-f]{64}'::bytea", _HASH.format(learner=":learner"), each.text)
        for number, name in names.items():
            said = re.sub(rf"\b{number}\b", f" {name}", said)
        lines.append(f"{said};")
    return "\n".join([*lines, *(["commit;"] if within else [])]) + "\n"


def _must_have_written(ids: dict[str, int]) -> None:
    """Raises RuntimeError unless each of them has now what the one has who did it over the API."""
    first, *others = (tuple(row)[1:] for row in session.execute(_WRITTEN, ids))
    wrong = [each for each in others if each != first]
    if wrong or len(others) != CLIENTS * EACH:
        raise RuntimeError(f"{len(wrong)} learners have not what {first} has, such as {wrong[:1]}")
