"""From the YAML of an exercise to what it says, with every fault named: fields, sizes, and what would make it unfair."""

from collections.abc import Callable
from dataclasses import dataclass

from codyverse.courses.authoring import kinds
from codyverse.courses.authoring.draft import Draft
from codyverse.courses.authoring.fields import Reader
from codyverse.courses.authoring.limits import MAX_CHECKS, MAX_HINTS, MAX_LEVEL
from codyverse.courses.authoring.nodes import Node, read_mapping
from codyverse.courses.authoring.parsons import parsons
from codyverse.courses.authoring.prose import Place, check_expression
from codyverse.courses.authoring.tree import Body, Check, ExerciseSource, Faults

KINDS: dict[str, Callable[[Draft], Body]] = {
    "choice": kinds.choice,
    "choices": kinds.choices,
    "blank": kinds.blank,
    "order": kinds.order,
    "match": kinds.match,
    "parsons": parsons,
}


@dataclass(frozen=True, slots=True)
class Block:
    """The text of an `exercise` block and the line of the file on which it begins."""

    text: str
    line: int


def parse_exercise(block: Block, path: str, faults: Faults, *, step_has_code: bool) -> ExerciseSource | None:
    """Read one exercise. None when it cannot be used at all; further faults are in `faults` either way."""
    node = read_mapping(block.text, block.line, path, faults, "exercise")
    return exercise_from(node, path, faults, step_has_code=step_has_code) if node else None


def exercise_from(node: Node, path: str, faults: Faults, *, step_has_code: bool) -> ExerciseSource | None:
    """Read an exercise from a node, wherever that came from."""
    reader = Reader(node, path, faults, "exercise")
    kind_node = reader.get("kind")
    kind = reader.as_text(kind_node, "`kind`") if kind_node else ""
    if kind not in KINDS:
        if kind:
            reader.fault(
                f"exercise: the kind `{kind}` is unknown; write one of {', '.join(KINDS)}", kind_node
            )
        return None
    draft = Draft(reader, path, faults)
    level = reader.whole("level", 1, MAX_LEVEL)
    right = draft.prose(reader, "right", Place.BLOCK)
    wrong = draft.prose(reader, "wrong", Place.BLOCK)
    hints = _hints(draft)
    checks = _checks(reader, path, faults)
    predicts = reader.flag("predicts")
    body = KINDS[kind](draft)
    reader.finish()
    if predicts:
        _check_predicts(kind, draft, step_has_code)
    return ExerciseSource(kind, level, right, wrong, body, hints, checks, predicts, node.line)


def _hints(draft: Draft) -> tuple[str, ...]:
    nodes = draft.reader.nodes("hints", 0, MAX_HINTS, required=False)
    return tuple(
        draft.prose_of(draft.reader, node, f"hint {n}", Place.BLOCK) for n, node in enumerate(nodes, 1)
    )


def _checks(reader: Reader, path: str, faults: Faults) -> tuple[Check, ...]:
    checks = []
    for node in reader.nodes("checks", 0, MAX_CHECKS, required=False):
        text = " ".join(reader.as_text(node, "a check").split())
        if text and check_expression(text, path, node.line, faults, "exercise"):
            checks.append(Check(text, node.line))
    return tuple(checks)


def _check_predicts(kind: str, draft: Draft, step_has_code: bool) -> None:
    if kind not in ("choice", "blank"):
        draft.reader.fault("exercise: `predicts` works with the kinds choice and blank only; take it out")
    elif not (step_has_code or draft.has_python):
        draft.reader.fault("exercise: `predicts: true` needs a `python` fence in the step, or in `text`")
