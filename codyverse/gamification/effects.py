"""What a fact brings, one function per mechanic. `wiring.py` says for which fact and in which order."""

from typing import Any

from codyverse.gamification import rules
from codyverse.gamification.events import GoalReached, LevelReached
from codyverse.gamification.goals import newly_reached
from codyverse.gamification.settlement import Entry, Settlement
from codyverse.progress.events import LessonCompleted
from codyverse.progress.rules import stored_score


def lesson(settlement: Settlement) -> None:
    """XP and coins for a first completion; for doing it again XP for the better score. Source of a first one: the lesson."""
    fact = settlement.fact
    assert isinstance(fact, LessonCompleted)
    if fact.previous_best is None:
        settlement.add(*_first_time(settlement, fact))
    else:
        settlement.add(_again(settlement, fact, fact.previous_best))


def _first_time(settlement: Settlement, fact: LessonCompleted) -> tuple[Entry, Entry]:
    numbers = settlement.numbers
    source = f"lesson:{fact.lesson_id}"
    score = str(stored_score(fact.score))
    what = (fact.difficulty, fact.seconds, fact.score, numbers)
    xp_details = _told(
        fact, score, numbers.base_xp[fact.difficulty], str(numbers.xp_per_minute), str(numbers.xp_per_point)
    )
    coin_details = _told(
        fact,
        score,
        numbers.base_coins[fact.difficulty],
        str(numbers.coins_per_minute),
        str(numbers.coins_per_point),
    )
    return (
        Entry("xp", rules.lesson_xp(*what), "lesson", source, xp_details),
        Entry("coins", rules.lesson_coins(*what), "lesson", source, coin_details),
    )


def _told(fact: LessonCompleted, score: str, base: int, per_minute: str, per_point: str) -> dict[str, Any]:
    return {
        "lesson_id": fact.lesson_id,
        "title": fact.lesson_title,
        "base": base,
        "seconds": fact.seconds,
        "per_minute": per_minute,
        "score": score,
        "per_point": per_point,
        **_by_report(fact),
    }


def _by_report(fact: LessonCompleted) -> dict[str, Any]:
    return {"reported": True} if fact.reported else {}


def _again(settlement: Settlement, fact: LessonCompleted, best: Any) -> Entry:
    details = {
        "lesson_id": fact.lesson_id,
        "title": fact.lesson_title,
        "score": str(stored_score(fact.score)),
        "best": str(stored_score(best)),
        "per_point": str(settlement.numbers.xp_per_point),
        **_by_report(fact),
    }
    amount = rules.improvement_xp(fact.score, best, settlement.numbers)
    return Entry("xp", amount, "lesson_again", f"attempt:{fact.attempt_id}", details)


def goals(settlement: Settlement) -> None:
    """Goals that the day reaches now pay coins, all three together a gem."""
    fact = settlement.fact
    hits, all_reached = newly_reached(fact.user_id, fact.local_date, settlement.day)
    settlement.reach([goal.slot for goal in hits], full=all_reached)
    for number, goal in enumerate(hits, start=1):
        details = {"slot": goal.slot, "kind": goal.kind, "target": goal.target}
        entry = Entry("coins", goal.coins, "goal", f"goal:{fact.local_date}:{goal.slot}", details)
        settlement.add(entry)
        last = all_reached and number == len(hits)
        news = (fact.user_id, goal.slot, goal.kind, goal.target, goal.coins, last, fact.at, fact.local_date)
        settlement.announce(GoalReached(*news), because_of=entry if entry.amount else None)
    if hits and all_reached:
        settlement.add(
            Entry("gems", settlement.numbers.all_goals_gems, "all_goals", f"goals:{fact.local_date}")
        )


def levels(settlement: Settlement) -> None:
    """Every level that was passed pays gems, as many as its number."""
    if not settlement.earned_xp:
        return
    fact, player = settlement.fact, settlement.player
    reached = rules.level_of(player.xp, settlement.numbers)
    if reached <= player.level:
        return
    for level in rules.levels(settlement.numbers)[player.level : reached]:
        entry = Entry("gems", level.number, "level", f"level:{level.number}", {"name": level.name})
        settlement.add(entry)
        news = (fact.user_id, level.number, level.name, level.number, fact.at, fact.local_date)
        settlement.announce(LevelReached(*news), because_of=entry)
    settlement.change(level=reached)
