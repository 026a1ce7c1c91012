"""A world in which somebody owns one of everything, and how to send any operation to it.

Who adds an operation whose path or body names something new makes that here (`_things`), and says in `BODIES` what is
sent where the document's example does not fit.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select, text

from codyverse import delivering
from codyverse.accounts import tokens
from codyverse.api.courses import EXAMPLE
from codyverse.api.operation import Operation
from codyverse.archives import prepared, preparing
from codyverse.core.addresses import Reach
from codyverse.core.database import session, unit_of_work
from codyverse.courses import editing
from codyverse.courses.models import Course
from codyverse.progress import rehearsal, services
from codyverse.progress.models import AttemptStep
from codyverse.webhooks import queries as deliveries
from codyverse.webhooks import services as webhooks
from tests.api.client import Program, Told, spec_of, token_for
from tests.factories import make_user
from tests.web.playing import make_tea
from tests.web.visits import Visitor

PASSWORD = "a long pass phrase"
"""The one in the document's examples."""
NOWHERE = 2**62
COURSE = json.loads(json.dumps(EXAMPLE).replace("first-cup", "a-pot"))
WEBHOOK = "https://9.9.9.9/hook"
"""An address that needs no name server. Nothing is sent: no worker runs."""


@dataclass
class World:
    """Somebody, what belongs to them by the names in paths, and a program that may do all that they may."""

    app: Flask
    email: str
    user_id: int
    token: str
    ids: dict[str, Any]

    @cached_property
    def program(self) -> Program:
        return Program(self.app, self.token)

    @cached_property
    def browser(self) -> "Browser":
        """The same person with a browser's session."""
        return Browser(self.app, self.email)

    def send(self, op: Operation, *, by: Program | None = None, ids: Any = None, **more: Any) -> Told:
        """A whole and right sending of the operation, but for what is said otherwise."""
        given = {} if op.body is None else {"body": self.body(op)}
        headers = {"Idempotency-Key": "a-key-for-it"} if op.needs_key else {}
        given |= {"headers": headers} | more
        return (by or self.program).send(op.method, self.path(op, ids), **given)

    def path(self, op: Operation, ids: Any = None) -> str:
        """The path with the ids of what is there; `ids` takes the place of all of them, or of those that it names."""

        def part(found: re.Match[str]) -> str:
            name = found[1]
            if ids is not None and not isinstance(ids, dict):
                return str(ids)
            known = self.ids | (ids or {})
            assert name in known, f"{op.id}: tests/api/world.py makes nothing for {{{name}}}"
            return str(known[name])

        return re.sub(r"<(?:\w+:)?(\w+)>", part, op.path)

    def body(self, op: Operation) -> Any:
        """What `BODIES` says, or the document's example."""
        if op.id in BODIES:
            return BODIES[op.id](self)
        return example_of(self.app, op)


class Browser(Program):
    """A client with the session of a browser; `csrf` is what it sends as the CSRF token."""

    def __init__(self, app: Flask, email: str, password: str = PASSWORD) -> None:
        super().__init__(app)
        visitor = Visitor(app).sign_in(email, password)
        self.csrf = visitor.token()
        kept = visitor.client.get_cookie("codyverse")
        assert kept is not None
        self.cookie = kept.value

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Told:
        given = {"Cookie": f"codyverse={self.cookie}", "X-CSRFToken": self.csrf}
        return super().send(method, path, body, **more | {"headers": given | (more.get("headers") or {})})


def example_of(app: Flask, op: Operation) -> Any:
    """The example of the document: of the whole, or put together of those of its required fields."""
    if op.example is not None:
        return op.example
    spec = spec_of(app)
    asked = next(
        each for path in spec["paths"].values() for each in path.values() if each["operationId"] == op.id
    )
    schema = asked["requestBody"]["content"]["application/json"]["schema"]
    found = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return {name: _sample(spec, found["properties"][name]) for name in found.get("required", [])}


def _sample(spec: dict[str, Any], field: dict[str, Any]) -> Any:
    if "$ref" in field:
        return _sample(spec, spec["components"]["schemas"][field["$ref"].rsplit("/", 1)[1]])
    for name in ("examples", "enum"):
        if name in field:
            return field[name][0]
    plain = {
        "integer": field.get("minimum", 1),
        "number": field.get("minimum", 1),
        "boolean": True,
        "array": [],
    }
    return plain[field["type"]]


def _credentials(world: World) -> dict[str, Any]:
    return {"email": world.email, "password": PASSWORD, "name": "phone"}


def _blank(world: World) -> dict[str, Any]:
    return {"stepId": world.ids["step_id"], "tryNo": 1, "answer": world.ids["answer"]}


BODIES: dict[str, Any] = {
    "createToken": _credentials,
    "answerStep": _blank,
    "createCourse": lambda _: COURSE | {"key": "another-tea"},
    "replaceCourse": lambda world: COURSE | {"key": world.ids["course_key"]},
    "reportLesson": lambda world: {"lessonId": world.ids["lesson_id"], "timeSpent": 5, "score": 90},
    "saveProgress": lambda world: {"lessonId": world.ids["lesson_id"], "completed": False, "timeSpent": 5},
    "saveDraft": lambda world: {"answer": world.ids["draft"]},
    "wearItem": lambda _: {"kind": "outfit", "item": None},
    "chooseNotificationPreferences": lambda _: {
        "shown": ["badge"],
        "mailed": ["badge"],
        "mailHour": 8,
        "quietHours": None,
    },
    "createWebhook": lambda _: {"url": f"{WEBHOOK}/another", "events": ["badge.earned"]},
}


def make_world(app: Flask, folder: Path, role: str = "learner", email: str = "ada@example.org") -> World:
    """Everything that is first belongs to this person. On an empty database all ids are 1, as in the examples."""
    user_id = make_user(email=email, role=role, password=PASSWORD)
    text = token_for(user_id)
    found = tokens.principal_for_bearer(text)
    assert found is not None
    ids = {"user_id": user_id, "token_id": found[0].token_id} | _things(user_id, folder)
    session.remove()  # what it has read so far would be a savepoint around all that programs do
    return World(app, email, user_id, text, ids)


def _things(user_id: int, folder: Path) -> dict[str, Any]:
    """A course of the API, one of files, a webhook, a lesson that was finished once and is open again."""
    key = f"tea-of-{user_id}"
    with unit_of_work():
        course_id = editing.create_course(COURSE | {"key": key})
        hook = webhooks.register(
            user_id,
            WEBHOOK,
            ["lesson.completed"],
            "own",
            reach=Reach((), https_only=True),
            seal=delivering.seal(),
        )
    things = {"course_id": course_id, "course_key": key, "webhook_id": hook.webhook_id}
    things |= _study(user_id, make_tea(folder))
    with unit_of_work():
        prepared.ask(user_id)
    preparing.prepare()
    [delivery] = deliveries.deliveries_page(user_id, hook.webhook_id, 1, 10).items
    for name, table in (("entry_id", "ledger_entries"), ("notification_id", "notifications")):
        first = text(f"select min(id) from {table} where user_id = :id")
        things[name] = session.execute(first, {"id": user_id}).scalar_one()
    return things | {"delivery_id": delivery.id, "item_id": "scarf"}


def _study(user_id: int, lesson_id: int) -> dict[str, Any]:
    with unit_of_work():
        first = services.start_attempt(user_id, lesson_id)
    asking = select(AttemptStep.step_id).where(AttemptStep.attempt_id == first, AttemptStep.asks)
    steps = list(session.scalars(asking.order_by(AttemptStep.position)))
    for step_id in steps:
        given = rehearsal.solution(first, step_id)
        with unit_of_work():
            services.answer_step(user_id, first, step_id, 1, given)
    with unit_of_work():
        services.complete_attempt(user_id, first)
    with unit_of_work():
        opened = services.start_attempt(user_id, lesson_id)
    return {
        "lesson_id": lesson_id,
        "attempt_id": first,
        "open_attempt_id": opened,
        "step_id": steps[0],
        "teaching_step_id": session.scalars(
            select(AttemptStep.step_id).where(AttemptStep.attempt_id == first, ~AttemptStep.asks)
        ).first(),
        "answer": rehearsal.solution(first, steps[0]),
        "draft": rehearsal.solution(opened, steps[0]),
        "file_course_id": session.scalars(select(Course.id).where(Course.key == "tea")).one(),
    }
