"""A learner's round through every page and endpoint, with the ids of what is really theirs."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from bench.buffers import Cost, measured
from codyverse import delivering
from codyverse.accounts import services as accounts
from codyverse.accounts import tokens
from codyverse.archives import preparing
from codyverse.cli.demo import PASSWORD
from codyverse.core.cache import levels
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.gamification.leagues import services as leagues
from codyverse.gamification.leagues.rules import week_of
from codyverse.progress import rehearsal
from codyverse.webhooks import services as webhooks

EMAIL, BOSS = "demo1@example.org", "round@example.org"
LEFT_OUT = {
    "api.streamNotifications": "stays open; the process for streams serves it",
    "mails.kept": "in development only",
    "mails.kept_html": "in development only",
    "mails.unsubscribe_page": "needs the secret of a mail",
    "recovery.reset_form": "needs the secret of a mail",
    "recovery.confirm_page": "needs the secret of a mail",
    "recovery.change_page": "needs the secret of a mail",
    "passkeys.remove_form": "needs a passkey, which only a browser makes",
    "second_factor.ask": "stands between two steps of signing in",
    "providers.away": "leads to a provider, and there is none",
    "providers.back": "comes from a provider, and there is none",
}
"""Pages and endpoints that are read, and why the round does not."""
FURTHER = (
    ("api.listUsers, by role", "api.listUsers", "/api/users?role=operator"),
    ("api.listUsers, from the middle", "api.listUsers", "/api/users?afterId={middle}"),
    ("ledger.show, the oldest", "ledger.show", "/ledger?before={early}"),
)
"""Lists that grow, where they are long: a name, what it is of, the path."""
AS_STRANGER = {
    "pages.landing",
    "accounts.register_form",
    "accounts.sign_in_form",
    "recovery.forgot_form",
    "profiles.show",
}
MUST_BE = {"data.archive": (200,), "api.exportMe": (200,)}
"""The statuses of what answers otherwise while there is nothing to fetch."""
_FACTS = {
    "course_id": "select course_id from lessons where id = :done",
    "slug": "select courses.key from courses join lessons on course_id = courses.id where lessons.id = :done",
    "attempt_id": "select max(id) from attempts where user_id = :me and lesson_id = :done and not reported",
    "entry_id": "select max(id) from ledger_entries where user_id = :me",
    "notification_id": "select max(id) from notifications where user_id = :me",
    "middle": "select max(id) / 2 from users where :me > 0",
    "early": "select min(id) + 1 from ledger_entries where user_id = :me",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A request and what it cost the database, its caches being empty; `seconds` with the measuring.

    One that is not `held` is no request, and shown without a bar.
    """

    name: str
    cost: Cost
    seconds: float
    held: bool = True


class Round:
    """One learner's way through the site, and an operator's where only they may go."""

    def __init__(self, app: Flask, league_members: int) -> None:
        self.app = app
        with app.app_context():
            self.me = int(self._one("select id from users where email = :e", e=EMAIL))
            self._open_leagues(league_members)
            self.ids = self._things()
            session.remove()
        self.learner, self.operator = app.test_client(), app.test_client()
        self.csrf = self._signed_in(self.learner, EMAIL)
        self._signed_in(self.operator, BOSS)

    def _one(self, sql: str, **values: Any) -> Any:
        return session.execute(text(sql), values).scalar_one()

    def _open_leagues(self, members: int) -> None:
        """The learner and others play in this week's league, in cohorts of thirty."""
        week = week_of(now().date())
        for user_id in (
            session.execute(text("select id from users order by id limit :n"), {"n": members}).scalars().all()
        ):
            with unit_of_work():
                accounts.choose_leagues(user_id, wanted=True)
                leagues.join(user_id, week, now())

    def _things(self) -> dict[str, Any]:
        done = "select lesson_id from attempts where user_id = :me and not reported order by id desc limit 1"
        lesson = self._one(done, me=self.me)
        known = {
            name: self._one(sql, me=self.me, done=lesson)
            for name, sql in _FACTS.items()
            if ":me" in sql and ":done" in sql
        }
        known |= {name: self._one(sql, done=lesson) for name, sql in _FACTS.items() if ":me" not in sql}
        known |= {name: self._one(sql, me=self.me) for name, sql in _FACTS.items() if ":done" not in sql}
        session.rollback()
        with unit_of_work():
            mine, info = tokens.issue_token(
                self.me, "round", tokens.allowed_scopes("learner", by_operator=True), by_operator=True
            )
            boss = accounts.create_account(BOSS, PASSWORD, "Round", role="operator")
            assert boss is not None
            theirs, _ = tokens.issue_token(
                boss, "round", tokens.allowed_scopes("operator", by_operator=True), by_operator=True
            )
            hook = webhooks.register(
                self.me,
                "https://9.9.9.9/hook",
                ["badge.earned"],
                "own",
                reach=delivering.reach(),
                seal=delivering.seal(),
            )
        return known | {
            "webhook_id": hook.webhook_id,
            "lesson_id": lesson,
            "user_id": self.me,
            "handle": "demo-1",
            "token_id": info.id,
            "mine": mine,
            "theirs": theirs,
        }

    def _signed_in(self, client: FlaskClient, email: str) -> str:
        page = client.get("/login").text
        fields = {"email": email, "password": PASSWORD, "csrf_token": _token(page)}
        answered = client.post("/login", data=fields)
        if answered.status_code != 303:
            raise RuntimeError(f"signing in answered {answered.status_code}")
        return _token(client.get("/settings").text)

    # --- the round ---

    def visits(self) -> Iterator[Visit]:
        """Every page and endpoint that is read, then a lesson from its start to its end, and what else is written.

        First of all an export is asked for and prepared, so that there is one to be fetched.
        """
        yield from self._an_export()
        for rule in sorted(self.app.url_map.iter_rules(), key=lambda rule: rule.rule):
            if "GET" in (rule.methods or ()) and rule.endpoint not in LEFT_OUT:
                path = self._path(rule.rule)
                if path is not None:
                    yield self._read(rule.endpoint, path)
        for name, endpoint, path in FURTHER:
            yield replace(self._read(endpoint, path.format(**self.ids)), name=name)
        yield from self._a_lesson()
        yield self._write("goals, another intensity", "/goals/intensity", {"goal_intensity": "regular"})
        yield self._write("notifications, all read", "/notifications/read", {})
        yield self._write("settings changed", "/settings/profile", _PROFILE)
        yield self._enter("register", "/register", {"display_name": "New", "email": "new@example.org"})
        yield self._enter("sign in", "/login", {"email": "new@example.org"})

    def _an_export(self) -> Iterator[Visit]:
        """Asked for on the page and over the API, waited for on both, and between them the job, which is no request."""
        yield self._write("an export: asked for", "/settings/data/archive", {})
        partial = {"HX-Request": "true", "HX-Request-Type": "partial"}
        yield self._measure(
            "an export: the page looks again",
            lambda: self.learner.get("/settings/data", headers=partial),
            (200,),
        )
        yield self._job("an export: the job that prepares it (not held)")
        with self.app.app_context(), unit_of_work():
            session.execute(_OTHERS, {"me": self.me})
        bare, headers = self.app.test_client(), {"Authorization": f"Bearer {self.ids['mine']}"}
        path = "/api/users/me/export"
        yield self._measure("api.askExport", lambda: bare.post(path, headers=headers), (202,))
        yield self._measure("api.exportMe, while it waits", lambda: bare.get(path, headers=headers), (202,))
        self._job("")

    def _job(self, name: str) -> Visit:
        began = time.perf_counter()
        with self.app.app_context(), measured() as cost:
            done = preparing.prepare()
        if done.prepared != 1:
            raise RuntimeError("the job has prepared no export")
        return Visit(name, cost, time.perf_counter() - began, held=False)

    def _path(self, rule: str) -> str | None:
        names = re.findall(r"<(?:\w+:)?(\w+)>", rule)
        if not all(name in self.ids for name in names):
            return None
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(self.ids[found[1]]), rule)

    def unknown(self) -> list[str]:
        """Readable paths with something in them that the round has no id for."""
        rules = [rule for rule in self.app.url_map.iter_rules() if "GET" in (rule.methods or ())]
        return [
            rule.endpoint for rule in rules if rule.endpoint not in LEFT_OUT and self._path(rule.rule) is None
        ]

    def _read(self, name: str, path: str) -> Visit:
        if not path.startswith("/api/") or name == "api.listTokens":
            client = self.operator if path.startswith("/admin") else self.learner
            if name in AS_STRANGER:
                client = self.app.test_client()
            return self._measure(name, lambda: client.get(path), MUST_BE.get(name, (200, 302, 303)))
        by_operator = name in {"api.listUsers", "api.getCourseSource"}
        headers = {"Authorization": f"Bearer {self.ids['theirs' if by_operator else 'mine']}"}
        bare = self.app.test_client()
        return self._measure(name, lambda: bare.get(path, headers=headers), MUST_BE.get(name, (200, 404)))

    def _write(
        self, name: str, path: str, fields: dict[str, Any], client: FlaskClient | None = None
    ) -> Visit:
        data = fields | {"csrf_token": self.csrf}
        sender = client or self.learner
        return self._measure(name, lambda: sender.post(path, data=data), (200, 204, 303))

    def _enter(self, name: str, path: str, fields: dict[str, Any]) -> Visit:
        stranger = self.app.test_client()
        data = fields | {
            "password": "wren-lantern-tide-42",
            "csrf_token": _token(stranger.get("/login").text),
        }
        return self._measure(name, lambda: stranger.post(path, data=data), (303,))

    def _measure(self, name: str, send: Any, good: tuple[int, ...]) -> Visit:
        with self.app.app_context():
            levels().clear()
        began = time.perf_counter()
        with measured() as cost:
            answer: TestResponse = send()
            answer.get_data()
        took = time.perf_counter() - began
        if answer.status_code not in good:
            raise RuntimeError(f"{name} answered {answer.status_code}: {answer.text[:500]}")
        return Visit(name, cost, took)

    def _a_lesson(self) -> Iterator[Visit]:
        """A lesson that is new to the learner: begun, each step read or answered, finished."""
        with self.app.app_context():
            fresh = self._one(
                "select id from lessons where id not in (select lesson_id from attempts where user_id = :me) order by id limit 1",
                me=self.me,
            )
        yield self._write("a lesson: begun", f"/lessons/{fresh}/start", {})
        yield self._read("a lesson: its page", f"/lessons/{fresh}")
        seen = set()
        with self.app.app_context():
            pins = self._steps(fresh)
        for attempt_id, step_id, asks in pins:
            path = f"/lessons/{fresh}/steps/{step_id}"
            what = "a step answered" if asks else "a step read"
            fields = self._answer(attempt_id, step_id) if asks else {}
            visit = self._write(f"a lesson: {what}", f"{path}/{'answer' if asks else 'read'}", fields)
            if what not in seen:
                yield visit
            seen.add(what)
        yield self._write("a lesson: finished", f"/lessons/{fresh}/complete", {"attempt_id": str(pins[0][0])})

    def _steps(self, lesson_id: int) -> list[tuple[int, int, bool]]:
        sql = """
            select attempt_id, step_id, asks from attempt_steps join attempts on attempts.id = attempt_id
            where user_id = :me and lesson_id = :lesson order by position
        """
        rows = session.execute(text(sql), {"me": self.me, "lesson": lesson_id}).all()
        session.remove()
        return [(row.attempt_id, row.step_id, row.asks) for row in rows]

    def _answer(self, attempt_id: int, step_id: int) -> dict[str, Any]:
        with self.app.app_context():
            given = rehearsal.solution(attempt_id, step_id)
            kind = self._one(
                "select kind from attempt_steps s join step_revisions r on r.id = s.revision_id where s.attempt_id = :a and s.step_id = :s",
                a=attempt_id,
                s=step_id,
            )
            session.remove()
        return {"kind": kind, "try_no": "1"} | _as_form(kind, given)


_OTHERS = text("""
    insert into prepared_exports (user_id, state, asked_at, tries, prepared_at, keep_until, size, archive, tables)
    select users.id, state, asked_at, tries, prepared_at, keep_until, size, archive, tables
    from prepared_exports, users where user_id = :me and users.id % 100 = 7 and users.id <> :me
""")
"""On each site one learner of a hundred has asked for theirs on the same day."""
_PROFILE = {"display_name": "Ada", "time_zone": "Europe/Berlin", "day_start_hour": "4"}


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    if found is None:
        raise RuntimeError("there is no form with a token on the page")
    return found[1]


def _as_form(kind: str, given: Any) -> dict[str, Any]:
    """An answer as the fields of the page's form."""
    match kind:
        case "blank":
            return {f"blank-{number}": value for number, value in enumerate(given)}
        case "match":
            return {f"match-{left}": right for left, right in given.items()}
        case "order":
            return {f"position-{name}": str(place) for place, name in enumerate(given, start=1)}
        case "parsons":
            lines = {f"position-{each['id']}": str(place) for place, each in enumerate(given, start=1)}
            return lines | {f"indent-{each['id']}": str(each["indent"]) for each in given}
    return {"answer": given}
