"""A learner at a lesson, in a browser without JavaScript or as htmx asks: opens steps, fills their forms, sends them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from codyverse.core.database import session, unit_of_work
from codyverse.courses.models import Lesson
from codyverse.courses.services import apply_course
from codyverse.progress import rehearsal
from tests.domains.courses import samples
from tests.web.visits import Page, Visitor


def make_tea(folder: Path, *more: str) -> int:
    """The sample course, whose first lesson teaches once and asks in every kind; that lesson's id."""
    lessons = {f"tea/01-basics/0{number}-more.md": text for number, text in enumerate(more, start=2)}
    [source] = samples.courses(samples.tea(folder, **lessons))
    with unit_of_work():
        apply_course(source, 1)
    found = select(Lesson.id).where(Lesson.key == "first-cup")
    return int(session.scalars(found).one())


def as_fields(kind: str, given: Any) -> dict[str, Any]:
    """The fields with which a form sends an answer in the contract's shape."""
    if kind in {"choice", "choices"}:
        return {"answer": given}
    if kind == "blank":
        return {f"blank-{number}": typed for number, typed in enumerate(given)}
    if kind == "match":
        return {f"match-{left}": right for left, right in given.items()}
    if kind == "order":
        return {f"position-{name}": str(place) for place, name in enumerate(given, start=1)}
    places = {f"position-{line['id']}": str(place) for place, line in enumerate(given, start=1)}
    return places | {f"indent-{line['id']}": str(line["indent"]) for line in given}


@dataclass
class Step:
    """A step of the open attempt: what its forms need."""

    step_id: int
    position: int
    kind: str


@dataclass
class Playing:
    """Somebody who plays one lesson."""

    visitor: Visitor
    email: str
    lesson_id: int
    htmx: bool = False

    @property
    def attempt_id(self) -> int:
        """The newest attempt of this person at this lesson."""
        query = text(
            "select max(a.id) from attempts a join users u on u.id = a.user_id where u.email = :email and lesson_id = :id"
        )
        return int(session.execute(query, {"email": self.email, "id": self.lesson_id}).scalar_one())

    @property
    def steps(self) -> list[Step]:
        query = text(
            "select s.step_id, s.position, r.kind from attempt_steps s join step_revisions r on r.id = s.revision_id "
            "where attempt_id = :id order by s.position"
        )
        return [Step(*row) for row in session.execute(query, {"id": self.attempt_id})]

    def begin(self) -> "Playing":
        self.visitor.submit(
            self.visitor.get(f"/lessons/{self.lesson_id}"), f"/lessons/{self.lesson_id}/start"
        )
        return self

    def see(self, step: int | None = None) -> Page:
        return self.visitor.get(
            f"/lessons/{self.lesson_id}" + ("" if step is None else f"?step={step}"), htmx=self.htmx
        )

    def url(self, step: Step, act: str) -> str:
        return f"/lessons/{self.lesson_id}/steps/{step.step_id}/{act}"

    def fields(self, step: Step, *, right: bool = True) -> dict[str, Any]:
        """A whole answer to this step."""
        return as_fields(step.kind, rehearsal.solution(self.attempt_id, step.step_id, right=right))

    def send(
        self, step: Step, act: str, fields: dict[str, Any], *, status: int | None = None, try_no: int = 1
    ) -> Page:
        """Send one of the step's forms; then the page that a browser shows, or the fragment that htmx swaps in."""
        data = {"kind": step.kind, "try_no": str(try_no), **fields}
        expected = status or (200 if self.htmx else 303)
        return self.visitor.post(self.url(step, act), data, status=expected, htmx=self.htmx)

    def answer(self, step: Step, *, right: bool = True, try_no: int = 1, status: int | None = None) -> Page:
        return self.send(step, "answer", self.fields(step, right=right), try_no=try_no, status=status)

    def shown(self, page: Page) -> Page:
        """What a person sees after a form was sent: the place it leads to, or what was swapped in."""
        return page if self.htmx or page.status != 303 else self.visitor.get(page.response.location)

    def complete(self, *, attempt_id: int | None = None, status: int | None = None) -> Page:
        fields = {"attempt_id": str(attempt_id or self.attempt_id)}
        expected = status or (200 if self.htmx else 303)
        return self.visitor.post(
            f"/lessons/{self.lesson_id}/complete", fields, status=expected, htmx=self.htmx
        )

    def answer_all(self) -> "Playing":
        for step in self.steps:
            if step.kind == "teach":
                self.send(step, "read", {})
            else:
                self.answer(step)
        return self
