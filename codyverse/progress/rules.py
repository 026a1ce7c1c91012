"""The rules of study: what a score is, which time counts, what a draft may look like."""

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from codyverse.core.errors import Invalid

GAP_SECONDS = 120
MOST_REPORTED_MINUTES = 1440
DRAFT_PARTS = 100
DRAFT_LENGTH = 4000
_STORED = Decimal("0.000000001")
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


def attempt_key(seed: int) -> bytes:
    """The attempt's secret, from which the ids and the order of options are derived."""
    return seed.to_bytes(8, "big")


def score(right: int, asked: int) -> Fraction:
    """0–100, exact: steps right at the first graded answer ÷ steps that ask; with none that ask 100 (DESIGN §2)."""
    return Fraction(100) if asked == 0 else Fraction(100 * right, asked)


def stored_score(exact: Fraction) -> Decimal:
    """The score as the column keeps it, nine places; awards are reckoned from the exact one."""
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(_STORED, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class StudyTime:
    """Counted study time: the attempt's `seconds` so far, how much of it is new, the moment counted up to."""

    seconds: int
    added: int
    counted_to: datetime


def study_time(
    seconds: int, counted_to: datetime, at: datetime, estimate_minutes: int, told: int | None = None
) -> StudyTime:
    """Count the gap between two events that the server saw (DESIGN §2, minutes).

    Each gap counts up to two minutes, all together up to the lesson's estimate, and up to the seconds that were `told`,
    if any were. Whole seconds count; the rest of a second is left for the next gap by setting `counted_to` only as far
    as was counted, so that many small gaps lose nothing. A clock that went backwards counts nothing.
    """
    most = estimate_minutes * 60 if told is None else min(estimate_minutes * 60, told)
    gap = at - counted_to
    if gap <= timedelta(0):
        return StudyTime(seconds, 0, counted_to)
    whole = math.floor(gap.total_seconds())
    until = at if whole >= GAP_SECONDS else counted_to + timedelta(seconds=whole)
    added = max(0, min(whole, GAP_SECONDS, most - seconds))
    return StudyTime(seconds + added, added, until)


def reported_seconds(minutes: Any) -> int:
    """Study time as another program tells it, in whole seconds. Raises Invalid unless it is 0 to 1440 minutes."""
    if not _is_number(minutes, MOST_REPORTED_MINUTES):
        raise Invalid({"timeSpent": [f"Tell the minutes as a number from 0 to {MOST_REPORTED_MINUTES}."]})
    return math.floor(Fraction(str(minutes)) * 60)


def reported_score(told: Any) -> Fraction:
    """A score as another program tells it, to the nine places that are kept. Raises Invalid unless it is 0 to 100.

    To these places, so that the same report again is no better than the one before.
    """
    if not _is_number(told, 100):
        raise Invalid({"score": ["Tell the score as a number from 0 to 100."]})
    return Fraction(stored_score(Fraction(str(told))))


def _is_number(value: Any, most: int) -> bool:
    return type(value) in (int, float) and 0 <= value <= most


def checked_draft(kind: str, given: Any) -> Any:
    """A half-written answer, if it has the shape of its kind: unfinished is fine, another shape is not.

    Raises Invalid, also for what the database cannot keep or nobody could have typed.
    """
    shapes = {
        "choice": lambda: _is_text(given),
        "choices": lambda: _is_texts(given),
        "blank": lambda: _is_texts(given),
        "order": lambda: _is_texts(given),
        "match": lambda: _is_pairs(given),
        "parsons": lambda: _is_lines(given),
    }
    if kind not in shapes or not shapes[kind]():
        raise Invalid({"answer": ["This is not an answer to this kind of question."]})
    return given


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= DRAFT_LENGTH and not _UNKEEPABLE.search(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= DRAFT_PARTS and all(map(_is_text, value))


def _is_pairs(value: Any) -> bool:
    return isinstance(value, dict) and _is_texts(list(value)) and _is_texts(list(value.values()))


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= DRAFT_PARTS and all(map(_is_line, value))


def _is_line(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != {"id", "indent"}:
        return False
    indent = value["indent"]
    return _is_text(value["id"]) and type(indent) is int and 0 <= indent <= 20
