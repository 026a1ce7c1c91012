"""What helps along in an attempt, over the API: hints, drafts, a step that was read."""

from codyverse.api.operation import Reply, operation
from codyverse.api.schemas.study import DraftIn, HintIn, HintOut
from codyverse.http.access import principal
from codyverse.progress import services

TAG = "Lessons"


@operation(
    "POST",
    "/attempts/<id:attempt_id>/steps/<id:step_id>/hints",
    "takeHint",
    tag=TAG,
    summary="Take a hint",
    scope="progress:write",
    body=HintIn,
    returns=HintOut,
    errors=("NOT_FOUND", "CONFLICT"),
    example={"number": 1},
)
def take_hint(attempt_id: int, step_id: int, body: HintIn) -> Reply:
    """Hints cost nothing. They are taken one after another; one that was taken before is only shown again."""
    html = services.take_hint(principal().id, attempt_id, step_id, body.number)
    return Reply(HintOut(step_id=step_id, number=body.number, html=html))


@operation(
    "POST",
    "/attempts/<id:attempt_id>/steps/<id:step_id>/read",
    "readStep",
    tag=TAG,
    summary="A teaching step was read",
    scope="progress:write",
    errors=("NOT_FOUND",),
)
def read_step(attempt_id: int, step_id: int) -> Reply:
    """Again, or after the attempt was finished, it is harmless. A step that asks is answered instead."""
    services.finish_teaching(principal().id, attempt_id, step_id)
    return Reply()


@operation(
    "PUT",
    "/attempts/<id:attempt_id>/steps/<id:step_id>/draft",
    "saveDraft",
    tag=TAG,
    summary="Keep a half-written answer",
    scope="progress:write",
    body=DraftIn,
    errors=("NOT_FOUND", "CONFLICT"),
    example={"answer": "o3f9", "tryNo": 1},
)
def save_draft(attempt_id: int, step_id: int, body: DraftIn) -> Reply:
    """It has the shape of an answer to the step and comes back with the attempt. The next answer clears it.

    With `tryNo` a draft that arrives after its answer is left aside.
    """
    given = body.model_dump(by_alias=True)["answer"]
    services.save_draft(principal().id, attempt_id, step_id, given, body.try_no)
    return Reply()
