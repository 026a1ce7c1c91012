"""Courses as JSON: the rules of the files hold, every fault names the value it is about, and nothing breaks the reader."""

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codyverse.core.errors import Invalid
from codyverse.courses.authoring.document import MAX_FAULTS, MAX_LESSONS, read_course
from codyverse.courses.compiling import compile_step
from tests.domains.courses import documents, samples
from tests.domains.courses.documents import course, every_kind, lesson, module, step

LESSON = "modules.0.lessons.0"
STEP = f"{LESSON}.steps.0"
EXERCISE = f"{STEP}.exercise"


def faults_of(document: Any) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as found:
        read_course(document)
    return found.value.fields


def test_the_same_course_as_from_files(tmp_path: Path) -> None:
    (written,) = samples.courses(samples.tea(tmp_path))
    sent = read_course(every_kind())
    assert (sent.key, sent.title, sent.summary, sent.difficulty) == (
        written.key,
        written.title,
        written.summary,
        written.difficulty,
    )
    assert (sent.skills, sent.description) == (written.skills, written.description)
    compiled = [
        [compile_step(each, found.lessons[0]) for each in found.lessons[0].steps] for found in (sent, written)
    ]
    assert compiled[0] == compiled[1]


def test_all_faults_at_once_each_at_its_value() -> None:
    document = every_kind()
    steps = document["modules"][0]["lessons"][0]["steps"]
    steps[1]["exercise"]["options"][1]["correct"] = True
    steps[2]["exercise"]["options"][0]["text"] = "<b>Green</b>"
    steps[3]["skills"] = ["watr"]
    document["modules"][0]["lessons"][0]["minutes"] = 61
    document["titel"] = "Tea"
    found = faults_of(document)
    assert set(found) == {
        "titel",
        f"{LESSON}.minutes",
        f"{LESSON}.steps.1.exercise",
        f"{LESSON}.steps.2.exercise.options.0.text",
        f"{LESSON}.steps.3.skills",
    }
    assert "did you mean `title`?" in found["titel"][0]
    assert "did you mean `water`?" in found[f"{LESSON}.steps.3.skills"][0]


def one(made: dict[str, Any]) -> dict[str, Any]:
    return course(module(lesson(made)))


def with_exercise(kind: str, **fields: Any) -> dict[str, Any]:
    made = step("asks", kind)
    made["exercise"] |= fields
    return one(made)


OPTION = {"id": "hot", "text": "Hot", "correct": True, "why": "Because."}
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    (course(title=5), "title", "must be a text, not a number"),
    (course(title="x" * 101), "title", "shorten it to 100"),
    (course(title="a\nb"), "title", "one line"),
    (course(title=""), "title", "is empty"),
    (course(title=None), "title", "is empty"),
    (course(key="Bad Key"), "key", "cannot be a key"),
    (course(difficulty="hard"), "difficulty", "is unknown"),
    (course(skills=["water"]), "skills", "must consist of fields"),
    (course(skills={"Water!": "x", "water": "Water"}), "skills.Water!", "cannot be a key"),
    (course(skills={"water": True}), "skills.water", "must be a text, not true or false"),
    (course(description="# Big"), "description", "no headings here"),
    (course(description="x" * 12_001), "description", "shorten it"),
    (course(modules=[]), "modules", "there must be 1 to"),
    (course(modules={}), "modules", "must be a list"),
    (course(modules=["x"]), "modules.0", "must consist of fields"),
    (course(module(*[lesson()] * (MAX_LESSONS + 1))), "modules.0.lessons", "there must be 0 to"),
    (course(module(lesson()), module(lesson(key="next"))), "modules.1", "is used by `modules.0`"),
    (course(module(lesson(), lesson())), "modules.0.lessons.1", "is used by `modules.0.lessons.0`"),
    (course(module(lesson() | {"minutes": "7"})), f"{LESSON}.minutes", "must be a number, not a text"),
    (course(module(lesson() | {"minutes": 7.5})), f"{LESSON}.minutes", "whole number from 1 to 60"),
    (course(module(lesson() | {"minutes": 10**30})), f"{LESSON}.minutes", "a huge number"),
    (course(module(lesson() | {"minutes": float("nan")})), f"{LESSON}.minutes", "not `NaN`"),
    (course(module(lesson() | {"steps": []})), f"{LESSON}.steps", "there must be 1 to 40"),
    (course(module(lesson(*[step("a")] * 41))), f"{LESSON}.steps", "there must be 1 to 40"),
    (
        course(module(lesson(step("a"), step("a")))),
        f"{LESSON}.steps.1",
        "is used by `modules.0.lessons.0.steps.0`",
    ),
    (one(step("a", title="`x`")), f"{STEP}.title", "a title is plain text"),
    (one(step("a") | {"skills": "water"}), f"{STEP}.skills", "must be a list"),
    (one(step("a") | {"skills": []}), f"{STEP}.skills", "there must be 1 to"),
    (one(step("a") | {"skills": ["water", "water"]}), f"{STEP}.skills", "is named twice"),
    (one(step("a", body=" ")), STEP, "the step is empty"),
    (one(step("a", "choice", body="")), STEP, "the question is missing"),
    (one(step("a", body="x" * 12_001)), f"{STEP}.body", "shorten it to 12000"),
    (course(skills={f"s{n}": "Water" for n in range(201)}), "skills", "at most 200 skills"),
    (with_exercise("parsons", solution="x" * 4_001), f"{EXERCISE}.solution", "shorten it to 4000"),
    (one(step("a", body="One.\n\n## Two")), f"{STEP}.body", "(line 3 of the text)"),
    (one(step("a", body="![tea](img/tea.svg)")), f"{STEP}.body", "courses of the API have no pictures"),
    (one(step("a", body="```exercise\nkind: order\n```")), f"{STEP}.body", "the step's field `exercise`"),
    (one(step("a", body="a\x00b")), f"{STEP}.body", "U+0000"),
    (one(step("a", body="a\ud800b")), f"{STEP}.body", "U+D800"),
    (one(step("a", body="a\ue000b")), f"{STEP}.body", "U+E000"),
    (one(step("a") | {"exercise": []}), EXERCISE, "must be an object, not a list"),
    (one(step("a") | {"exercise": {}}), EXERCISE, "`kind` is missing"),
    (one(step("a") | {"exercise": {"kind": "essay"}}), f"{EXERCISE}.kind", "is unknown"),
    (with_exercise("choice", level="1"), f"{EXERCISE}.level", "must be a number, not a text"),
    (with_exercise("choice", level=True), f"{EXERCISE}.level", "must be a number, not true or false"),
    (with_exercise("choice", fixed="true"), f"{EXERCISE}.fixed", "must be true or false, not a text"),
    (with_exercise("choice", points=3), f"{EXERCISE}.points", "is not a field"),
    (with_exercise("choice", options=[OPTION]), f"{EXERCISE}.options", "there must be 2 to 6"),
    (
        with_exercise("choice", options=[OPTION, OPTION]),
        f"{EXERCISE}.options.1",
        "the same as that of option 1",
    ),
    (with_exercise("choice", hints=["a", "b", "c", "d"]), f"{EXERCISE}.hints", "there must be 0 to 3"),
    (with_exercise("choice", checks=["1 +"]), f"{EXERCISE}.checks.0", "not a Python expression"),
    (with_exercise("blank", text="No gap"), f"{EXERCISE}.text", "each once, in this order"),
    (with_exercise("order", also=[[1, 2, 3]]), f"{EXERCISE}.also.0", "every item's number once"),
    (with_exercise("match", pairs=[["a", "b"], ["c"]]), f"{EXERCISE}.pairs.1", "a list of two texts"),
    (with_exercise("parsons", output=6), f"{EXERCISE}.output", "must be a text"),
    (with_exercise("parsons", solution="a = 1\n  b = 2"), f"{EXERCISE}.solution", "(line 2 of the text)"),
]


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: f"{case[1]}: {case[2]}")
def test_a_fault_names_its_value(case: tuple[dict[str, Any], str, str]) -> None:
    document, path, message = case
    found = faults_of(document)
    assert any(message in said for said in found.get(path, ())), found


@pytest.mark.parametrize("nothing", [None, [], "x", 5, True])
def test_what_is_no_object(nothing: Any) -> None:
    assert "a course is an object" in faults_of(nothing)[""][0]


@pytest.mark.parametrize("kind", list(samples.BLOCKS))
def test_every_field_of_an_exercise_may_be_missing_and_the_fault_says_so(kind: str) -> None:
    optional = {"hints", "checks", "predicts", "fixed", "also", "extra", "distractors", "output"}
    for name in set(documents.exercise(kind)) - optional:
        made = step("asks", kind)
        del made["exercise"][name]
        assert f"`{name}` is missing" in "".join(faults_of(one(made))[EXERCISE])


def test_null_is_the_same_as_leaving_it_out() -> None:
    made = step("asks", "choice")
    made["exercise"] |= {"hints": None, "fixed": None, "checks": None}
    document = one(made) | {"description": None}
    assert read_course(document).lessons[0].steps[0].exercise.hints == ()


def test_a_text_that_looks_like_yaml_stays_a_text() -> None:
    made = with_exercise("order", items=["null", "~", "true", "3.10"], also=[])
    assert read_course(made).lessons[0].steps[0].exercise.body.items == ("null", "~", "true", "3.10")


def test_numbers_are_taken_exactly() -> None:
    gaps = [{"label": "a sum", "number": 0.1, "tolerance": 1e-7}]
    made = with_exercise("blank", text="[[1]]", blanks=gaps)
    gap = read_course(made).lessons[0].steps[0].exercise.body.blanks[0]
    assert (gap.number, gap.tolerance) == (Decimal("0.1"), Decimal("0.0000001"))
    gaps[0] |= {"number": "0.10", "tolerance": "0"}
    assert str(read_course(made).lessons[0].steps[0].exercise.body.blanks[0].number) == "0.10"


def test_a_text_with_gaps_may_be_its_own_question() -> None:
    assert read_course(one(step("asks", "blank", body=""))).lessons[0].steps[0].body == ""


def test_line_ends_of_other_systems() -> None:
    assert read_course(one(step("a", body="One.\r\n\r\nTwo."))).lessons[0].steps[0].body == "One.\n\nTwo."


def test_deep_and_long_documents_are_refused() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    assert any("nested too deeply" in "".join(said) for said in faults_of(course(extra=deep)).values())
    assert any("too long" in "".join(said) for said in faults_of(course(extra=[0] * 60_000)).values())


def test_of_very_many_faults_the_first_are_named() -> None:
    found = faults_of(course(**{f"x{number}": 1 for number in range(MAX_FAULTS + 50)}))
    assert sum(map(len, found.values())) == MAX_FAULTS + 1
    assert any("faults more" in said for said in found[""])


@pytest.mark.parametrize("piece", ["[", "*a ", "![a](", "-", "(", "a.", "lambda:"])
def test_a_huge_text_is_refused_without_looking_at_all_of_it(piece: str) -> None:
    huge = piece * (900_000 // len(piece))
    made = step("asks", "parsons", title=huge, body=huge) | {"key": huge, "skills": [huge]}
    made["exercise"] |= {
        "right": huge,
        "solution": huge,
        "checks": [huge],
        "language": huge,
        "kind": "parsons",
    }
    found = faults_of(one(made))
    assert "shorten it" in "".join(found[f"{STEP}.body"])
    assert "shorten it" in "".join(found[f"{EXERCISE}.solution"])


@pytest.mark.parametrize("piece", ["-", "(", "a.", "lambda:", "[", "not "])
def test_python_nested_beyond_sense_is_a_fault_or_fine(piece: str) -> None:
    code = piece * (9_000 // len(piece)) + "1"
    with_fence = one(step("a", body=f"```python\n{code}\n```"))
    said = ""
    try:
        read_course(with_fence)
    except Invalid as found:
        said = str(found)
    assert not said or "not valid Python" in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        inner = [found for name, each in value.items() for found in places(each, (*path, name))]
    elif isinstance(value, list):
        inner = [found for number, each in enumerate(value) for found in places(each, (*path, number))]
    return [path, *inner]


@given(st.data())
def test_whatever_stands_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    document: Any = every_kind()
    place = data.draw(st.sampled_from(places(document)))
    value = data.draw(JSON)
    if not place:
        document = value
    else:
        target = document
        for name in place[:-1]:
            target = target[name]
        target[place[-1]] = value
    before = copy.deepcopy(document)
    said = None
    try:
        read_course(document)
    except Invalid as found:
        said = found.fields
    assert said is None or all(said.values())
    json.dumps(said, ensure_ascii=False).encode()
    assert repr(document) == repr(before), "the document is left as it is"
