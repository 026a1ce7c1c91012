"""What every course owes its learners: no faults, practice in every lesson, plain language, right answers that are right."""

import re
from collections import Counter

import pytest

from codyverse.courses.compiling import compile_step
from codyverse.courses.exercises import decode, encode, grade, present
from tests.content.reading import COURSES, asking, content, course, explanations, steps, words_of
from tests.content.timing import WORD, reading_seconds, reckoned_minutes
from tests.domains.courses.test_exercise_properties import right_answers

KINDS = {"choice", "choices", "blank", "order", "match", "parsons"}
CEILING = 9.0
KEY = b"a secret of 16 b"
LESSON_KB = 120
MINUTES = range(5, 11)
STEPS = range(6, 11)
NEAR = 1.0


def test_lint_is_clean() -> None:
    assert not content().faults, "\n".join(map(str, content().faults))


@pytest.mark.parametrize("folder", COURSES)
def test_every_kind_of_exercise_is_used(folder: str) -> None:
    used = Counter(exercise.kind for _, exercise in asking(course(folder)))
    assert set(used) == KINDS, f"missing: {KINDS - set(used)}"


@pytest.mark.parametrize("folder", COURSES)
def test_at_least_half_of_the_steps_ask(folder: str) -> None:
    lazy = {
        lesson.key: f"{sum(step.exercise is not None for step in lesson.steps)} of {len(lesson.steps)}"
        for lesson in course(folder).lessons
        if 2 * sum(step.exercise is not None for step in lesson.steps) < len(lesson.steps)
    }
    assert not lazy, f"lessons that teach more than they ask: {lazy}"


@pytest.mark.parametrize("folder", COURSES)
def test_a_lesson_has_six_to_ten_steps(folder: str) -> None:
    found = {lesson.key: len(lesson.steps) for lesson in course(folder).lessons}
    assert not {key: count for key, count in found.items() if count not in STEPS}


@pytest.mark.parametrize("folder", COURSES)
def test_a_lesson_takes_five_to_ten_minutes(folder: str) -> None:
    """Both the minutes that a page promises and, rounded, those that are reckoned: a smaller promise makes no lesson shorter."""
    found = {lesson.key: (lesson.minutes, reckoned_minutes(lesson)) for lesson in course(folder).lessons}
    assert not {
        key: times for key, times in found.items() if not all(round(time) in MINUTES for time in times)
    }


@pytest.mark.parametrize("folder", COURSES)
def test_the_stated_minutes_are_honest(folder: str) -> None:
    """Whole minutes are stated, which may be half a minute off; the other half lets an author mend a sentence and keep the promise."""
    found = {lesson.key: (lesson.minutes, reckoned_minutes(lesson)) for lesson in course(folder).lessons}
    assert not {key: times for key, times in found.items() if abs(times[0] - times[1]) > NEAR}


@pytest.mark.parametrize(
    ("markdown", "seconds"),
    [
        ("Six words, *and* `code` is one.", 6 * WORD),
        ("| a | b |\n| --- | --- |\n| 1 | − |", 3 * WORD),
        ("One.\n<!-- check: 1 + 1 == 2 -->\n\n<!-- check: 2 == 2 -->", WORD),
        ("![what it shows](img/a.svg)", 10),
        ("```python\nx = 1\n\nprint(x)\n```\n\n```output\n1\n```", 9),
        ("```text\n" + "word " * 34 + "\n```", 12),
    ],
)
def test_reading_takes_its_time(markdown: str, seconds: float) -> None:
    assert reading_seconds(markdown) == pytest.approx(seconds)


@pytest.mark.parametrize("folder", COURSES)
def test_every_skill_is_practised(folder: str) -> None:
    practised = {skill for spot, _ in asking(course(folder)) for skill in spot.step.skills}
    assert practised == set(course(folder).skills), set(course(folder).skills) - practised


@pytest.mark.parametrize("folder", COURSES)
def test_the_right_answer_is_graded_as_right(folder: str) -> None:
    for spot, exercise in asking(course(folder)):
        compiled = compile_step(spot.step, spot.lesson).exercise
        assert compiled is not None
        answer = right_answers(compiled)
        assert grade(compiled, decode(compiled, KEY, encode(compiled, KEY, answer))).correct, str(spot)
        assert present(compiled, KEY).kind == exercise.kind


@pytest.mark.parametrize("folder", COURSES)
def test_wrong_explanations_and_hints_do_not_tell_the_option(folder: str) -> None:
    """The text for a wrong answer must not quote the whole right option."""
    for spot, exercise in asking(course(folder)):
        if exercise.kind == "choice":
            right = next(option.text for option in exercise.body.options if option.correct)
            if len(right) > 15:
                assert right not in exercise.wrong, str(spot)


@pytest.mark.parametrize("folder", COURSES)
def test_a_lesson_is_light(folder: str) -> None:
    for lesson in course(folder).lessons:
        size = sum(len(compile_step(step, lesson).body_html.encode()) for step in lesson.steps)
        assert size < LESSON_KB * 1000, f"{lesson.key}: {size} bytes of text and pictures"


VOWELS = re.compile(r"[aeiouy]+")


def syllables(word: str) -> int:
    """An estimate for English: groups of vowels, without a silent e at the end."""
    plain = re.sub(r"[^a-z]", "", word.lower())
    if len(plain) <= 3:
        return 1
    stem = re.sub(r"(?:[^laeiouy]e|[^td]ed|[^aeiouy]es)$", "", plain)
    stem = re.sub(r"^y", "", stem)
    return max(1, len(VOWELS.findall(stem)))


def grade_level(text: str) -> float:
    """Flesch–Kincaid grade level (Kincaid and others, 1975): years of school needed."""
    sentences = [part for part in re.split(r"[.!?]+[\"”’)*]*(?=\s|$)", text) if re.search(r"[A-Za-z]", part)]
    words = re.findall(r"[A-Za-z][A-Za-z'’-]*", text)
    counted = sum(syllables(part) for word in words for part in word.split("-") if part)
    return 0.39 * len(words) / len(sentences) + 11.8 * counted / len(words) - 15.59


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("cat", 1),
        ("table", 2),
        ("computer", 3),
        ("printed", 2),
        ("learned", 1),
        ("idea", 2),
        ("names", 1),
        ("values", 2),
    ],
)
def test_syllables(word: str, count: int) -> None:
    assert abs(syllables(word) - count) <= (word == "idea")


def test_grade_levels_of_known_texts() -> None:
    assert grade_level("The cat sat on the mat. It was a big cat.") < 2
    assert (
        grade_level(
            "Notwithstanding considerable methodological heterogeneity, contemporary investigations "
            "consistently demonstrate statistically significant improvements."
        )
        > 20
    )


@pytest.mark.parametrize("folder", COURSES)
def test_the_language_is_plain(folder: str) -> None:
    hard = {}
    for lesson in course(folder).lessons:
        parts = [step.body for step in lesson.steps]
        parts += [text for step in lesson.steps if step.exercise for text in explanations(step.exercise)]
        level = grade_level("\n".join(words_of(part) for part in parts))
        if level > CEILING:
            hard[lesson.key] = round(level, 1)
    assert not hard, f"lessons above grade {CEILING}: {hard}"


def test_there_is_enough_to_learn() -> None:
    lessons = sum(len(found.lessons) for found in content().courses)
    exercises = sum(1 for found in content().courses for _ in asking(found))
    assert lessons >= 48
    assert exercises >= 200


def test_steps_are_counted() -> None:
    assert sum(1 for found in content().courses for _ in steps(found)) >= 400
