"""Before an answer is given, nothing of it is on the page: shown for every exercise of the real courses.

The strongest form of it: a page is the same, to the letter, when every answer behind it is another one.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from lxml import html
from sqlalchemy import select, text, update

from codyverse.core.database import session
from codyverse.courses.exercises.ids import shuffled
from codyverse.courses.models import StepRevision
from codyverse.progress.models import Attempt
from codyverse.progress.rules import attempt_key
from tests.domains.study import start
from tests.factories import make_user
from tests.web.playing import make_tea
from tests.web.visits import HTMX, Visitor

STEPS = text(
    "select a.id as attempt_id, a.lesson_id, s.position, r.id as revision_id, r.exercise from attempts a "
    "join attempt_steps s on s.attempt_id = a.id join step_revisions r on r.id = s.revision_id where s.asks "
    "order by a.lesson_id, s.position"
)
OTHER = "<p>Quite another text.</p>"
FIELD_NAME = re.compile(r"answer|blank-\d+|(match|position|indent)-o[0-9a-f]{15}")
FIELD_VALUE = re.compile(r"|\d+|o[0-9a-f]{15}")
IDS = re.compile(r"(option|item|left)-o[0-9a-f]{15}|blank-\d+|place-word|line-place-word|indent-word")


@dataclass(frozen=True)
class Shown:
    """An exercise, and where it is asked."""

    path: str
    revision_id: int
    exercise: dict[str, Any]


def begin_everything(app: Flask) -> Visitor:
    """Ada, who has begun every lesson there is and answered nothing."""
    ada = make_user(email="ada@example.org")
    for lesson_id in session.scalars(text("select id from lessons where retired_at is null")).all():
        start(ada, lesson_id)
    visitor = Visitor(app).sign_in("ada@example.org")
    visitor.token()  # from now on the cookie stays as it is
    return visitor


@pytest.fixture
def reader(app: Flask) -> Visitor:
    """Ada at the real courses."""
    done = app.test_cli_runner().invoke(args=["content", "apply"])
    assert done.exit_code == 0, done.output
    visitor = begin_everything(app)
    # nothing of it is committed, so that nobody else ever looks how much there is
    session.execute(text("analyze"))
    return visitor


@pytest.fixture
def tea_reader(app: Flask, tmp_path: Path) -> Visitor:
    """Ada at the sample lesson with every kind of exercise."""
    make_tea(tmp_path)
    return begin_everything(app)


def exercises() -> list[Shown]:
    """Every exercise, under a secret with which its parts do not happen to lie in order already."""
    rows = session.execute(STEPS).all()
    for attempt_id in {row.attempt_id for row in rows}:
        _unsolve(attempt_id)
    session.commit()
    return [
        Shown(f"/lessons/{row.lesson_id}?step={row.position}", row.revision_id, row.exercise) for row in rows
    ]


def _unsolve(attempt_id: int) -> None:
    query = text(
        "select r.exercise from attempt_steps s join step_revisions r on r.id = s.revision_id "
        "where s.attempt_id = :id and r.kind in ('order', 'parsons')"
    )
    sorting = session.scalars(query, {"id": attempt_id}).all()
    seed = session.scalars(select(Attempt.seed).where(Attempt.id == attempt_id)).one()
    while any(lies_in_order(exercise, attempt_key(seed)) for exercise in sorting):
        seed += 1
    session.execute(update(Attempt).where(Attempt.id == attempt_id).values(seed=seed))


def lies_in_order(exercise: dict[str, Any], key: bytes) -> bool:
    """Whether the first shuffle is an answer before or after `turned`, so that another one would be drawn."""
    for each in (exercise, turned(exercise)):
        if each["kind"] == "order":
            names = [item["id"] for item in each["items"]]
            if shuffled(each, key, names) in each["orders"]:
                return True
        else:
            lines = {line["id"]: line for line in each["lines"]}
            order = [lines[name] for name in shuffled(each, key, list(lines))]
            codes = [line["text"] for line in order if line["why"] is None]
            if codes in [[code for code, _ in program] for program in each["solutions"]]:
                return True
    return False


def turned(exercise: dict[str, Any]) -> dict[str, Any]:
    """The same question with another answer, other explanations, other hints."""
    other = json.loads(json.dumps(exercise)) | {"right": OTHER, "wrong": OTHER}
    other["hints"] = [OTHER for _ in exercise["hints"]]
    _TURN[exercise["kind"]](other)
    assert other != exercise
    return other


def turn(shown: list[Shown]) -> None:
    """Put another answer behind every one of these exercises."""
    session.execute(
        update(StepRevision), [{"id": each.revision_id, "exercise": turned(each.exercise)} for each in shown]
    )
    session.commit()


def _options(other: dict[str, Any]) -> None:
    for option in other["options"]:
        option |= {"correct": not option["correct"], "why": OTHER}


def _blank(other: dict[str, Any]) -> None:
    for blank in other["blanks"]:
        number = None if blank["number"] is None else "777777"
        blank |= {
            "accept": ["qqzzj"],
            "number": number,
            "tolerance": "5",
            "exact": not blank["exact"],
            "mistakes": [],
        }


def _order(other: dict[str, Any]) -> None:
    other["orders"] = [order[::-1] for order in other["orders"][:1]]


def _match(other: dict[str, Any]) -> None:
    lefts, rights = list(other["pairs"]), list(other["pairs"].values())
    other["pairs"] = dict(zip(lefts, rights[1:] + rights[:1], strict=True))


def _parsons(other: dict[str, Any]) -> None:
    """All lines belong, in the order of their names backwards; what was a distractor is one no more."""
    for line in other["lines"]:
        line["why"] = None
    other["solutions"] = [[[line["text"], 1] for line in other["lines"][::-1]]]


_TURN = {
    "choice": _options,
    "choices": _options,
    "blank": _blank,
    "order": _order,
    "match": _match,
    "parsons": _parsons,
}


def seen(visitor: Visitor, path: str, headers: dict[str, str]) -> str:
    """The whole answer, with its headers, but for what is new in every answer."""
    response = visitor.client.get(path, headers=headers)
    assert response.status_code == 200
    told = {
        name: value for name, value in response.headers if not name.startswith(("X-Request-Id", "RateLimit-"))
    }
    page = re.sub(r'name="csrf_token" value="[^"]+"|/static/dist/[^"]+', "", response.text)
    return f"{told}\n{page}"


def secrets(exercise: dict[str, Any]) -> Iterator[str]:
    """The texts that must wait: explanations, reasons, hints; in plain words, if long enough to be told apart."""
    parts = [exercise["right"], exercise["wrong"], *exercise["hints"]]
    parts += [part["why"] for name in ("options", "lines") for part in exercise.get(name, ())]
    parts += [mistake["why"] for blank in exercise.get("blanks", ()) for mistake in blank["mistakes"]]
    for part in filter(None, parts):
        plain = " ".join(html.fromstring(part).text_content().split())
        if len(plain) > 20:
            yield plain


def test_no_page_of_the_real_courses_tells_an_answer(reader: Visitor) -> None:
    shown = exercises()
    assert len(shown) > 300
    before = {each.path: seen(reader, each.path, {}) for each in shown}
    for each in shown:
        words = " ".join(html.fromstring(before[each.path].partition("\n")[2]).text_content().split())
        assert [secret for secret in secrets(each.exercise) if secret in words] == [], each.path
        assert_only_public_names(each, before[each.path])
    turn(shown)
    differing = [each.path for each in shown if seen(reader, each.path, {}) != before[each.path]]
    assert differing == []


def assert_only_public_names(shown: Shown, page: str) -> None:
    """What names a part of the exercise is a random id of this attempt, never the author's name for it."""
    [fieldset] = html.fromstring(page.partition("\n")[2]).cssselect("fieldset.exercise")
    for element in fieldset.iter():
        for name, pattern in (("name", FIELD_NAME), ("value", FIELD_VALUE), ("id", IDS)):
            value = element.get(name)
            if value is not None:
                assert pattern.fullmatch(value), f"{shown.path}: {name}={value}"


def test_neither_does_a_fragment(tea_reader: Visitor) -> None:
    shown = exercises()
    assert len({each.exercise["kind"] for each in shown}) == 6
    before = [seen(tea_reader, each.path, HTMX) for each in shown]
    turn(shown)
    assert [seen(tea_reader, each.path, HTMX) for each in shown] == before


def test_the_ids_of_two_attempts_have_nothing_in_common(app: Flask, tea_reader: Visitor) -> None:
    ben = make_user(email="ben@example.org")
    [lesson_id] = {row.lesson_id for row in session.execute(STEPS)}
    start(ben, lesson_id)
    other = Visitor(app).sign_in("ben@example.org")
    public = re.compile(r"o[0-9a-f]{15}")
    for each in exercises():
        hers, his = (set(public.findall(seen(who, each.path, {}))) for who in (tea_reader, other))
        assert not hers & his
        assert hers or each.exercise["kind"] == "blank"
