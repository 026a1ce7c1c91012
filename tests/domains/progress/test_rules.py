"""Scores, study time and the shapes of drafts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codyverse.core.errors import Invalid
from codyverse.progress.rules import checked_draft, score, stored_score, study_time

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("right", "asked", "exact", "stored"),
    [
        (0, 0, Fraction(100), "100.000000000"),
        (0, 3, Fraction(0), "0.000000000"),
        (1, 3, Fraction(100, 3), "33.333333333"),
        (2, 3, Fraction(200, 3), "66.666666667"),
        (3, 3, Fraction(100), "100.000000000"),
        (1, 8, Fraction(25, 2), "12.500000000"),
    ],
)
def test_the_score(right: int, asked: int, exact: Fraction, stored: str) -> None:
    assert score(right, asked) == exact
    assert stored_score(exact) == Decimal(stored)


@pytest.mark.parametrize(
    ("seconds", "gap", "minutes", "added"),
    [
        (0, 0, 10, 0),
        (0, 30, 10, 30),
        (0, 30.9, 10, 30),
        (0, 119.9, 10, 119),
        (0, 120, 10, 120),
        (0, 121, 10, 120),
        (0, 36_000, 10, 120),
        (590, 30, 10, 10),
        (600, 30, 10, 0),
        (700, 30, 10, 0),  # the lesson's estimate was lowered in the meantime
        (0, -5, 10, 0),
    ],
)
def test_a_gap_counts_up_to_two_minutes_and_all_of_them_up_to_the_estimate(
    seconds: int, gap: float, minutes: int, added: int
) -> None:
    time = study_time(seconds, NOON, after(gap), minutes)
    assert (time.added, time.seconds) == (added, seconds + added)


@given(st.lists(st.floats(0, 119.0), min_size=1, max_size=100))
def test_parts_of_seconds_are_not_lost(gaps: list[float]) -> None:
    seconds, counted_to, at = 0, NOON, NOON
    for gap in gaps:
        at += timedelta(seconds=gap)
        time = study_time(seconds, counted_to, at, 60 * 24)
        seconds, counted_to = time.seconds, time.counted_to
    assert seconds == int((at - NOON).total_seconds())


@given(st.lists(st.floats(-50, 5000), max_size=50), st.integers(1, 60))
def test_study_time_grows_and_never_passes_the_estimate(gaps: list[float], minutes: int) -> None:
    seconds, counted_to, at = 0, NOON, NOON
    for gap in gaps:
        at += timedelta(seconds=gap)
        time = study_time(seconds, counted_to, at, minutes)
        assert 0 <= time.added <= 120
        assert time.seconds == seconds + time.added <= minutes * 60
        assert time.counted_to >= counted_to
        seconds, counted_to = time.seconds, time.counted_to


@pytest.mark.parametrize(
    ("kind", "given_"),
    [
        ("choice", ""),
        ("choice", "o123"),
        ("choices", []),
        ("blank", ["", "half"]),
        ("order", ["a"]),
        ("match", {}),
        ("match", {"a": "b"}),
        ("parsons", []),
        ("parsons", [{"id": "a", "indent": 2}]),
    ],
)
def test_a_half_written_answer_is_a_draft(kind: str, given_: Any) -> None:
    assert checked_draft(kind, given_) == given_


@pytest.mark.parametrize(
    ("kind", "given_"),
    [
        ("teach", ""),
        ("choice", None),
        ("choice", ["a"]),
        ("choice", "a\x00b"),
        ("choice", "\ud800"),
        ("choice", "x" * 4001),
        ("choices", "a"),
        ("choices", [1]),
        ("choices", ["a"] * 101),
        ("blank", {"a": "b"}),
        ("match", [["a", "b"]]),
        ("match", {"a": 1}),
        ("match", {"a\x00": "b"}),
        ("parsons", [{"id": "a"}]),
        ("parsons", [{"id": "a", "indent": True}]),
        ("parsons", [{"id": "a", "indent": -1}]),
        ("parsons", [{"id": "a", "indent": 10**9}]),
        ("parsons", [{"id": 1, "indent": 1}]),
        ("parsons", ["a"]),
        ("unheard-of", "a"),
    ],
)
def test_another_shape_is_no_draft(kind: str, given_: Any) -> None:
    with pytest.raises(Invalid):
        checked_draft(kind, given_)
