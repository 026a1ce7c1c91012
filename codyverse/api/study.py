"""Doing a lesson over the API: the server grades and times it, as on the page."""

from codyverse.api.operation import Reply, leads_to, operation
from codyverse.api.schemas.study import (
    AnsweredOut,
    AnswerIn,
    AttemptOut,
    CompletionOut,
    VerdictOut,
)
from codyverse.core.together import together
from codyverse.courses import queries as courses
from codyverse.gamification import queries as game
from codyverse.gamification.brought import Brought, brought_as, brought_by
from codyverse.http.access import principal
from codyverse.http.repeating import harmless_again
from codyverse.progress import queries, seen, services

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
    brings=(seen.ATTEMPT,),
    errors=("NOT_FOUND", "ATTEMPT_INCOMPLETE"),
)
@harmless_again
def complete_attempt(attempt_id: int) -> Reply:
    """Every step that asks must be answered. Again it changes nothing and says the same."""
    who = principal()
    with together() as fact:
        finished = services.complete_attempt(who.id, attempt_id)
    if finished is None:
        return Reply(_completion(who.id, attempt_id))
    lesson = courses.lesson(finished.lesson_id)
    titles = (lesson.title, lesson.next_lesson_id)
    return Reply(_completed(finished, *titles, brought_by(fact, who.id)))


def _completion(user_id: int, attempt_id: int) -> dict[str, object]:
    """Of one that was finished before."""
    done, rewards = queries.completion(user_id, attempt_id), game.rewards_of(user_id, attempt_id)
    return _completed(done, done.lesson_title, done.next_lesson_id, brought_as(rewards))


def _completed(
    done: services.Finished | queries.Completion, title: str, next_lesson_id: int | None, brought: Brought
) -> dict[str, object]:
    """The fields of CompletionOut, which are checked with the answer."""
    return {
        "attempt_id": done.attempt_id,
        "lesson_id": done.lesson_id,
        "lesson_title": title,
        "first_time": done.first_time,
        "score": float(done.score),
        "best_score": float(done.best_score),
        "right": done.right,
        "asked": done.asked,
        "seconds": done.seconds,
        "completed_at": done.completed_at,
        "local_date": done.local_date,
        "next_lesson_id": next_lesson_id,
        "rewards": {
            "xp": brought.xp,
            "coins": brought.coins,
            "gems": brought.gems,
            "entries": [line._asdict() for line in brought.entries],
            "level_up": brought.level,
        },
    }
