"""Courses over the API: everybody reads them, authors write their own, and nobody overwrites what they have not read."""

import copy
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from codyverse.core.database import session
from codyverse.courses.models import Course, Lesson
from codyverse.progress.rehearsal import solution
from tests.api.client import Program, at_once, check, token_for
from tests.api.conftest import Actor, actor
from tests.domains.courses.documents import course, every_kind, lesson, module, step
from tests.web.playing import make_tea

SECRETS = ("Heat draws", "Hot water it is", "thank you", "half an hour", "Brick dust", "Ann")


def two() -> dict[str, Any]:
    """Two modules, three lessons."""
    first = module(lesson(), lesson(step("intro"), key="next", title="Leaves"))
    return course(first, module(lesson(step("intro"), key="second", title="Milk"), key="more"))


def make(author: Actor, document: dict[str, Any] | None = None) -> int:
    return author.program.post("/courses", document or two(), status=201).data["id"]


def test_made_read_changed_replaced_retired(author: Actor, stranger: Program) -> None:
    made = author.program.post("/courses", two(), status=201)
    path = f"/courses/{made.data['id']}"
    assert made.headers["Location"] == f"/api{path}"
    read = stranger.get(path)
    assert read.data == made.data
    assert read.headers["ETag"] == made.headers["ETag"]
    assert read.headers["Last-Modified"] == made.headers["Last-Modified"]
    assert (read.data["key"], read.data["origin"]) == ("tea", "api")
    assert read.data["descriptionHtml"] == "<p>For <em>anyone</em> who likes tea.</p>"
    assert [[each["key"] for each in part["lessons"]] for part in read.data["modules"]] == [
        ["first", "next"],
        ["second"],
    ]
    changed = author.program.patch(path, {"title": "All about tea"})
    assert changed.data["title"] == "All about tea"
    assert changed.data["modules"] == read.data["modules"]
    turned = two()
    turned["modules"].reverse()
    replaced = author.program.put(path, turned)
    assert replaced.data["title"] == "Making tea"
    assert replaced.data["modules"] == read.data["modules"][::-1], "every id stays"
    assert stranger.get(path).data == replaced.data
    author.program.delete(path)
    assert stranger.get(path, status=404).code == "COURSE_NOT_FOUND"
    author.program.delete(path)
    assert author.program.put(path, two()).data["modules"] == read.data["modules"]


def test_the_source_comes_back_as_it_was_sent(author: Actor, ada: Actor, stranger: Program) -> None:
    document = every_kind()
    path = f"/courses/{make(author, document)}"
    told = author.program.get(f"{path}/source")
    assert told.data["source"] == document
    assert told.headers["Cache-Control"] == "no-store"
    assert told.headers["ETag"] == author.program.get(path).headers["ETag"]
    assert author.program.put(path, told.data["source"], headers={"If-Match": told.headers["ETag"]})
    assert author.program.get(f"{path}/source").headers["ETag"] == told.headers["ETag"], "nothing was changed"
    assert stranger.get(f"{path}/source", status=401).code == "UNAUTHORIZED"
    assert ada.program.get(f"{path}/source", status=403).code == "FORBIDDEN"
    author.program.delete(path)
    assert author.program.get(f"{path}/source").data["source"] == document
    assert author.program.get("/courses/999999/source", status=404).code == "COURSE_NOT_FOUND"


def test_a_learner_does_a_lesson_of_it_and_never_reads_what_is_right(author: Actor, ada: Actor) -> None:
    course_id = make(author, every_kind())
    listed = ada.program.get(f"/courses/{course_id}/lessons")
    [entry] = listed.data["items"]
    read = ada.program.get(f"/lessons/{entry['id']}")
    assert [each["kind"] for each in read.data["steps"]][:2] == ["teach", "choice"]
    begun = ada.program.post(f"/lessons/{entry['id']}/attempts", status=201)
    answers = [ada.program.get(f"/courses/{course_id}"), ada.program.get("/courses"), listed, read]
    for told in answers:
        assert not [secret for secret in SECRETS if secret in told.response.text]
    for each in begun.data["steps"]:
        if each["exercise"] is not None:
            answer = solution(begun.data["attemptId"], each["stepId"])
            sent = {"stepId": each["stepId"], "tryNo": 1, "answer": answer}
            told = ada.program.post(f"/attempts/{begun.data['attemptId']}/answers", sent)
            assert told.data["verdict"]["correct"] is True
    author.program.put(f"/courses/{course_id}", every_kind() | {"modules": [module(lesson())]})
    done = ada.program.post(f"/attempts/{begun.data['attemptId']}/complete")
    assert done.data["score"] == 100, "what was begun can be finished"
    assert ada.program.get(f"/lessons/{entry['id']}", status=404).code == "LESSON_NOT_FOUND"


def test_nobody_overwrites_what_they_have_not_read(author: Actor) -> None:
    path = f"/courses/{make(author)}"
    old = author.program.get(path).headers["ETag"]
    new = author.program.patch(path, {"title": "First"}, headers={"If-Match": old}).headers["ETag"]
    assert new != old
    program = author.program
    for stale in (old, f"W/{new}", '"nonsense"', "nonsense", '""', 'W/""', '"v1", "v999999"'):
        given = {"headers": {"If-Match": stale}, "status": 412}
        assert program.patch(path, {"title": "Second"}, **given).code == "PRECONDITION_FAILED"
        assert program.put(path, two(), **given).code == "PRECONDITION_FAILED"
        assert program.delete(path, **given).code == "PRECONDITION_FAILED"
    assert program.get(path).data["title"] == "First"
    for fresh in (new, f"{old}, {new}", "*", ""):
        program.patch(path, {"title": "First"}, headers={"If-Match": fresh})
    assert program.put(path, two()).data["title"] == "Making tea", "without If-Match the last writer wins"


def test_what_is_known_is_not_sent_again(author: Actor, stranger: Program) -> None:
    path = f"/courses/{make(author)}"
    lesson_id = stranger.get(path).data["modules"][0]["lessons"][0]["id"]
    for place in (path, "/courses", f"{path}/lessons", f"/lessons/{lesson_id}"):
        tag = stranger.get(place).headers["ETag"]
        assert stranger.get(place, status=304, headers={"If-None-Match": tag}).headers["ETag"] == tag
        assert stranger.send("HEAD", place, status=200, checked=False).response.data == b""
    for odd in ('""', 'W/""', "nonsense", ","):
        stranger.get(path, headers={"If-None-Match": odd})
    tag = stranger.get(path).headers["ETag"]
    author.program.patch(path, {"summary": "Another."})
    assert stranger.get(path, headers={"If-None-Match": tag}).data["summary"] == "Another."


def test_pages_of_courses_and_lessons(author: Actor, stranger: Program) -> None:
    for key in ("assam", "bancha", "ceylon"):
        make(author, two() | {"key": key})
    page = stranger.get("/courses?page=2&perPage=2")
    assert ([each["key"] for each in page.data["items"]], page.data["total"]) == (["ceylon"], 3)
    assert 'rel="prev"' in page.headers["Link"]
    course_id = page.data["items"][0]["id"]
    parts = stranger.get(f"/courses/{course_id}").data["modules"]
    of_module = stranger.get(f"/courses/{course_id}/lessons?moduleId={parts[0]['id']}&perPage=1")
    assert of_module.data["items"] == parts[0]["lessons"][:1]
    assert of_module.data["total"] == 2
    assert stranger.get(f"/courses/{course_id}/lessons?moduleId=999999").data["items"] == []
    for odd in (
        "moduleId=0",
        "moduleId=x",
        "moduleId=9223372036854775808",
        "page=0",
        "perPage=101",
        "nonsense=1",
    ):
        assert stranger.get(f"/courses/{course_id}/lessons?{odd}", status=422).code == "VALIDATION_ERROR"
    assert stranger.get("/courses?perPage=0", status=422).code == "VALIDATION_ERROR"


def test_what_is_not_there(author: Actor, stranger: Program) -> None:
    for course_id in (999_999, 2**63 - 1):
        path = f"/courses/{course_id}"
        answers = [
            stranger.get(path, status=404),
            stranger.get(f"{path}/lessons", status=404),
            author.program.put(path, two(), status=404),
            author.program.patch(path, {"title": "x"}, status=404),
            author.program.delete(path, status=404),
        ]
        assert {told.code for told in answers} == {"COURSE_NOT_FOUND"}
        assert stranger.get(f"/lessons/{course_id}", status=404).code == "LESSON_NOT_FOUND"
    for odd in ("0", "-1", "abc", "1.5", "01", "%D9%A3", str(2**63)):
        assert stranger.get(f"/courses/{odd}", status=404).code == "NOT_FOUND"
        assert author.program.delete(f"/courses/{odd}", status=404).code == "NOT_FOUND"
        assert stranger.get(f"/lessons/{odd}", status=404).code == "NOT_FOUND"


def test_faults_are_told_by_the_place_of_the_value(author: Actor) -> None:
    document = every_kind()
    steps = document["modules"][0]["lessons"][0]["steps"]
    steps[1]["exercise"]["options"][1]["correct"] = True
    steps[2]["exercise"]["options"][0]["text"] = "<b>Green</b>"
    steps[3]["body"] = "One.\n\n![a cup](img/cup.svg)"
    told = author.program.post("/courses", document, status=422)
    assert told.code == "VALIDATION_ERROR"
    place = "modules.0.lessons.0.steps"
    assert set(told.json["details"]) == {
        f"{place}.1.exercise",
        f"{place}.2.exercise.options.0.text",
        f"{place}.3.body",
    }
    assert "no pictures" in told.json["details"][f"{place}.3.body"][0]
    assert session.scalar(select(func.count()).select_from(Course)) == 0


PLACE = "modules.0.lessons.0.steps.1.exercise"
SHAPES: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("title",), 5, "title"),
    (("title",), "", "title"),
    (("key",), "Bad Key", "key"),
    (("difficulty",), "hard", "difficulty"),
    (("skills",), ["water"], "skills"),
    (("modules",), [], "modules"),
    (("titel",), "x", "titel"),
    (("modules", 0, "lessons", 0, "minutes"), "7", "modules.0.lessons.0.minutes"),
    (("modules", 0, "lessons", 0, "minutes"), 61, "modules.0.lessons.0.minutes"),
    (("modules", 0, "lessons", 0, "steps", 1, "exercise"), {}, PLACE),
    (("modules", 0, "lessons", 0, "steps", 1, "exercise"), [], PLACE),
    (("modules", 0, "lessons", 0, "steps", 1, "exercise", "kind"), "essay", PLACE),
    (("modules", 0, "lessons", 0, "steps", 1, "exercise", "level"), True, f"{PLACE}.level"),
    (("modules", 0, "lessons", 0, "steps", 1, "exercise", "points"), 3, f"{PLACE}.points"),
    (
        ("modules", 0, "lessons", 0, "steps", 1, "exercise", "options", 0, "correct"),
        1,
        f"{PLACE}.options.0.correct",
    ),
    (
        ("modules", 0, "lessons", 0, "steps", 1, "exercise", "options", 0, "why"),
        None,
        f"{PLACE}.options.0.why",
    ),
]


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: f"{case[2]}={case[1]}")
def test_a_wrong_shape_is_told_by_its_place(
    author: Actor, case: tuple[tuple[str | int, ...], Any, str]
) -> None:
    where, value, place = case
    document: Any = two()
    target = document
    for name in where[:-1]:
        target = target[name]
    target[where[-1]] = value
    told = author.program.post("/courses", document, status=422)
    assert place in told.json["details"], told.json


def test_what_is_left_out_is_told(author: Actor) -> None:
    document = two()
    del document["modules"][0]["lessons"][0]["steps"][1]["exercise"]["options"][0]["why"]
    del document["summary"]
    told = author.program.post("/courses", document, status=422)
    assert set(told.json["details"]) == {"summary", f"{PLACE}.options.0.why"}


@pytest.mark.parametrize(
    "fields", [{"title": None}, {"title": ""}, {"modules": []}, {"key": "tea"}, {"skills": {}}]
)
def test_a_change_that_cannot_be(author: Actor, fields: dict[str, Any]) -> None:
    path = f"/courses/{make(author)}"
    before = author.program.get(path).data
    told = author.program.patch(path, fields, status=422)
    assert set(told.json["details"]) == set(fields)
    assert author.program.patch(path, {}).data == before, "nothing named, nothing changed"


def test_a_skill_that_is_in_use_stays(author: Actor) -> None:
    path = f"/courses/{make(author)}"
    told = author.program.patch(path, {"skills": {"leaves": "Leaves"}}, status=422)
    assert "modules.0.lessons.0.steps.0.skills" in told.json["details"]


def test_keys_are_taken_once(author: Actor) -> None:
    course_id = make(author)
    assert author.program.post("/courses", two(), status=409).code == "CONFLICT"
    told = author.program.put(f"/courses/{course_id}", two() | {"key": "coffee"}, status=422)
    assert "key" in told.json["details"]


def test_courses_from_files_are_read_only(author: Actor, tmp_path: Path) -> None:
    lesson_id = make_tea(tmp_path)
    course_id = author.program.get(f"/lessons/{lesson_id}").data["courseId"]
    path = f"/courses/{course_id}"
    read = author.program.get(path).data
    assert read["origin"] == "files"
    answers = [
        author.program.put(path, two() | {"key": read["key"]}, status=409),
        author.program.patch(path, {"title": "x"}, status=409),
        author.program.delete(path, status=409),
        author.program.post("/courses", two() | {"key": read["key"]}, status=409),
    ]
    assert {told.code for told in answers} == {"CONFLICT"}
    assert author.program.get(f"{path}/source", status=404).code == "NOT_FOUND"
    assert author.program.get(path).data == read


def test_who_may_write(app: Flask, author: Actor, operator: Actor, ada: Actor, stranger: Program) -> None:
    path = f"/courses/{make(author)}"
    writes: list[tuple[str, str, Any]] = [
        ("POST", "/courses", two() | {"key": "mine"}),
        ("PUT", path, two()),
        ("PATCH", path, {"title": "Mine"}),
        ("DELETE", path, None),
    ]
    reader = Program(app, token_for(author.id, "courses:read"))
    for method, place, body in writes:
        assert stranger.send(method, place, body, status=401).code == "UNAUTHORIZED"
        assert ada.program.send(method, place, body, status=403).code == "FORBIDDEN"
        assert reader.send(method, place, body, status=403).code == "FORBIDDEN"
    assert reader.get(f"{path}/source", status=403).code == "FORBIDDEN"
    assert stranger.get(path).data["title"] == "Making tea"
    assert operator.program.patch(path, {"title": "By an operator"}).data["title"] == "By an operator"
    other = Program(app, token_for(ada.id, "profile:read"))
    lesson_id = stranger.get(f"{path}/lessons").data["items"][0]["id"]
    for place in ("/courses", path, f"{path}/lessons", f"/lessons/{lesson_id}"):
        assert other.get(place, status=403).code == "FORBIDDEN", "a token says what its program may"
        assert Program(app, "cody_nonsense").get(place, status=401).code == "UNAUTHORIZED"


def test_bodies_that_are_none(author: Actor) -> None:
    path = f"/courses/{make(author)}"
    program = author.program
    for method, place in (("POST", "/courses"), ("PUT", path), ("PATCH", path)):
        for raw, status, code in (
            (b"", 400, "MALFORMED_JSON"),
            (b"{", 400, "MALFORMED_JSON"),
            (b'{"title": NaN}', 400, "MALFORMED_JSON"),
            (b'{"title": 99999999999999999999}', 400, "MALFORMED_JSON"),
            (b'{"title": "a", "title": "b"}', 400, "MALFORMED_JSON"),
            (b'{"title": "\xff"}', 400, "MALFORMED_JSON"),
            (b'{"title": "\\ud800"}', 400, "MALFORMED_JSON"),
            (b"[" * 100, 400, "MALFORMED_JSON"),
            (b"[]", 422, "VALIDATION_ERROR"),
            (b"null", 422, "VALIDATION_ERROR"),
            (b'{"title": "a\\u0000b"}', 422, "VALIDATION_ERROR"),
            (b'"' + b"x" * 2_000_000 + b'"', 413, "PAYLOAD_TOO_LARGE"),
        ):
            told = program.send(method, place, data=raw, content_type="application/json", status=status)
            assert told.code == code
        told = program.send(method, place, data=b"title=x", content_type="text/plain", status=415)
        assert told.code == "UNSUPPORTED_MEDIA_TYPE"
    assert program.delete(path, data=b'{"a": 1}', content_type="application/json", status=422)
    assert program.get(path).data["title"] == "Making tea"


def test_the_same_request_again_under_one_key(author: Actor) -> None:
    headers = {"Idempotency-Key": "a-new-course"}
    first = author.program.post("/courses", two(), status=201, headers=headers)
    again = author.program.post("/courses", two(), status=201, headers=headers)
    assert again.response.data == first.response.data
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    other = author.program.post("/courses", two() | {"key": "b"}, status=422, headers=headers)
    assert other.code == "IDEMPOTENCY_KEY_REUSED"


def test_many_authors_at_once_one_writes_the_others_are_told(committed_app: Flask) -> None:
    author = actor(committed_app, "author@example.org", "Ute", "author")
    path = f"/courses/{make(author)}"
    tag = author.program.get(path).headers["ETag"]
    session.remove()

    def write(number: int) -> Any:
        program = Program(committed_app, author.program.token)
        document = copy.deepcopy(two()) | {"title": f"By {number}"}
        return program.send("PUT", path, document, headers={"If-Match": tag}, checked=False)

    answers = at_once([lambda number=n: write(number) for n in range(8)])
    for told in answers:
        check(committed_app, "PUT", path, told)
    assert sorted(told.status for told in answers) == [200] + [412] * 7
    [winner] = [told for told in answers if told.status == 200]
    assert author.program.get(path).data == winner.data


def test_a_course_without_lessons_shows_none(author: Actor, stranger: Program) -> None:
    course_id = make(author, course(module()))
    assert stranger.get(f"/courses/{course_id}").data["modules"][0]["lessons"] == []
    assert stranger.get(f"/courses/{course_id}/lessons").data["total"] == 0
    assert session.scalar(select(func.count()).select_from(Lesson)) == 0
