"""A right answer, and a wrong one, in the kept form: for demo learners and for tests. Never shown to anybody."""

from collections.abc import Callable
from typing import Any


def right_answer(exercise: dict[str, Any]) -> dict[str, Any]:
    """An answer that `grade` finds right."""
    return _RIGHT[exercise["kind"]](exercise)


def wrong_answer(exercise: dict[str, Any]) -> dict[str, Any]:
    """A complete answer that `grade` finds wrong."""
    return _WRONG[exercise["kind"]](exercise)


def _right_choice(exercise: dict[str, Any]) -> dict[str, Any]:
    return {"picked": next(option["id"] for option in exercise["options"] if option["correct"])}


def _wrong_choice(exercise: dict[str, Any]) -> dict[str, Any]:
    return {"picked": next(option["id"] for option in exercise["options"] if not option["correct"])}


def _right_choices(exercise: dict[str, Any]) -> dict[str, Any]:
    return {"picked": [option["id"] for option in exercise["options"] if option["correct"]]}


def _wrong_choices(exercise: dict[str, Any]) -> dict[str, Any]:
    return {"picked": [option["id"] for option in exercise["options"] if not option["correct"]]}


def _right_blank(exercise: dict[str, Any]) -> dict[str, Any]:
    return {"texts": [blank["number"] or blank["accept"][0] for blank in exercise["blanks"]]}


def _wrong_blank(exercise: dict[str, Any]) -> dict[str, Any]:
    return {"texts": ["no idea" for _ in exercise["blanks"]]}


def _right_order(exercise: dict[str, Any]) -> dict[str, Any]:
    return {"order": list(exercise["orders"][0])}


def _wrong_order(exercise: dict[str, Any]) -> dict[str, Any]:
    first = list(exercise["orders"][0])
    turned = (first[step:] + first[:step] for step in range(1, len(first)))
    return {"order": next(order for order in [first[::-1], *turned] if order not in exercise["orders"])}


def _right_match(exercise: dict[str, Any]) -> dict[str, Any]:
    return {"pairs": dict(exercise["pairs"])}


def _wrong_match(exercise: dict[str, Any]) -> dict[str, Any]:
    lefts = list(exercise["pairs"])
    rights = list(exercise["pairs"].values())
    return {"pairs": dict(zip(lefts, rights[1:] + rights[:1], strict=True))}


def _right_parsons(exercise: dict[str, Any]) -> dict[str, Any]:
    free = {line["id"]: line["text"] for line in exercise["lines"] if line["why"] is None}
    placed = []
    for text, indent in exercise["solutions"][0]:
        name = next(each for each, code in free.items() if code == text)
        del free[name]
        placed.append({"line": name, "indent": indent})
    return {"lines": placed}


def _wrong_parsons(exercise: dict[str, Any]) -> dict[str, Any]:
    right = _right_parsons(exercise)["lines"]
    return {"lines": [{**line, "indent": line["indent"] + 1 if line["indent"] < 4 else 0} for line in right]}


_RIGHT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "choice": _right_choice,
    "choices": _right_choices,
    "blank": _right_blank,
    "order": _right_order,
    "match": _right_match,
    "parsons": _right_parsons,
}
_WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "choice": _wrong_choice,
    "choices": _wrong_choices,
    "blank": _wrong_blank,
    "order": _wrong_order,
    "match": _wrong_match,
    "parsons": _wrong_parsons,
}
