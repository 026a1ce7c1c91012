"""The numbers of the game: what a lesson pays, levels, the day's goals, the streak."""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codyverse.gamification.rules import (
    GameNumbers,
    goal_progress,
    goals_for,
    half_up,
    improvement_xp,
    lesson_coins,
    lesson_xp,
    level_of,
    levels,
    standing,
)

TODAY = date(2026, 6, 17)


def share(right: int, asked: int) -> Fraction:
    return Fraction(100 * right, asked)


@pytest.mark.parametrize(
    ("difficulty", "seconds", "score", "xp", "coins"),
    [
        ("beginner", 0, Fraction(0), 20, 5),
        ("intermediate", 0, Fraction(0), 30, 8),
        ("advanced", 0, Fraction(0), 40, 10),
        ("beginner", 0, Fraction(100), 40, 10),
        ("beginner", 600, Fraction(100), 45, 11),
        ("intermediate", 210, Fraction(80), 48, 12),  # 30 + 1.75 + 16 = 47.75; 8 + 0.35 + 4 = 12.35
        ("advanced", 3600, Fraction(100), 90, 21),
        ("beginner", 60, Fraction(0), 21, 5),  # 20.5 goes up; 5.1 goes down
        ("beginner", 59, Fraction(0), 20, 5),
        ("beginner", 300, Fraction(0), 23, 6),  # 22.5 and 5.5 both go up
        ("beginner", 0, Fraction(25, 2), 23, 6),  # 12.5 × 0.2 = 2.5; 12.5 × 0.05 = 0.625
        (
            "beginner",
            100,
            share(1, 3),
            28,
            7,
        ),  # 20 + 5/6 + 20/3 = 27.5 exactly, which thirds in decimals would miss
        ("beginner", 20, share(2, 3), 34, 8),  # 20 + 1/6 + 40/3 = 33.5 exactly
        ("beginner", 19, share(2, 3), 33, 8),
    ],
)
def test_what_a_first_completion_pays(
    difficulty: str, seconds: int, score: Fraction, xp: int, coins: int
) -> None:
    assert lesson_xp(difficulty, seconds, score) == xp
    assert lesson_coins(difficulty, seconds, score) == coins


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("0", 0),
        ("0.4999999999", 0),
        ("0.5", 1),
        ("1.5", 2),
        ("2.5", 3),
        ("2.4999999999999999999", 2),
        ("47.75", 48),
    ],
)
def test_a_half_goes_up(exact: str, rounded: int) -> None:
    assert half_up(Fraction(exact)) == rounded


scores = st.integers(1, 40).flatmap(
    lambda asked: st.integers(0, asked).map(lambda right: share(right, asked))
)
difficulties = st.sampled_from(["beginner", "intermediate", "advanced"])


@given(difficulties, st.integers(0, 3600), scores)
def test_rounding_happens_once_and_agrees_with_decimals_of_many_places(
    difficulty: str, seconds: int, score: Fraction
) -> None:
    exact = (
        Fraction(seconds, 120) + score / 5 + {"beginner": 20, "intermediate": 30, "advanced": 40}[difficulty]
    )
    xp = lesson_xp(difficulty, seconds, score)
    assert abs(xp - exact) <= Fraction(1, 2)
    decimal = Decimal(exact.numerator) / Decimal(exact.denominator)
    nearby = decimal.quantize(Decimal("0.00000001"), ROUND_HALF_UP).quantize(Decimal(1), ROUND_HALF_UP)
    assert xp == nearby


@given(difficulties, st.integers(0, 3600), st.integers(0, 600), scores)
def test_more_time_and_more_right_never_pay_less(
    difficulty: str, seconds: int, more: int, score: Fraction
) -> None:
    assert lesson_xp(difficulty, seconds + more, score) >= lesson_xp(difficulty, seconds, score)
    assert lesson_xp(difficulty, seconds, Fraction(100)) >= lesson_xp(difficulty, seconds, score)
    assert lesson_coins(difficulty, seconds + more, score) >= lesson_coins(difficulty, seconds, score)


@pytest.mark.parametrize(
    ("best", "new", "xp"),
    [
        (60, 100, 8),
        (100, 100, 0),
        (100, 0, 0),
        (0, 100, 20),
        (Fraction(200, 3), 100, 7),
        (Fraction(25, 2), 13, 0),
    ],
)
def test_doing_it_again_pays_the_better_part(best: Fraction, new: Fraction, xp: int) -> None:
    assert improvement_xp(Fraction(new), Fraction(best)) == xp


@given(st.lists(scores, min_size=1, max_size=12))
def test_however_often_a_lesson_is_done_the_score_pays_20_in_all(path: list[Fraction]) -> None:
    best, paid = path[0], half_up(path[0] / 5)
    for score in path[1:]:
        paid += improvement_xp(score, best)
        best = max(best, score)
    assert paid == half_up(max(path) / 5) <= 20


@pytest.mark.parametrize(
    ("xp", "number", "name", "to_next", "progress"),
    [
        (0, 1, "Novice", 100, 0.0),
        (99, 1, "Novice", 1, 0.99),
        (100, 2, "Beginner", 200, 0.0),
        (299, 2, "Beginner", 1, 0.995),
        (300, 3, "Student", 300, 0.0),
        (600, 4, "Learner", 400, 0.0),
        (999, 4, "Learner", 1, 0.9975),
        (1000, 5, "Scholar", 500, 0.0),
        (1500, 6, "Expert", 1000, 0.0),
        (2000, 6, "Expert", 500, 0.5),
        (2500, 7, "Master", 1500, 0.0),
        (3999, 7, "Master", 1, 1499 / 1500),
        (4000, 8, "Grandmaster", None, 1.0),
        (10**9, 8, "Grandmaster", None, 1.0),
    ],
)
def test_levels(xp: int, number: int, name: str, to_next: int | None, progress: float) -> None:
    found = standing(xp)
    assert (found.level.number, found.level.name, found.to_next, found.progress) == (
        number,
        name,
        to_next,
        progress,
    )
    assert level_of(xp) == number


def test_a_ladder_of_another_length_still_has_names() -> None:
    numbers = GameNumbers(level_thresholds=tuple(range(0, 1000, 100)))
    assert [level.name for level in levels(numbers)][7:] == ["Grandmaster"] * 3
    assert standing(950, numbers).level.number == 10


# --- goals ---


@pytest.mark.parametrize(
    ("intensity", "coins"), [("casual", 5), ("regular", 10), ("serious", 15), ("unheard-of", 10)]
)
def test_three_different_goals_that_pay_by_intensity(intensity: str, coins: int) -> None:
    for user_id in range(1, 60):
        goals = goals_for(user_id, TODAY, intensity, 10)
        assert [goal.slot for goal in goals] == [1, 2, 3]
        assert len({goal.kind for goal in goals}) == 3
        assert {goal.kind for goal in goals} <= {"lessons", "xp", "minutes", "first_try"}
        assert {goal.coins for goal in goals} == {coins}


def test_targets_by_intensity() -> None:
    def found(intensity: str) -> dict[str, int]:
        return {
            goal.kind: goal.target for user in range(1, 60) for goal in goals_for(user, TODAY, intensity, 10)
        }

    assert found("casual") == {"lessons": 1, "xp": 30, "minutes": 5, "first_try": 4}
    assert found("regular") == {"lessons": 2, "xp": 60, "minutes": 10, "first_try": 8}
    assert found("serious") == {"lessons": 3, "xp": 100, "minutes": 20, "first_try": 14}


def test_goals_change_from_day_to_day_and_are_the_same_all_day() -> None:
    days = [TODAY + timedelta(days=n) for n in range(30)]
    kinds = [tuple(goal.kind for goal in goals_for(7, day, "regular", 10)) for day in days]
    assert len(set(kinds)) == 4
    assert kinds == [tuple(goal.kind for goal in goals_for(7, day, "regular", 10)) for day in days]


def test_a_weak_lesson_is_asked_for_every_third_day_and_then_first() -> None:
    for user_id in range(1, 8):
        days = [TODAY + timedelta(days=n) for n in range(30)]
        kinds = [[goal.kind for goal in goals_for(user_id, day, "regular", 10, weak=1)] for day in days]
        asked = [number for number, each in enumerate(kinds) if "mended" in each]
        assert asked == list(range(asked[0], 30, 3))
        assert {kinds[number][0] for number in asked} == {"mended"}
        assert {len(set(each)) for each in kinds} == {3}
    without = goals_for(7, TODAY, "regular", 0, weak=9, hidden={"xp"})
    assert len({goal.kind for goal in without}) == 3


@pytest.mark.parametrize(("intensity", "unfinished"), [("casual", 0), ("regular", 1), ("serious", 2)])
def test_who_has_too_few_new_lessons_left_gets_goals_that_can_be_reached(
    intensity: str, unfinished: int
) -> None:
    goals = goals_for(7, TODAY, intensity, unfinished)
    assert [goal.kind for goal in goals] == ["lessons", "minutes", "right"]


def test_only_whole_minutes_count_for_a_goal() -> None:
    day = {"distinct_lessons": 1, "xp": 2, "first_try": 3, "correct": 4}
    assert goal_progress(seconds=299, **day) == {
        "lessons": 1,
        "xp": 2,
        "minutes": 4,
        "first_try": 3,
        "right": 4,
        "mended": 0,
    }
    assert goal_progress(seconds=300, **day)["minutes"] == 5
