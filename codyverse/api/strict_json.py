"""JSON that is read only when it means one thing: UTF-8, no NaN, no key twice, no endless nesting or numbers."""

import json
from typing import Any, NoReturn

from codyverse.core.errors import DomainError, Invalid

DEEPEST = 32
MOST_DIGITS = 20


class Malformed(DomainError):
    """This is no JSON that is read here."""

    code = "MALFORMED_JSON"


def read(body: bytes) -> Any:
    """The value that the body holds. Raises Malformed with what is wrong, Invalid for text that cannot be stored."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_decimal,
        )
    except UnicodeDecodeError as fault:
        raise Malformed(f"The body is not UTF-8 (byte {fault.start}).") from fault
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise Malformed(f"The body is not JSON: {fault.msg} at {where}.") from fault
    except RecursionError as fault:
        raise _too_deep() from fault
    _look_through(value, (), 0)
    return value


def _too_deep() -> Malformed:
    return Malformed(f"The body is nested more than {DEEPEST} deep.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Malformed(f"The body names “{name[:100]}” twice in one object.")
        found[name] = value
    return found


def _constant(name: str) -> NoReturn:
    raise Malformed(f"The body holds {name}, which is not JSON.")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise Malformed(f"The body holds a number of more than {MOST_DIGITS} digits.")
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise Malformed("The body holds a number that is too large.")
    return number


def _look_through(value: Any, where: tuple[str, ...], depth: int) -> None:
    if depth > DEEPEST:
        raise _too_deep()
    match value:
        case str():
            _must_be_storable(value, where)
        case list():
            for number, each in enumerate(value):
                _look_through(each, (*where, str(number)), depth + 1)
        case dict():
            for name, each in value.items():
                _must_be_storable(name, where)
                _look_through(each, (*where, name), depth + 1)


def _must_be_storable(text: str, where: tuple[str, ...]) -> None:
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise Malformed("The body holds half of a surrogate pair, which is no character.")
    if "\x00" in text:
        name = ".".join(where).replace("\x00", "")
        raise Invalid({name: ["The text holds a NUL character, which cannot be stored."]})
