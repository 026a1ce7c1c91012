"""Questions must be answered by knowing: no trick of guessing may work better than chance."""

from collections.abc import Callable
from pathlib import Path

import pytest

from codyverse.courses.authoring.tree import ChoiceBody, OptionSource
from codyverse.courses.compiling import compile_exercise
from codyverse.courses.exercises import present
from codyverse.courses.rendering import plain, render_small
from tests.content.reading import COURSES, asking, course

ENOUGH = 15
MARGIN = 0.10
SECRETS = [number.to_bytes(8) for number in range(40)]


def choices_of(folder: str) -> list[tuple[OptionSource, ...]]:
    """The options of every question with one right answer, shuffled ones and fixed ones."""
    return [
        exercise.body.options
        for _, exercise in asking(course(folder))
        if exercise.kind == "choice" and isinstance(exercise.body, ChoiceBody)
    ]


def chance(questions: list[tuple[OptionSource, ...]]) -> float:
    return sum(1 / len(options) for options in questions) / len(questions)


def length(option: OptionSource) -> int:
    return len(plain(render_small(option.text)))


def picking(best: Callable[..., int]) -> Callable[[tuple[OptionSource, ...]], float]:
    """The chance to be right by taking an option of the extreme length; equals share it."""

    def strategy(options: tuple[OptionSource, ...]) -> float:
        wanted = best(length(option) for option in options)
        candidates = [option for option in options if length(option) == wanted]
        return sum(option.correct for option in candidates) / len(candidates)

    return strategy


STRATEGIES: dict[str, Callable[[tuple[OptionSource, ...]], float]] = {
    "the longest": picking(max),
    "the shortest": picking(min),
    "the first in the file": lambda options: float(options[0].correct),
    "the last in the file": lambda options: float(options[-1].correct),
}


@pytest.mark.parametrize("folder", COURSES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_guessing_by_form_does_not_pay(folder: str, strategy: str) -> None:
    questions = choices_of(folder)
    if len(questions) < ENOUGH:
        pytest.skip(f"only {len(questions)} questions with one right answer")
    score = sum(STRATEGIES[strategy](options) for options in questions) / len(questions)
    assert score <= chance(questions) + MARGIN, f"{strategy}: {score:.0%}, chance is {chance(questions):.0%}"


@pytest.mark.parametrize("folder", COURSES)
def test_guessing_by_place_does_not_pay(folder: str) -> None:
    """As learners see them: the first option shown, over many attempts."""
    found = [exercise for _, exercise in asking(course(folder)) if exercise.kind == "choice"]
    if len(found) < ENOUGH:
        pytest.skip(f"only {len(found)} questions with one right answer")
    hits = 0
    for exercise in found:
        compiled = compile_exercise(exercise)
        right = next(option["html"] for option in compiled["options"] if option["correct"])
        hits += sum(present(compiled, secret).options[0].html == right for secret in SECRETS)
    score = hits / len(found) / len(SECRETS)
    assert score <= chance(choices_of(folder)) + MARGIN, f"{score:.0%}"


def test_there_are_courses() -> None:
    assert COURSES, f"no course in {Path('content')}"
