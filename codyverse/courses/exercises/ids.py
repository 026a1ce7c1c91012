"""Public ids and shuffled orders, derived from an attempt's secret by HMAC: nothing to store, nothing to guess."""

import hmac
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

_MOST_SHUFFLES = 200


def public_id(exercise: dict[str, Any], key: bytes, name: str) -> str:
    """The id by which a browser knows the part `name`; safe in HTML, URLs and JSON."""
    return "o" + _mac(exercise, key, f"id {name}")[:15]


def public_ids(exercise: dict[str, Any], key: bytes, names: Iterable[str]) -> dict[str, str]:
    """From public ids to names."""
    return {public_id(exercise, key, name): name for name in names}


def shuffled(
    exercise: dict[str, Any],
    key: bytes,
    names: Sequence[str],
    is_solved: Callable[[list[str]], bool] | None = None,
) -> list[str]:
    """The names in an order that depends on the secret only.

    With `is_solved` the first such order that is not solved already; if every order is (all lines alike), any.
    """
    found = list(names)
    for turn in range(_MOST_SHUFFLES):
        places = {name: _mac(exercise, key, f"place {turn} {name}") for name in names}
        found = sorted(names, key=places.__getitem__)
        if is_solved is None or not is_solved(found):
            break
    return found


def _mac(exercise: dict[str, Any], key: bytes, text: str) -> str:
    # The exercise's own salt keeps two exercises of one attempt apart: their parts are called alike.
    return _mac_of(key, f"{exercise['salt']} {text}")


@lru_cache(4096)
def _mac_of(key: bytes, text: str) -> str:
    """Kept for a while: an answer is read with the same ids with which its step is shown again."""
    return hmac.digest(key, text.encode(), "sha256").hex()
