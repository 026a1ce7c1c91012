"""What brings an operation to each of its own statuses and codes: those that no rule brings all operations to.

Keyed by the operation's id and the status of success or the code. Each gets a world of its own and answers what came.
"""

from collections.abc import Callable
from typing import Any

import pyotp
from sqlalchemy import text

from codyverse.accounts import second_factor, tokens
from codyverse.api.operation import OPERATIONS
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.http import seals
from codyverse.progress import rehearsal
from tests.api.client import Program, Told, token_for
from tests.api.world import NOWHERE, PASSWORD, World
from tests.factories import make_user

Trigger = Callable[[World], Told]
TRIGGERS: dict[tuple[str, str], Trigger] = {}


def trigger(operation: str, *names: str | int) -> Callable[[Trigger], Trigger]:
    """The function below brings the operation to this status or code."""

    def keep(act: Trigger) -> Trigger:
        for name in names:
            assert (operation, str(name)) not in TRIGGERS, (operation, name)
            TRIGGERS[operation, str(name)] = act
        return act

    return keep


def sent(world: World, operation: str, **more: Any) -> Told:
    """The operation as it is sent when all is right, but for what is said."""
    return world.send(OPERATIONS[operation], **more)


def app_of(user_id: int) -> str:
    """Set up an authenticator app for this person; a code of it that is good now."""
    seal = seals.second_factors()
    with unit_of_work():
        second_factor.begin_app(user_id, PASSWORD, seal)
    secret = second_factor.waiting_secret(user_id, seal)
    assert secret is not None
    app = pyotp.TOTP(secret)
    step = app.timecode(now())
    with unit_of_work():
        second_factor.confirm_app(user_id, app.generate_otp(step), seal)
    return app.generate_otp(step + 1)


def stranger(world: World) -> Program:
    return Program(world.app)


# --- accounts ---


@trigger("createToken", "201")
def _(world: World) -> Told:
    return sent(world, "createToken", by=stranger(world))


@trigger("createToken", "CONFLICT")
def _(world: World) -> Told:
    for _ in range(tokens.MOST_TOKENS - 1):
        token_for(world.user_id, "profile:read")
    return sent(world, "createToken", by=stranger(world))


@trigger("createToken", "SECOND_FACTOR_REQUIRED")
def _(world: World) -> Told:
    """The password is right; first no code is sent, then one that does not fit, then a good one, twice."""
    code = app_of(world.user_id)
    asked = sent(world, "createToken", by=stranger(world))
    body = world.body(OPERATIONS["createToken"])
    assert (asked.status, asked.code) == (401, "SECOND_FACTOR_REQUIRED")
    for wrong, status in (("000000", 401), ("x", 401), (code, 201)):
        given = body | {"secondFactor": wrong}
        assert sent(world, "createToken", by=stranger(world), body=given).status == status
    return sent(world, "createToken", by=stranger(world), body=body | {"secondFactor": code})


@trigger("listTokens", "200")
def _(world: World) -> Told:
    return sent(world, "listTokens", by=world.browser)


@trigger("listTokens", "304")
def _(world: World) -> Told:
    first = sent(world, "listTokens", by=world.browser)
    return sent(world, "listTokens", by=world.browser, headers={"If-None-Match": first.headers["ETag"]})


@trigger("listTokens", "FORBIDDEN")
def _(world: World) -> Told:
    return sent(world, "listTokens")


# --- people ---


@trigger("exportMe", "202")
def _(world: World) -> Told:
    sent(world, "askExport")
    return sent(world, "exportMe")


@trigger("exportMe", "NOT_FOUND")
def _(world: World) -> Told:
    return sent(world, "exportMe", by=Program(world.app, token_for(make_user())))


# --- lessons ---


@trigger("startAttempt", "201")
def _(world: World) -> Told:
    somebody = Program(world.app, token_for(make_user()))
    return sent(world, "startAttempt", by=somebody)


@trigger("startAttempt", "200")
def _(world: World) -> Told:
    return sent(world, "startAttempt")


@trigger("answerStep", "CONFLICT")
def _(world: World) -> Told:
    attempt_id, step_id = world.ids["attempt_id"], world.ids["step_id"]
    another = {"answer": rehearsal.solution(attempt_id, step_id, right=False)}
    return sent(world, "answerStep", body=world.body(OPERATIONS["answerStep"]) | another)


@trigger("completeAttempt", "ATTEMPT_INCOMPLETE")
def _(world: World) -> Told:
    return sent(world, "completeAttempt", ids={"attempt_id": world.ids["open_attempt_id"]})


# --- courses ---


@trigger("createCourse", "CONFLICT")
def _(world: World) -> Told:
    return sent(world, "createCourse", body=world.body(OPERATIONS["replaceCourse"]))


def of_files(operation: str) -> Trigger:
    """The course comes from files: the API reads it only."""
    return lambda world: sent(world, operation, ids={"course_id": world.ids["file_course_id"]})


for name in ("replaceCourse", "changeCourse", "retireCourse"):
    trigger(name, "CONFLICT")(of_files(name))


# --- webhooks ---


@trigger("createWebhook", "CONFLICT")
def _(world: World) -> Told:
    sent(world, "createWebhook")
    return sent(world, "createWebhook")


@trigger("replayDelivery", "CONFLICT")
def _(world: World) -> Told:
    with unit_of_work():
        session.execute(text("update webhooks set off_at = created_at"))
    return sent(world, "replayDelivery")


# --- the steps of an attempt ---


def of_the_open_attempt(operation: str, step: str = "step_id") -> Trigger:
    return lambda world: sent(
        world,
        operation,
        ids={"attempt_id": world.ids["open_attempt_id"], "step_id": world.ids[step]},
    )


def as_it_is(operation: str) -> Trigger:
    """The attempt of the world is finished."""
    return lambda world: sent(world, operation)


trigger("takeHint", OPERATIONS["takeHint"].status)(of_the_open_attempt("takeHint"))
trigger("saveDraft", OPERATIONS["saveDraft"].status)(of_the_open_attempt("saveDraft"))
trigger("readStep", OPERATIONS["readStep"].status)(of_the_open_attempt("readStep", "teaching_step_id"))
trigger("takeHint", "CONFLICT")(as_it_is("takeHint"))


@trigger("saveDraft", "CONFLICT")
def _(world: World) -> Told:
    return sent(world, "saveDraft", body={"answer": world.ids["answer"]})


# --- reports ---


def of_no_lesson(operation: str) -> Trigger:
    return lambda world: sent(
        world, operation, body=world.body(OPERATIONS[operation]) | {"lessonId": NOWHERE}
    )


for name in ("reportLesson", "saveProgress"):
    trigger(name, "LESSON_NOT_FOUND")(of_no_lesson(name))


# --- the shop ---


@trigger("buyItem", "201")
def _(world: World) -> Told:
    with unit_of_work():
        session.execute(text("update players set coins = 1000"))
    return sent(world, "buyItem")


@trigger("buyItem", "CONFLICT")
def _(world: World) -> Told:
    with unit_of_work():
        session.execute(text("update players set coins = 0"))
    return sent(world, "buyItem")


@trigger("buyItem", "NOT_FOUND")
def _(world: World) -> Told:
    return sent(world, "buyItem", ids={"item_id": "a-thing-of-nowhere"})


@trigger("wearItem", "NOT_FOUND")
def _(world: World) -> Told:
    return sent(world, "wearItem", body={"kind": "outfit", "item": "a-thing-of-nowhere"})
