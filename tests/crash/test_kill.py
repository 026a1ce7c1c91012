"""kill -9 of the server while lessons are being finished: no completion without its award, no award without its completion."""

import os
import platform
import random
import statistics
import subprocess
from dataclasses import dataclass

import pytest

from codyverse.core.clock import now
from codyverse.core.database import db
from codyverse.gamification.services import verify_ledger
from tests.crash.hall import TABS, Hall, Learner
from tests.e2e.conftest import ROOT

PEOPLE = 6
SEED = 20_260_101
REPORT = ROOT / "docs" / "measured" / "kill-9.md"


@dataclass(frozen=True)
class Kill:
    """One kill: after how much of the whole it came, what had been answered then, and what stood in the database."""

    part: float
    sent: int
    answers: int
    attempts: int
    answered: int
    finished: int

    @property
    def where(self) -> str:
        """Before anything was done, while some were answered and some were not, or after everything."""
        if self.finished == 0:
            return "before"
        return "inside" if self.answers < self.sent else "after"


def whole(hall: Hall, people: list[Learner], answered: set[int]) -> int:
    """Nothing is half: what is finished is paid and counted, what is not is neither. How many are finished."""
    done = 0
    for _, attempt_id, finished, entries, completions in hall.attempts(people):
        assert (entries, completions) == ((2, 1) if finished else (0, 0)), f"attempt {attempt_id}"
        assert finished or attempt_id not in answered, f"attempt {attempt_id} was answered, then lost"
        done += finished
    rows = hall.people(people)
    for (
        user_id,
        xp,
        _,
        _,
        earned,
        paid,
        lessons,
        day_xp,
        lesson_xp,
    ) in rows:  # a day's XP is that of lessons only
        assert (xp, paid, day_xp) == (earned, lessons, lesson_xp), f"learner {user_id}"
    assert sum(row[6] for row in rows) == done
    assert verify_ledger() == ()
    db.session.remove()
    return done


def undisturbed(hall: Hall) -> tuple[list[Learner], float]:
    """Learners whom nobody disturbs, and how many seconds all of them take together, once the server is warm."""
    hall.open()
    hall.finish_all(hall.learners(PEOPLE))
    took = []
    for _ in range(3):
        calm = hall.learners(PEOPLE)
        outcome = hall.finish_all(calm)
        assert (outcome.answers, outcome.statuses) == (outcome.sent, {303})
        assert whole(hall, calm, outcome.answered) == len(outcome.answered)
        took.append(outcome.seconds)
    return calm, statistics.median(took)


def one_kill(hall: Hall, calm: list[Learner], seconds: float, part: float) -> Kill:
    """Everybody finishes, the server dies meanwhile and comes back, everybody sends once more."""
    people = hall.learners(PEOPLE)
    outcome = hall.finish_all(people, kill_after=part * seconds)
    hall.close()
    finished = whole(hall, people, outcome.answered)
    hall.open()
    again = hall.finish_all(people)
    assert (again.answers, again.statuses) == (again.sent, {303})
    assert whole(hall, people, again.answered) == len(again.answered)
    assert {row[1:4] for row in hall.people(people)} == {row[1:4] for row in hall.people(calm)}
    assert outcome.statuses <= {303}
    return Kill(part, outcome.sent, outcome.answers, outcome.sent // TABS, len(outcome.answered), finished)


def kills(hall: Hall, count: int) -> tuple[list[Kill], float]:
    """So many kills, at random moments spread evenly over the time that it takes, and a little beyond."""
    dice = random.Random(SEED)
    calm, seconds = undisturbed(hall)
    parts = [1.1 * (number + dice.random()) / count for number in range(count)]
    dice.shuffle(parts)
    return [one_kill(hall, calm, seconds, part) for part in parts], seconds


def test_five_kills(hall: Hall) -> None:
    found, _ = kills(hall, 5)
    assert len(found) == 5


@pytest.mark.drill
def test_fifty_kills(hall: Hall) -> None:
    """What `make drill` runs; the result is written down. Enough kills must have met the server at work."""
    found, seconds = kills(hall, 50)
    by_place = {place: sum(kill.where == place for kill in found) for place in ("before", "inside", "after")}
    assert by_place["inside"] >= 10, by_place
    REPORT.write_text(report(found, seconds, by_place))


def report(found: list[Kill], seconds: float, by_place: dict[str, int]) -> str:
    """The page in docs/measured."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    attempts, finished = sum(kill.attempts for kill in found), sum(kill.finished for kill in found)
    quiet = sum(kill.finished - kill.answered for kill in found)
    told = (
        f"Last run: {now():%Y-%m-%d}, commit {commit.stdout.strip() or 'unknown'}, {platform.system()} with "
        f"{os.cpu_count()} cores, by `make drill` (tests/crash/test_kill.py)."
    )
    how = (
        f"{PEOPLE} learners, each in {TABS} browsers at once, finish 3 lessons each on granian with one process and four "
        f"threads. Undisturbed that takes {seconds * 1000:.0f} ms. Each time the whole server is killed at a random moment of "
        "it, spread evenly over this time and a tenth beyond. Then the database is looked at, the server started anew, and "
        "everything sent again."
    )
    facts = {
        "kills": len(found),
        "before anything was finished": by_place["before"],
        "with some finished and some without an answer": by_place["inside"],
        "after everything was answered": by_place["after"],
        "attempts to be finished": attempts,
        "of these finished when the server died": finished,
        "finished, but the answer never arrived": quiet,
        "answered, then lost": 0,
        "finished without entries, study day or progress": 0,
        "entries without a finished attempt": 0,
        "differences that `flask ledger verify` found": 0,
        "attempts not finished exactly once after sending again": 0,
        "learners whose XP, level or gems differ in the end from undisturbed ones": 0,
    }
    lines = ["# kill -9 in mid-completion", "", told, "", how, "", "| What | How many |", "| --- | --- |"]
    lines += [f"| {what} | {number} |" for what, number in facts.items()]
    lines += ["", "| Killed after | Attempts answered | finished | of |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {kill.part * 100:.0f} % | {kill.answered} | {kill.finished} | {kill.attempts} |"
        for kill in sorted(found, key=lambda kill: kill.part)
    ]
    return "\n".join([*lines, ""])
