"""What a browser may see of an exercise: no answer, no hash of one, no order that tells."""

from dataclasses import dataclass
from typing import Any

from codyverse.courses.exercises.ids import public_id, shuffled

MAX_INDENT = 4
"""Levels of indentation a learner may choose; the same in every exercise, so that it tells nothing."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something to pick, place or join. `html` is phrasing content, `text` the same in plain words."""

    id: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Blank:
    """A gap. `index` counts from 0, as in the answer's list; `width` in characters is a rough size, not the answer's."""

    index: int
    label: str
    numeric: bool
    width: int


@dataclass(frozen=True, slots=True)
class ExerciseView:
    """What is shown of an exercise; which fields are filled depends on `kind`."""

    kind: str
    options: tuple[Option, ...] = ()
    parts: tuple[str | Blank, ...] = ()
    code: bool = False
    items: tuple[Option, ...] = ()
    lefts: tuple[Option, ...] = ()
    rights: tuple[Option, ...] = ()
    lines: tuple[Option, ...] = ()
    max_indent: int = 0
    language: str = ""


def present(exercise: dict[str, Any], key: bytes) -> ExerciseView:
    """The exercise as an attempt with the secret `key` shows it; the same every time for the same key."""
    return _PRESENTERS[exercise["kind"]](exercise, key)


def _options(
    exercise: dict[str, Any], key: bytes, parts: list[dict[str, Any]], names: list[str]
) -> tuple[Option, ...]:
    by_name = {part["id"]: part for part in parts}
    return tuple(
        Option(public_id(exercise, key, name), by_name[name]["html"], by_name[name]["text"]) for name in names
    )


def _names(parts: list[dict[str, Any]]) -> list[str]:
    return [part["id"] for part in parts]


def _choice(exercise: dict[str, Any], key: bytes) -> ExerciseView:
    names = _names(exercise["options"])
    order = names if exercise["fixed"] else shuffled(exercise, key, names)
    return ExerciseView(exercise["kind"], options=_options(exercise, key, exercise["options"], order))


def _blank(exercise: dict[str, Any], _key: bytes) -> ExerciseView:
    # One width for all gaps and in coarse steps: the page needs a size, the learner must not read a length from it.
    width = exercise["width"]
    parts = tuple(
        part
        if isinstance(part, str)
        else Blank(
            part, exercise["blanks"][part]["label"], exercise["blanks"][part]["number"] is not None, width
        )
        for part in exercise["parts"]
    )
    return ExerciseView("blank", parts=parts, code=exercise["code"])


def _order(exercise: dict[str, Any], key: bytes) -> ExerciseView:
    order = shuffled(exercise, key, _names(exercise["items"]), lambda names: names in exercise["orders"])
    return ExerciseView("order", items=_options(exercise, key, exercise["items"], order))


def _match(exercise: dict[str, Any], key: bytes) -> ExerciseView:
    lefts = _options(exercise, key, exercise["lefts"], _names(exercise["lefts"]))
    order = shuffled(exercise, key, _names(exercise["rights"]))
    return ExerciseView("match", lefts=lefts, rights=_options(exercise, key, exercise["rights"], order))


def _parsons(exercise: dict[str, Any], key: bytes) -> ExerciseView:
    code = {line["id"]: line["text"] for line in exercise["lines"]}
    belonging = {line["id"] for line in exercise["lines"] if line["why"] is None}
    programs = [[text for text, _ in program] for program in exercise["solutions"]]

    def is_solved(names: list[str]) -> bool:
        return [code[name] for name in names if name in belonging] in programs

    order = shuffled(exercise, key, _names(exercise["lines"]), is_solved)
    return ExerciseView(
        "parsons",
        lines=_options(exercise, key, exercise["lines"], order),
        max_indent=MAX_INDENT,
        language=exercise["language"],
    )


_PRESENTERS = {
    "choice": _choice,
    "choices": _choice,
    "blank": _blank,
    "order": _order,
    "match": _match,
    "parsons": _parsons,
}
