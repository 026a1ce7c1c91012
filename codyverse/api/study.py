"""Doing a lesson over the API: the server grades and times it, as on the page."""

from codyverse.api.operation import Reply, leads_to, operation
from codyverse.api.schemas.study import (
    AnsweredOut,
    AnswerIn,
    AttemptOut,
    CompletionOut,
    EntryOut,
    RewardsOut,
    VerdictOut,
)
from codyverse.gamification import queries as game
from codyverse.http.access import principal
from codyverse.http.repeating import harmless_again
from codyverse.progress import queries, services

TAG = "Lessons"
ATTEMPT = "$response.body#/data/attemptId"


@operation(
    "POST",
    "/lessons/<id:lesson_id>/attempts",
    "startAttempt",
    tag=TAG,
    summary="Begin a lesson",
    scope="progress:write",
    returns=AttemptOut,
    status=201,
    also=(200,),
    errors=("LESSON_NOT_FOUND",),
    links=leads_to("getAttempt", "answerStep", "completeAttempt", attemptId=ATTEMPT),
)
@harmless_again
def start_attempt(lesson_id: int) -> Reply:
    """201 with a new attempt, 200 with the one that is open. It pins its steps as they are now."""
    who = principal()
    attempt_id, is_new = services.begin_attempt(who.id, lesson_id)
    return Reply(
        AttemptOut.model_validate(queries.whole_attempt(who.id, attempt_id)),
        "The attempt began." if is_new else "The attempt is open already.",
        status=201 if is_new else 200,
        location=f"/api/attempts/{attempt_id}",
    )


@operation(
    "GET",
    "/attempts/<id:attempt_id>",
    "getAttempt",
    tag=TAG,
    summary="An attempt with all its steps",
    scope="progress:read",
    returns=AttemptOut,
    errors=("NOT_FOUND",),
)
def get_attempt(attempt_id: int) -> Reply:
    """Your own, open or finished. Answers are not in it."""
    return Reply(AttemptOut.model_validate(queries.whole_attempt(principal().id, attempt_id)))


@operation(
    "POST",
    "/attempts/<id:attempt_id>/answers",
    "answerStep",
    tag=TAG,
    summary="Answer a step",
    scope="progress:write",
    body=AnswerIn,
    returns=AnsweredOut,
    errors=("NOT_FOUND", "CONFLICT"),
    links={"completeAttempt": {"attemptId": "$request.path.attemptId"}},
)
@harmless_again
def answer_step(attempt_id: int, body: AnswerIn) -> Reply:
    """The verdict with its explanation. The first try at a step counts for the score; any number may follow."""
    given = body.model_dump(by_alias=True)["answer"]
    verdict = services.answer_step(principal().id, attempt_id, body.step_id, body.try_no, given)
    told = VerdictOut.model_validate(verdict)
    return Reply(AnsweredOut(step_id=body.step_id, try_no=body.try_no, verdict=told))


@operation(
    "POST",
    "/attempts/<id:attempt_id>/complete",
    "completeAttempt",
    tag=TAG,
    summary="Finish an attempt",
    scope="progress:write",
    returns=CompletionOut,
    errors=("NOT_FOUND", "ATTEMPT_INCOMPLETE"),
)
@harmless_again
def complete_attempt(attempt_id: int) -> Reply:
    """Every step that asks must be answered. Again it changes nothing and says the same."""
    who = principal()
    services.complete_attempt(who.id, attempt_id)
    return Reply(_completion(who.id, attempt_id))


def _completion(user_id: int, attempt_id: int) -> CompletionOut:
    done, rewards = queries.completion(user_id, attempt_id), game.rewards_of(user_id, attempt_id)
    fields = {name: getattr(done, name) for name in CompletionOut.model_fields if name != "rewards"}
    return CompletionOut(
        **fields | {"score": float(done.score), "best_score": float(done.best_score)},
        rewards=RewardsOut(
            xp=rewards.xp,
            coins=rewards.coins,
            gems=rewards.gems,
            entries=[EntryOut.model_validate(_entry(each)) for each in rewards.entries],
            level_up=rewards.level_up.number if rewards.level_up else None,
        ),
    )


def _entry(entry: object) -> dict[str, object]:
    return {name: getattr(entry, name) for name in EntryOut.model_fields}
