"""Every page there is to look at, with something on it: for the checks that visit all of them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from codyverse import jobs
from codyverse.accounts import profiles, tokens
from codyverse.accounts import services as accounts
from codyverse.core.clock import now, standing_at
from codyverse.core.database import db, unit_of_work
from codyverse.gamification import shop
from codyverse.gamification.leagues import services as leagues
from codyverse.gamification.leagues.rules import week_of
from codyverse.progress import rehearsal, services
from tests.e2e.conftest import Site
from tests.factories import make_user
from tests.watching import an_hour_of_figures, processes_and_runs

KINDS = ("teach", "choice", "choices", "blank", "order", "match", "parsons")
STEPS = """
select s.lesson_id, s.id, r.kind from steps s
join step_revisions r on r.id = s.revision_id join lessons l on l.id = s.lesson_id
where s.retired_at is null and l.retired_at is null order by s.lesson_id, s.position
"""
POSITION = "select position from attempt_steps where attempt_id = :attempt and step_id = :step"


@dataclass(frozen=True)
class Places:
    """Paths by name: `open` for strangers, `own` for the learner with this address, `watch` for the operator."""

    email: str
    beginner: str
    operator: str
    open: dict[str, str]
    own: dict[str, str]
    watch: dict[str, str]


def prepare(site: Site) -> Places:
    """A learner with three weeks behind them, and one of each kind of step open: fresh, wrong and right."""
    with site.app.app_context():
        email, beginner, operator = "places@example.org", "beginner@example.org", "operator@example.org"
        begun = now() - timedelta(days=20)
        with standing_at(begun):
            user_id = make_user(email=email, name="Pia", time_zone="Europe/Berlin")
            make_user(email=beginner, name="Nell")
            make_user(email=operator, name="Opal", role="operator", time_zone="Europe/Berlin")
        steps = db.session.execute(text(STEPS)).all()
        lessons = sorted({row.lesson_id for row in steps})
        style, dice = rehearsal.Style(0.7), random.Random(7)
        for index, lesson_id in enumerate(lessons[:6]):
            with unit_of_work():
                rehearsal.play(
                    user_id, lesson_id, begun + timedelta(days=3 * index), until=now(), style=style, dice=dice
                )
        attempt = db.session.execute(
            text("select max(id) from attempts where completed_at is not null")
        ).scalar_one()
        last = db.session.execute(
            text("select lesson_id from attempts where id = :a"), {"a": attempt}
        ).scalar_one()
        with unit_of_work():
            profiles.change_profile_page(
                user_id, handle="pia", public=True, shown=frozenset(profiles.SHOWABLE)
            )
        with unit_of_work():
            tokens.issue_token(user_id, "My phone", ["progress:read", "progress:write"])
        with unit_of_work():
            shop.purchase(user_id, "scarf", "nonce-of-a-scarf")
            shop.wear(user_id, "outfit", "scarf")
        own = {
            "dashboard": "/dashboard",
            "courses, signed in": "/courses",
            "course, signed in": "/courses/how-ai-works",
            "intro of a lesson": f"/lessons/{lessons[20]}",
            "intro, done before": f"/lessons/{lessons[0]}",
            "summary": f"/lessons/{last}/attempts/{attempt}",
            "ledger": "/ledger",
            "ledger, filtered": "/ledger?currency=coins&rule=lesson",
            "ledger, one entry": f"/ledger/{_newest_entry(user_id)}",
            "shop": "/shop",
            "goals": "/goals",
            "progress": "/progress",
            "progress, last month": f"/progress?month={now() - timedelta(days=30):%Y-%m}",
            "badges": "/badges",
            "public page, form": "/settings/public",
            "public page, own": "/u/pia",
            "settings": "/settings",
            "access tokens": "/settings/tokens",
            "signing in and safety": "/settings/security",
            "authenticator app": "/settings/security/app",
            "recovery codes": "/settings/security/codes",
            "passkeys": "/settings/security/passkeys",
            "devices": "/settings/security/sessions",
            "e-mail address": "/settings/address",
            "your data": "/settings/data",
            "notifications": "/notifications",
            "unread notifications": "/notifications?show=unread",
            "what to hear of": "/notifications/settings",
        }
        _leagues_of(user_id, lessons[25:33])
        own |= {"league": "/leaderboard", "league, last result": "/leaderboard?period=last"}
        own |= dict(_steps_of_each_kind(user_id, [tuple(row) for row in steps], set(lessons[6:20])))
        an_hour_of_figures()
        processes_and_runs()
        db.session.remove()
    strangers = {
        "landing": "/",
        "register": "/register",
        "sign in": "/login",
        "forgotten password": "/forgot",
        "link that is over": "/reset/used",
        "courses": "/courses",
        "course": "/courses/python-from-zero",
        "gallery": "/gallery",
        "public page": "/u/pia",
        "not found": "/no/such/place",
    }
    watch = {
        "system": "/admin/system",
        "api": "/admin/api",
        "api, a day": "/admin/api?range=day",
        "api, one endpoint": "/admin/api?range=month&of=lessons.answer",
        "learning": "/admin/learning",
        "learning, a year": "/admin/learning?range=year",
    }
    return Places(email, beginner, operator, strangers, own, watch)


def _leagues_of(user_id: int, lessons: list[int]) -> None:
    """A league of two weeks ago, closed, and one of this week, in company."""
    dice, style = random.Random(11), rehearsal.Style(0.7)
    before, today = now() - timedelta(days=14), now() - timedelta(hours=1)
    with standing_at(before):
        company = [make_user(name=name) for name in ("Ann", "Bo", "Cem", "Dee", "Eli", "Fay")]
    for each in (user_id, *company):
        with unit_of_work():
            accounts.choose_leagues(each, wanted=True)
            leagues.join(each, week_of(before.date()), before)
    for place, each in enumerate((*company, user_id)):
        then, this_week = lessons[: 1 + place % 4], lessons[4 : 5 + (place + 2) % 4]
        plays = [(before, lesson) for lesson in then if each != user_id] + [
            (today, lesson) for lesson in this_week
        ]
        for at, lesson_id in plays:
            with unit_of_work():
                rehearsal.play(each, lesson_id, at, until=now(), style=style, dice=dice)
    jobs.run("leagues-close")


def _newest_entry(user_id: int) -> int:
    newest = text("select max(id) from ledger_entries where user_id = :id")
    return int(db.session.execute(newest, {"id": user_id}).scalar_one())


def _steps_of_each_kind(
    user_id: int, steps: list[tuple[int, int, str]], among: set[int]
) -> Iterator[tuple[str, str]]:
    for kind in KINDS:
        found = [step for step in steps if step[2] == kind and step[0] in among]
        for state, (lesson_id, step_id, _) in zip(("fresh", "wrong", "right"), found, strict=False):
            with unit_of_work():
                attempt_id = services.start_attempt(user_id, lesson_id)
            which = {"attempt": attempt_id, "step": step_id}
            position = db.session.execute(text(POSITION), which).scalar_one()
            if kind != "teach" and state != "fresh":
                given = rehearsal.solution(attempt_id, step_id, right=state == "right")
                with unit_of_work():
                    services.answer_step(user_id, attempt_id, step_id, 1, given)
            yield f"{kind}, {state}", f"/lessons/{lesson_id}?step={position}"
            if kind == "teach":
                break
