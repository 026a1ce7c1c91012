"""Code that is shown is code that runs, and numbers that are said are numbers that are true."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from codyverse.courses.answers import fits, normal
from codyverse.courses.authoring.tree import (
    BlankBody,
    ChoiceBody,
    CodeLine,
    ExerciseSource,
    Fence,
    ParsonsBody,
)
from codyverse.courses.markdown import OUTPUT, STDIN
from codyverse.courses.rendering import plain, render_small
from tests.content.reading import COURSES, Spot, asking, course, explanations, fences_in, steps

RUNNER = Path(__file__).with_name("runner.py")


def run(jobs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Do all jobs in one separate interpreter that sees only the standard library."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(RUNNER)],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@dataclass(frozen=True, slots=True)
class Program:
    """A python fence with what it reads, what comes before it, and what it is said to show."""

    where: str
    pieces: list[dict[str, str]]
    fails: bool
    output: str | None


def programs(where: str, fences: Sequence[Fence]) -> Iterator[Program]:
    """The programs that a text shows, by the rules of docs/authoring.md."""
    before: list[dict[str, str]] = []
    for number, fence in enumerate(fences):
        if fence.language != "python" or "skip" in fence.words:
            continue
        earlier = fences[number - 1] if number else None
        later = fences[number + 1] if number + 1 < len(fences) else None
        stdin = earlier.text if earlier and earlier.language == STDIN else ""
        piece = {"code": fence.text, "stdin": stdin}
        fails = "error" in fence.words
        pieces = [*before, piece] if "continue" in fence.words else [piece]
        output = later.text if later and later.language == OUTPUT else None
        yield Program(f"{where}, fence on line {fence.line}", pieces, fails, output)
        if not fails:
            before.append(piece)


def texts_with_code(spot: Spot) -> Iterator[tuple[str, Sequence[Fence]]]:
    yield str(spot), spot.step.fences
    for text in explanations(spot.step.exercise) if spot.step.exercise else ():
        yield f"{spot}, explanation", fences_in(text)


def fault(program: Program, result: dict[str, Any]) -> str | None:
    printed, error = result["printed"], result["error"]
    if program.fails:
        said = (program.output or "").strip()
        if error is None:
            return "ends without the error that is promised"
        return (
            None
            if said in (error, f"{printed.strip()}\n{error}".strip())
            else f"fails with {error!r}, not {said!r}"
        )
    if error is not None:
        return f"fails: {error}"
    if program.output is not None and printed.rstrip("\n") != program.output.rstrip("\n"):
        return f"prints {printed!r}, not {program.output!r}"
    return None


@pytest.mark.parametrize("folder", COURSES)
def test_every_program_does_what_is_said(folder: str) -> None:
    found = [
        program
        for spot in steps(course(folder))
        for where, fences in texts_with_code(spot)
        for program in programs(where, fences)
    ]
    results = run([{"pieces": program.pieces} for program in found])
    faults = [
        f"{program.where}: {said}"
        for program, result in zip(found, results, strict=True)
        if (said := fault(program, result))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("folder", COURSES)
def test_every_number_that_was_worked_out_is_right(folder: str) -> None:
    found = [
        (str(spot), check.expression)
        for spot in steps(course(folder))
        for check in (*spot.step.checks, *(spot.step.exercise.checks if spot.step.exercise else ()))
    ]
    results = run([{"expression": expression} for _, expression in found])
    faults = [
        f"{where}: {expression} gives {result['error']}"
        for (where, expression), result in zip(found, results, strict=True)
        if not result["value"]
    ]
    assert not faults, "\n".join(faults)


def program_of(lines: Sequence[CodeLine]) -> str:
    return "\n".join("    " * line.indent + line.code for line in lines) + "\n"


@pytest.mark.parametrize("folder", COURSES)
def test_programs_that_learners_build_run(folder: str) -> None:
    found = [
        (str(spot), exercise.body, solution)
        for spot, exercise in asking(course(folder))
        if isinstance(exercise.body, ParsonsBody) and exercise.body.language == "python"
        for solution in (exercise.body.solution, *exercise.body.also)
    ]
    results = run([{"pieces": [{"code": program_of(lines), "stdin": ""}]} for _, _, lines in found])
    faults = [
        f"{where}: {said}"
        for (where, body, _), result in zip(found, results, strict=True)
        if (said := fault(Program(where, [], False, body.output), result))
    ]
    assert not faults, "\n".join(faults)


def answers_of(exercise: ExerciseSource) -> str:
    """What the exercise takes for the output: the right option, or the first accepted form."""
    if isinstance(exercise.body, ChoiceBody):
        right = next(option for option in exercise.body.options if option.correct)
        fences = fences_in(right.text)
        return fences[0].text if fences else plain(render_small(right.text))
    assert isinstance(exercise.body, BlankBody)
    blank = exercise.body.blanks[0]
    return str(blank.number) if blank.number is not None else blank.accept[0]


def same_output(exercise: ExerciseSource, printed: str, said: str) -> bool:
    if isinstance(exercise.body, BlankBody) and exercise.body.blanks[0].number is not None:
        return fits(printed.strip(), [], Decimal(said))
    exact = [line.rstrip() for line in printed.strip().splitlines()]
    return exact == [line.rstrip() for line in said.strip().splitlines()] or normal(printed) == normal(said)


@pytest.mark.parametrize("folder", COURSES)
def test_predicted_output_is_what_the_code_prints(folder: str) -> None:
    found = []
    for spot, exercise in asking(course(folder)):
        if exercise.predicts:
            fences = [*spot.step.fences]
            if isinstance(exercise.body, BlankBody):
                fences += fences_in(exercise.body.text)
            shown = list(programs(str(spot), fences))
            assert shown, f"{spot}: predicts, but no program can run"
            found.append((exercise, shown[-1]))
    results = run([{"pieces": program.pieces} for _, program in found])
    faults = [
        f"{program.where}: prints {result['printed']!r} {result['error'] or ''}, but takes {said!r} for right"
        for (exercise, program), result in zip(found, results, strict=True)
        if result["error"] or not same_output(exercise, result["printed"], said := answers_of(exercise))
    ]
    assert not faults, "\n".join(faults)


def test_the_runner_tells_programs_apart() -> None:
    endless = {"pieces": [{"code": "while True: pass", "stdin": ""}], "seconds": 1}
    hungry = {"pieces": [{"code": "x = 'a' * (1 << 34)", "stdin": ""}]}
    outside = {"pieces": [{"code": "import flask", "stdin": ""}]}
    reads = {
        "pieces": [{"code": "x = input()", "stdin": "1\n"}, {"code": "print(x + input())", "stdin": "2\n"}]
    }
    results = run([hungry, outside, reads, endless, {"expression": "1 + 1 == 3"}, {"expression": "open"}])
    assert "MemoryError" in results[0]["error"]
    assert "ModuleNotFoundError" in results[1]["error"]
    assert results[2] == {"printed": "12\n", "error": None}
    assert "stopped by signal" in results[3]["error"]
    assert [result["value"] for result in results[4:]] == [False, False]
