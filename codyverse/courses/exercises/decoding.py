"""Between the answer as a browser or a client gives it, with public ids, and the answer as it is kept, with stable keys."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from codyverse.core.errors import Invalid
from codyverse.courses.exercises.ids import public_id, public_ids
from codyverse.courses.exercises.presenting import MAX_INDENT

MAX_TYPED = 500
FIELD = "answer"
_STRANGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def decode(exercise: dict[str, Any], key: bytes, given: Any) -> dict[str, Any]:
    """From the given answer to the kept one. Raises Invalid for anything malformed or incomplete, whatever it is.

    Equal answers give equal dicts: options of `choices` are kept in the author's order.
    """
    return _DECODERS[exercise["kind"]](exercise, key, given)


def encode(exercise: dict[str, Any], key: bytes, answer: dict[str, Any]) -> Any:
    """From the kept answer back to the shape in which it was given, with the public ids of this attempt."""
    return _ENCODERS[exercise["kind"]](exercise, key, answer)


def _refuse(message: str) -> Invalid:
    return Invalid({FIELD: [message]})


def _names(parts: list[dict[str, Any]]) -> list[str]:
    return [part["id"] for part in parts]


def _one(known: dict[str, str], value: Any) -> str:
    """The name behind one public id."""
    if not isinstance(value, str):
        raise _refuse("An option is named by its id, a text.")
    name = known.get(value)
    if name is None:
        raise _refuse("This option does not belong to the question as it is asked in this attempt.")
    return name


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise _refuse("The answer must be a list.")
    if len(value) > most:
        raise _refuse(f"The answer has {len(value)} parts, the question only {most}.")
    return value


def _several(known: dict[str, str], value: Any) -> list[str]:
    names = [_one(known, item) for item in _list(value, len(known))]
    if len(set(names)) < len(names):
        raise _refuse("The same option is named twice.")
    return names


def _choice(exercise: dict[str, Any], key: bytes, given: Any) -> dict[str, Any]:
    if given in (None, ""):
        raise _refuse("Pick an answer first.")
    return {"picked": _one(public_ids(exercise, key, _names(exercise["options"])), given)}


def _choices(exercise: dict[str, Any], key: bytes, given: Any) -> dict[str, Any]:
    names = _names(exercise["options"])
    picked = _several(public_ids(exercise, key, names), given)
    if not picked:
        raise _refuse("Pick at least one answer.")
    return {"picked": [name for name in names if name in picked]}


def _blank(exercise: dict[str, Any], _key: bytes, given: Any) -> dict[str, Any]:
    count = len(exercise["blanks"])
    texts = _list(given, count)
    for text in texts:
        if not isinstance(text, str):
            raise _refuse("What fills a gap must be a text, also if it is a number.")
        if len(text) > MAX_TYPED:
            raise _refuse(f"What fills a gap may have {MAX_TYPED} characters at most.")
        if _STRANGE.search(text):
            raise _refuse("The answer holds characters that cannot be typed.")
    if len(texts) < count or not all(text.strip() for text in texts):
        raise _refuse("Fill in every gap." if count > 1 else "Fill in the gap.")
    return {"texts": list(texts)}


def _order(exercise: dict[str, Any], key: bytes, given: Any) -> dict[str, Any]:
    names = _names(exercise["items"])
    order = _several(public_ids(exercise, key, names), given)
    if len(order) < len(names):
        raise _refuse(f"Put all {len(names)} into order; {len(order)} have a place so far.")
    return {"order": order}


def _match(exercise: dict[str, Any], key: bytes, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _refuse("The answer must name a right side for each left side.")
    lefts = public_ids(exercise, key, _names(exercise["lefts"]))
    rights = public_ids(exercise, key, _names(exercise["rights"]))
    if len(given) > len(lefts):
        raise _refuse(f"The answer has {len(given)} pairs, the question only {len(lefts)}.")
    pairs = {_one(lefts, left): _one(rights, right) for left, right in given.items()}
    if len(set(pairs.values())) < len(pairs):
        raise _refuse(
            "Two have the same partner. Each one on the right side belongs to one on the left at most."
        )
    if len(pairs) < len(lefts):
        raise _refuse(f"Find a partner for all {len(lefts)}; {len(pairs)} have one so far.")
    return {"pairs": {name: pairs[name] for name in lefts.values()}}


def _parsons(exercise: dict[str, Any], key: bytes, given: Any) -> dict[str, Any]:
    known = public_ids(exercise, key, _names(exercise["lines"]))
    lines = []
    for line in _list(given, len(known)):
        if not isinstance(line, dict) or line.keys() != {"id", "indent"}:
            raise _refuse("Each line has an id and an indent, and nothing else.")
        indent = line["indent"]
        if type(indent) is not int or not 0 <= indent <= MAX_INDENT:
            raise _refuse(f"The indentation is a whole number from 0 to {MAX_INDENT}.")
        lines.append({"line": _one(known, line["id"]), "indent": indent})
    if not lines:
        raise _refuse("Put at least one line into the program.")
    if len({line["line"] for line in lines}) < len(lines):
        raise _refuse("The same line stands in the program twice.")
    return {"lines": lines}


_DECODERS = {
    "choice": _choice,
    "choices": _choices,
    "blank": _blank,
    "order": _order,
    "match": _match,
    "parsons": _parsons,
}


def _public(exercise: dict[str, Any], key: bytes, names: Iterable[str]) -> list[str]:
    return [public_id(exercise, key, name) for name in names]


def _encode_choice(exercise: dict[str, Any], key: bytes, answer: dict[str, Any]) -> str:
    return public_id(exercise, key, answer["picked"])


def _encode_choices(exercise: dict[str, Any], key: bytes, answer: dict[str, Any]) -> list[str]:
    return _public(exercise, key, answer["picked"])


def _encode_blank(_exercise: dict[str, Any], _key: bytes, answer: dict[str, Any]) -> list[str]:
    return list(answer["texts"])


def _encode_order(exercise: dict[str, Any], key: bytes, answer: dict[str, Any]) -> list[str]:
    return _public(exercise, key, answer["order"])


def _encode_match(exercise: dict[str, Any], key: bytes, answer: dict[str, Any]) -> dict[str, str]:
    pairs = answer["pairs"]
    return dict(zip(_public(exercise, key, pairs), _public(exercise, key, pairs.values()), strict=True))


def _encode_parsons(exercise: dict[str, Any], key: bytes, answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": public_id(exercise, key, line["line"]), "indent": line["indent"]} for line in answer["lines"]
    ]


_ENCODERS: dict[str, Callable[[dict[str, Any], bytes, dict[str, Any]], Any]] = {
    "choice": _encode_choice,
    "choices": _encode_choices,
    "blank": _encode_blank,
    "order": _encode_order,
    "match": _encode_match,
    "parsons": _encode_parsons,
}
