"""Learners by the thousand for a benchmark: made in bulk, with sessions and tokens, and lessons that wait for their end."""

import hashlib
import secrets
from dataclasses import dataclass

from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import text

from codyverse.accounts import tokens
from codyverse.accounts.queries import token_hash
from codyverse.core.clock import now
from codyverse.core.database import db, session, unit_of_work
from codyverse.gamification import services as game
from codyverse.progress import rehearsal, services

_PEOPLE = text("""
    with made as (
        insert into users (email, email_key, display_name, password_hash)
        select mail, mail, 'Learner ' || n, 'none'
        from generate_series(1, :number) as n, lateral (select :name || n || '@example.org' as mail) as named
        returning id
    ), facts as (
        insert into zone_facts (user_id, since, time_zone, day_start_hour) select id, now(), 'UTC', 4 from made
    ), players as (
        insert into players (user_id, xp, coins, gems, level) select id, 0, 0, 0, 1 from made
    )
    select id from made order by id
""")
_TOKENS = text("""
    insert into api_tokens (user_id, name, token_hash, hint, scopes, created_at, last_used_at)
    select given.user_id, 'bench', given.hash, 'abcd', cast(:scopes as jsonb), now(), now()
    from unnest(cast(:ids as bigint[]), cast(:hashes as bytea[])) as given (user_id, hash)
""")
_SESSIONS = text("""
    insert into sessions (token_hash, user_id, agent, created_at, last_seen_at)
    select given.hash, given.user_id, 'bench', now(), now()
    from unnest(cast(:ids as bigint[]), cast(:hashes as bytea[])) as given (user_id, hash)
""")
_LESSON = text("select id from lessons where retired_at is null order by id offset :done limit 1")
_STEP = text("""
    select step.step_id from attempt_steps as step join step_revisions as revision on revision.id = step.revision_id
    where step.attempt_id = :attempt and revision.kind = 'choice' order by step.position limit 1
""")
_ANSWERED = text("""
    update attempt_steps set tries = case when asks then 1 else 0 end, first_correct = case when asks then true end,
        solved = asks, done_at = now()
    where attempt_id = any(:attempts)
""")


@dataclass(frozen=True, slots=True)
class Learner:
    """Somebody with a session's cookie, a form's CSRF token, and a token of the API."""

    id: int
    cookie: str
    csrf: str
    token: str


def as_autovacuum_leaves_it() -> None:
    """Statistics as any site has them a minute after its tables have grown."""
    with db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("vacuum analyze"))


def crowd(app: Flask, number: int, name: str = "crowd") -> list[Learner]:
    """So many new learners; another `name` for each crowd of a site."""
    with app.app_context():
        with unit_of_work():
            ids = list(session.execute(_PEOPLE, {"number": number, "name": name}).scalars())
            texts = [tokens.make_secret() for _ in ids]
            browser = [secrets.token_urlsafe(24) for _ in ids]
            scopes = '["game:read", "courses:read", "progress:read", "progress:write"]'
            hashes = [tokens.hashed(each) for each in texts]
            session.execute(_TOKENS, {"ids": ids, "hashes": hashes, "scopes": scopes})
            session.execute(_SESSIONS, {"ids": ids, "hashes": [token_hash(each) for each in browser]})
        session.remove()
        as_autovacuum_leaves_it()
    seen = int(now().timestamp())
    signed = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    assert isinstance(app.secret_key, str)
    forms = URLSafeTimedSerializer(app.secret_key, salt="wtf-csrf-token")
    found = []
    for place, (person, kept, token) in enumerate(zip(ids, browser, texts, strict=True)):
        raw = hashlib.sha256(f"{place}".encode()).hexdigest()[:40]
        cookie = signed.dumps(
            {"token": kept, "person": person, "seen": seen, "csrf_token": raw, "_permanent": True}
        )
        name = app.config["SESSION_COOKIE_NAME"]
        found.append(Learner(person, f"{name}={cookie}", str(forms.dumps(raw)), token))
    return found


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lesson that somebody has open: a choice to be answered, and its right answer."""

    who: Learner
    lesson_id: int
    attempt_id: int
    step_id: int
    answer: str


def open_lessons(app: Flask, people: list[Learner], *, answered: bool, done: int = 0) -> list[Waiting]:
    """Each begins the first lesson, or the next after so many that are `done`; with `answered` only its end is left to do."""
    found = []
    with app.app_context():
        lesson_id = int(session.execute(_LESSON, {"done": done}).scalar_one())
        for who in people:
            with unit_of_work():
                attempt_id = services.start_attempt(who.id, lesson_id)
            step_id = int(session.execute(_STEP, {"attempt": attempt_id}).scalar_one())
            given = rehearsal.solution(attempt_id, step_id)
            with unit_of_work():  # the day's first write sets its goals; what has a budget is any other one
                game.keep_todays_goals(who.id)
            found.append(Waiting(who, lesson_id, attempt_id, step_id, str(given)))
        if answered:
            with unit_of_work():
                session.execute(_ANSWERED, {"attempts": [each.attempt_id for each in found]})
        session.remove()
        as_autovacuum_leaves_it()
    return found


def after_first_lesson(app: Flask, people: list[Learner]) -> list[Learner]:
    """The same people, each of whom has finished the first lesson."""
    waiting = open_lessons(app, people, answered=True)
    with app.app_context():
        for each in waiting:
            with unit_of_work():
                services.complete_attempt(each.who.id, each.attempt_id)
        session.remove()
    return people
