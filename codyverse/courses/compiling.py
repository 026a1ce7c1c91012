"""From a step as written to what is stored: rendered HTML and the compiled exercise, a plain dict of JSON values."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from codyverse.courses.authoring.tree import (
    BlankBody,
    BlankSource,
    ChoiceBody,
    ExerciseSource,
    LessonSource,
    MatchBody,
    OrderBody,
    ParsonsBody,
    StepSource,
)
from codyverse.courses.rendering import plain, render, render_code, render_gaps, render_small

_WIDTHS = (6, 12, 24, 40)
NUMBER_WIDTH = 10


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """What a revision of a step says. `digest` is equal for equal content, whatever file it came from."""

    kind: str
    title: str
    body_html: str
    exercise: dict[str, Any] | None
    skills: list[str]
    level: int | None
    digest: str


def compile_step(step: StepSource, lesson: LessonSource) -> CompiledStep:
    """Render a step and compile its exercise."""
    prefix = f"p{_digest([lesson.key, step.key])[:8]}-"
    body_html = render(step.body, lesson.pictures, prefix)
    source = step.exercise
    exercise = compile_exercise(source) if source else None
    kind, level = (source.kind, source.level) if source else ("teach", None)
    skills = list(step.skills)
    digest = _digest([kind, step.title, body_html, exercise, skills, level])
    return CompiledStep(kind, step.title, body_html, exercise, skills, level, digest)


def compile_exercise(source: ExerciseSource) -> dict[str, Any]:
    """The exercise as functions of `courses.exercises` take it; JSON values only, so that it may be stored."""
    compiled: dict[str, Any] = {
        "kind": source.kind,
        "right": render(source.right),
        "wrong": render(source.wrong),
        "hints": [render(hint) for hint in source.hints],
        **_body(source),
    }
    compiled["salt"] = _digest(compiled)[:16]
    return compiled


def _digest(value: Any) -> str:
    plain_json = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(plain_json.encode()).hexdigest()


def _body(source: ExerciseSource) -> dict[str, Any]:
    match source.body:
        case ChoiceBody():
            return _choice(source.body)
        case BlankBody():
            return _blank(source.body)
        case OrderBody():
            return _order(source.body)
        case MatchBody():
            return _match(source.body)
        case ParsonsBody():
            return _parsons(source.body)


def _part(name: str, text: str) -> dict[str, Any]:
    html = render_small(text)
    return {"id": name, "html": html, "text": plain(html)}


def _choice(body: ChoiceBody) -> dict[str, Any]:
    options = [
        {**_part(option.id, option.text), "correct": option.correct, "why": render(option.why)}
        for option in body.options
    ]
    return {"options": options, "fixed": body.fixed}


def _blank(body: BlankBody) -> dict[str, Any]:
    parts = render_gaps(body.text)
    return {
        "parts": parts,
        "code": any(isinstance(part, str) and "<pre" in part for part in parts),
        "blanks": [_gap(blank) for blank in body.blanks],
        "width": _width(body),
    }


def _gap(blank: BlankSource) -> dict[str, Any]:
    return {
        "label": blank.label,
        "accept": list(blank.accept),
        "number": None if blank.number is None else str(blank.number),
        "tolerance": str(blank.tolerance),
        "exact": blank.exact,
        "mistakes": [{"match": list(found.match), "why": render(found.why)} for found in blank.mistakes],
    }


def _width(body: BlankBody) -> int:
    """A size for all gaps of the exercise, in a few steps."""
    longest = max((len(form) for blank in body.blanks for form in blank.accept), default=0)
    if any(blank.number is not None for blank in body.blanks):
        longest = max(longest, NUMBER_WIDTH)
    return next((width for width in _WIDTHS if width >= longest), _WIDTHS[-1])


def _order(body: OrderBody) -> dict[str, Any]:
    names = [f"i{number}" for number in range(1, len(body.items) + 1)]
    also = [[names[place] for place in order] for order in body.also]
    items = [_part(name, text) for name, text in zip(names, body.items, strict=True)]
    return {"items": items, "orders": [names, *also]}


def _match(body: MatchBody) -> dict[str, Any]:
    rights = [right for _, right in body.pairs] + list(body.extra)
    return {
        "lefts": [_part(f"l{number}", left) for number, (left, _) in enumerate(body.pairs, 1)],
        "rights": [_part(f"r{number}", right) for number, right in enumerate(rights, 1)],
        "pairs": {f"l{number}": f"r{number}" for number in range(1, len(body.pairs) + 1)},
    }


def _parsons(body: ParsonsBody) -> dict[str, Any]:
    lines = [(line.code, None) for line in body.solution]
    strangers = [(found.code, render(found.why)) for found in body.distractors]
    return {
        "language": body.language,
        "lines": [
            {"id": f"p{number}", "html": render_code(code, body.language), "text": code, "why": why}
            for number, (code, why) in enumerate([*lines, *strangers], 1)
        ],
        "solutions": [
            [[line.code, line.indent] for line in program] for program in (body.solution, *body.also)
        ],
    }
