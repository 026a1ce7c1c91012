"""Every entry is explained in a plain sentence, also those of other times and versions."""

import ast
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from codyverse import gamification
from codyverse.gamification.explain import RULES, goal_text, plain, reason, rule_of
from codyverse.gamification.shop_catalogue import shelf

LESSON = {
    "title": "Values", "base": 30, "seconds": 210, "per_minute": "0.5", "score": "80.000000000", "per_point": "0.2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "source", "details", "sentence"),
    [
        (
            "lesson",
            "lesson:1",
            LESSON,
            "First time through “Values”: 30 + 3.5 minutes × 0.5 + score 80 × 0.2",
        ),
        (
            "lesson",
            "lesson:1",
            LESSON | {"seconds": 60, "score": "66.666666667"},
            "First time through “Values”: 30 + 1 minute × 0.5 + score 66.67 × 0.2",
        ),
        (
            "lesson_again",
            "attempt:9",
            {"title": "Values", "score": "100", "best": "60", "per_point": "0.2"},
            "“Values” again, better than before: score 100 instead of 60, each point × 0.2",
        ),
        (
            "goal",
            "goal:2026-06-17:2",
            {"kind": "xp", "target": 60},
            "Goal of 17 June reached: 60 XP from lessons",
        ),
        ("all_goals", "goals:2026-06-17", {}, "All three goals of 17 June reached"),
        ("level", "level:3", {"name": "Student"}, "Level 3, Student"),
        ("of_tomorrow", "thing:7", {"any": "thing"}, "of_tomorrow (thing:7)"),
        ("lesson", "lesson:1", {}, "lesson (lesson:1)"),
        ("lesson", "lesson:1", LESSON | {"score": "?"}, "lesson (lesson:1)"),
    ],
)
def test_reasons(rule: str, source: str, details: dict[str, Any], sentence: str) -> None:
    assert reason(rule, source, details) == sentence


@pytest.mark.parametrize(
    ("kind", "target", "words"),
    [
        ("lessons", 1, "1 lesson"),
        ("lessons", 2, "2 lessons"),
        ("minutes", 1, "1 minute of study"),
        ("first_try", 4, "4 answers right at the first try"),
        ("right", 5, "5 right answers"),
    ],
)
def test_goals_in_words(kind: str, target: int, words: str) -> None:
    assert goal_text(kind, target) == words


@pytest.mark.parametrize(
    ("number", "text"),
    [("0", "0"), ("100", "100"), ("10", "10"), ("3.50", "3.5"), ("0.005", "0.01"), ("66.6666", "66.67")],
)
def test_plain_numbers(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_every_rule_names_the_currencies_in_which_it_is_paid() -> None:
    """The ledger's page looks for a rule's entries in no other."""
    written = set()
    for file in Path(gamification.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Entry":
                currency, rule = node.args[0], node.args[2]
                assert isinstance(currency, ast.Constant)
                assert isinstance(rule, ast.Constant)
                written.add((rule.value, currency.value))
    written |= {("purchase", item.currency) for item in shelf()}
    assert {rule for rule, _ in written} == {rule.key for rule in RULES}
    assert {(rule, each) for rule, each in written if each not in rule_of(rule).currencies} == set()
