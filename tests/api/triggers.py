"""What brings an operation to each of its own statuses and codes: those that no rule brings all operations to.

Keyed by the operation's id and the status of success or the code. Each gets a world of its own and answers what came.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from codyverse.accounts import tokens
from codyverse.api.operation import OPERATIONS
from codyverse.core.database import session, unit_of_work
from codyverse.progress import rehearsal
from tests.api.client import Program, Told, token_for
from tests.api.world import World
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
