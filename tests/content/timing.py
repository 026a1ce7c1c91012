"""How long a lesson takes, reckoned from what a learner reads and does in it. The rule is told in docs/authoring.md, "How long it takes"."""

import re

from codyverse.courses.authoring.tree import (
    BlankBody,
    ChoiceBody,
    ExerciseSource,
    LessonSource,
    MatchBody,
    OrderBody,
    ParsonsBody,
    StepSource,
)
from codyverse.courses.markdown import tokens

WORD = (
    60 / 170
)  # seconds; grown-ups read some 240 words a minute, a reader of 14 who is learning reads slower
CODE_LINE = 3.0  # about twice what its words alone would take
PICTURE = 10.0
MISSED = 0.25  # one exercise in four is not right at once: its wrong text is read, and it is done again
CHOOSE = 15.0
TICK = 5.0  # each option of "pick every"
GAP, NUMBER = 12.0, 20.0  # a number is worked out first
PLACE = 6.0  # each item put in order
PAIR = 8.0
PROGRAM_LINE = 8.0  # each line of a Parsons problem, also one that does not belong: read, placed, indented


def words_in(text: str) -> int:
    """How many words, numbers and names stand in a text; marks alone do not count."""
    return len(re.findall(r"\S*\w\S*", text))


def code_seconds(code: str) -> float:
    """A block of code or output by its lines; one with long lines, such as a prompt, by its words."""
    lines = sum(1 for line in code.splitlines() if line.strip())
    return max(CODE_LINE * lines, WORD * words_in(code))


def reading_seconds(markdown: str) -> float:
    """Reading a text once, with its tables, code and pictures; comments are not shown and cost nothing."""
    seconds = 0.0
    for token in tokens(markdown):
        if token.type == "fence":
            seconds += code_seconds(token.content)
        for child in token.children or []:
            if child.type == "image":
                seconds += PICTURE
            elif not child.content.startswith("<!--"):
                seconds += WORD * words_in(child.content)
    return seconds


def shown(exercise: ExerciseSource) -> list[str]:
    """What is read before answering; the lines of a Parsons problem are counted where they are placed."""
    match exercise.body:
        case ChoiceBody(options=options):
            return [option.text for option in options]
        case BlankBody(text=text):
            return [text]
        case OrderBody(items=items):
            return list(items)
        case MatchBody(pairs=pairs, extra=extra):
            return [side for pair in pairs for side in pair] + list(extra)
        case ParsonsBody():
            return []


def told(exercise: ExerciseSource) -> list[str]:
    """What is read after the right answer."""
    options = exercise.body.options if isinstance(exercise.body, ChoiceBody) else ()
    return [exercise.right, *(option.why for option in options if option.correct)]


def work_seconds(exercise: ExerciseSource) -> float:
    """Deciding and answering once, by the kind of exercise and by how much there is to decide."""
    match exercise.body:
        case ChoiceBody(options=options):
            return CHOOSE if exercise.kind == "choice" else TICK * len(options)
        case BlankBody(blanks=blanks):
            return sum(GAP if blank.number is None else NUMBER for blank in blanks)
        case OrderBody(items=items):
            return PLACE * len(items)
        case MatchBody(pairs=pairs):
            return PAIR * len(pairs)
        case ParsonsBody(solution=solution, distractors=distractors):
            return PROGRAM_LINE * (len(solution) + len(distractors))


def step_seconds(step: StepSource) -> float:
    """One step of a lesson, with its title, its exercise and the share of second tries."""
    seconds = WORD * words_in(step.title) + reading_seconds(step.body)
    if step.exercise is None:
        return seconds
    work = work_seconds(step.exercise)
    again = work + reading_seconds(step.exercise.wrong)
    return (
        seconds
        + sum(reading_seconds(text) for text in shown(step.exercise) + told(step.exercise))
        + work
        + MISSED * again
    )


def reckoned_minutes(lesson: LessonSource) -> float:
    """Minutes for the whole lesson, not rounded."""
    return sum(step_seconds(step) for step in lesson.steps) / 60
