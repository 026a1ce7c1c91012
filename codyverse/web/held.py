"""An answer that was sent after the session had ended is held in the signed cookie until its writer signs in again."""

import json
from typing import Any

from flask import request, session

from codyverse.core.errors import DomainError, Invalid
from codyverse.http.access import PERSON
from codyverse.progress import queries, services
from codyverse.web import answers

HELD = "held"
MOST_BYTES = 1_500


def hold() -> bool:
    """Keep the answer of this request, if it is one and small enough for a cookie; whether it was kept."""
    arguments = request.view_args or {}
    if request.endpoint != "lessons.answer" or session.get(PERSON) is None:
        return False
    try:
        given = answers.read(request.form.get("kind", ""), request.form)
    except Invalid:
        return False
    kept = {
        "person": session[PERSON],
        "lesson": arguments["lesson_id"],
        "step": arguments["step_id"],
        "given": given,
    }
    if len(json.dumps(kept)) > MOST_BYTES:
        return False
    session[HELD] = kept
    return True


def take() -> dict[str, Any] | None:
    """What is held in this browser; it is held no longer."""
    held: dict[str, Any] | None = session.pop(HELD, None)
    return held


def restore(held: dict[str, Any] | None, person_id: int) -> None:
    """Lay a held answer back into its form as a draft, if the same person has signed in. Inside a unit of work."""
    if held is None or held["person"] != person_id:
        return
    attempt_id = queries.open_attempt_id(person_id, held["lesson"])
    if attempt_id is None:
        return
    try:
        services.save_draft(person_id, attempt_id, held["step"], held["given"])
    except DomainError:
        return
