"""From the fields of an answer form to the answer shape of the contract, whatever was sent."""

from collections.abc import Iterable
from typing import Any

from werkzeug.datastructures import MultiDict

from codyverse.core.errors import Invalid

MOST_PARTS = 200


def read(kind: str, form: MultiDict[str, str]) -> Any:
    """The given answer in the shape of its kind. Shapes only; what it means is decided where it is graded.

    Raises Invalid where the fields themselves contradict each other, such as two lines in one place.
    """
    if kind == "choice":
        return form.get("answer", "")
    if kind == "choices":
        return form.getlist("answer")[:MOST_PARTS]
    if kind == "blank":
        return [value for _, value in sorted(_numbered("blank-", form))]
    if kind == "match":
        return {key.removeprefix("match-"): form[key] for key in _keys("match-", form) if form[key]}
    if kind == "order":
        return [name for _, name in _placed(form)]
    if kind == "parsons":
        return [{"id": name, "indent": _small(form.get(f"indent-{name}", "0"))} for _, name in _placed(form)]
    raise Invalid({"answer": ["This step takes no answer."]})


def _keys(prefix: str, form: MultiDict[str, str]) -> Iterable[str]:
    return [key for key in form if key.startswith(prefix)][:MOST_PARTS]


def _numbered(prefix: str, form: MultiDict[str, str]) -> Iterable[tuple[int, str]]:
    for key in _keys(prefix, form):
        tail = key.removeprefix(prefix)
        if tail.isascii() and tail.isdigit() and len(tail) < 4:
            yield int(tail), form[key]


def _small(text: str) -> int:
    """A number of at most three digits; -1 for anything else, which grading refuses by name."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1


def _placed(form: MultiDict[str, str]) -> list[tuple[int, str]]:
    """The lines that were given a place, in the order of their places."""
    placed = [
        (_small(form[key]), key.removeprefix("position-"))
        for key in _keys("position-", form)
        if form[key] != ""
    ]
    if any(place < 1 for place, _ in placed):
        raise Invalid({"answer": ["A place is a number from 1 on."]})
    if len({place for place, _ in placed}) < len(placed):
        raise Invalid({"answer": ["Two lines have the same place. Give each line a place of its own."]})
    return sorted(placed)
