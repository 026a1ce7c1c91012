"""A learner's whole history, lived in memory: what they answered, when, and how they came to stand with each lesson."""

import random
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from codyverse.accounts.queries import Preferences
from codyverse.accounts.rules import Reckoning, owed_until, stamped_date
from codyverse.gamification import rules
from codyverse.progress.rules import GAP_SECONDS, score, stored_score
from codyverse.stories.day import Finished, Standing, Today
from codyverse.stories.game import Game, Moment, Numbers
from codyverse.stories.library import Lesson, Library, Step
from codyverse.stories.plot import Person, Sitting, joined
from codyverse.stories.rows import Sheets

DAY_START = 4
LAST_GAP = 5


class Life:
    """One learner. `study` and `report` go forward in time only; `close` writes what is known at the end."""

    def __init__(self, user_id: int, who: Person, library: Library, numbers: Numbers, sheets: Sheets) -> None:
        self.id, self.who, self.library, self.sheets = user_id, who, library, sheets
        self.created = joined(who)
        self.game = Game(user_id, library, numbers, Reckoning(self.created, who.zone, DAY_START), sheets)
        self.day: Today | None = None
        self.owed: datetime | None = None
        self.studied_until: datetime | None = None
        self.met: set[int] = set()
        self.dice = random.Random(f"codyverse-seeds-{who.number}-{user_id}")  # noqa: S311 - demo attempts only

    def study(self, attempt_id: int, sitting: Sitting) -> None:
        """Do a lesson here, step by step, each answer right at once or at the second try."""
        lesson, at = self.library.lessons[sitting.lesson], sitting.at
        self.game.came(at)
        day, spent, right = self._date(at), 0, 0
        for step, seconds, missed in zip(lesson.steps, sitting.seconds, sitting.missed, strict=True):
            at += timedelta(seconds=seconds)
            spent += self._count_time(day, lesson, spent, seconds)
            right += self._do(day, attempt_id, step, at, seconds, missed=missed)
        spent += self._count_time(day, lesson, spent, LAST_GAP)
        at += timedelta(seconds=LAST_GAP)
        self.studied_until = at
        asked = sum(step.asks for step in lesson.steps)
        self._finish(Moment(day, at, attempt_id), lesson, spent, score(right, asked), sitting.at)
        self.met.update(step.id for step in lesson.steps if step.asks)

    def report(self, attempt_id: int, sitting: Sitting) -> None:
        """Finish a lesson elsewhere: told are whole minutes and a whole score; here nothing is asked."""
        lesson = self.library.lessons[sitting.lesson]
        at = sitting.at + timedelta(seconds=sum(sitting.seconds) + LAST_GAP)
        self.game.came(at)
        day = self._date(at)
        told = min(sum(sitting.seconds) // 60, lesson.minutes) * 60
        result = Fraction(100 - 100 * sum(sitting.missed) // len(sitting.missed))
        stood = self.game.standings.get(lesson.id)
        if stood is not None and stood.last_date == day.date:
            return  # told twice a day: only a better score would be news
        self._add_seconds(day, told)
        self._finish(Moment(day, at, attempt_id), lesson, told, result, None)

    # --- a step ---

    def _count_time(self, day: Today, lesson: Lesson, spent: int, seconds: int) -> int:
        added = max(0, min(seconds, GAP_SECONDS, lesson.minutes * 60 - spent))
        self._add_seconds(day, added)
        return added

    def _add_seconds(self, day: Today, seconds: int) -> None:
        day.seconds += seconds
        self.game.seconds += seconds

    def _do(
        self, day: Today, attempt_id: int, step: Step, at: datetime, seconds: int, *, missed: bool
    ) -> bool:
        """Read the step, or answer it; whether its first answer was right. Goals are looked at after each event."""
        done = self.sheets.lines["attempt_steps"]
        when = at.isoformat()
        if not step.asks:
            done.append(f"{attempt_id}\t{step.pin}\t0\t\\N\tf\t{when}")
            self.game.studied(Moment(day, at, attempt_id))
            return False
        answers = self.sheets.lines["answers"]
        whose, tail = f"{attempt_id}\t{self.id}", f"{day.text}\t{when}"
        if missed:
            done.append(f"{attempt_id}\t{step.pin}\t2\tf\tt\t{when}")
            answers.append(f"{whose}\t{step.wrong}\t{seconds}\t{tail}")
            answers.append(f"{whose}\t{step.second}\t0\t{tail}")
        else:
            done.append(f"{attempt_id}\t{step.pin}\t1\tt\tt\t{when}")
            answers.append(f"{whose}\t{step.right}\t{seconds}\t{tail}")
        self._answered(day, attempt_id, step, at, missed=missed)
        return not missed

    def _answered(self, day: Today, attempt_id: int, step: Step, at: datetime, *, missed: bool) -> None:
        if missed:
            day.answers += 1
            self.game.studied(Moment(day, at, attempt_id))
        day.answers += 1
        day.correct += 1
        if not missed and step.id not in self.met:
            day.first_try += 1
            self.game.first_tries += 1
        self.game.studied(Moment(day, at, attempt_id))

    # --- a lesson, a day ---

    def _finish(
        self, moment: Moment, lesson: Lesson, seconds: int, result: Fraction, begun: datetime | None
    ) -> None:
        """Keep the attempt and the standing, then let the game reckon. `begun` is None for a reported one."""
        day, at, attempt_id = moment.day, moment.at, moment.attempt_id
        reported, stored = begun is None, stored_score(result)
        seed = 0 if reported else self.dice.getrandbits(63)
        times = (begun or at, at, seconds, at, day.date)
        self.sheets.put("attempts", attempt_id, self.id, lesson.id, seed, *times, stored, reported)
        best = self._stands(day, lesson, at, stored)
        day.lessons += 1
        if day.lessons == 1:
            self._first_of_day(day)
        if best is None:
            day.new_scores.append(Fraction(stored))
        fact = (lesson.id, lesson.course_id, lesson.title, lesson.difficulty, seconds, result, best, reported)
        self.game.finished(moment, Finished(*fact))
        if (
            best is None
            and self.game.finished_of_course[lesson.course_id] == self.library.of_course[lesson.course_id]
        ):
            self.sheets.put("course_completions", self.id, lesson.course_id, at, day.date)

    def _stands(self, day: Today, lesson: Lesson, at: datetime, stored: Decimal) -> Decimal | None:
        """Keep how the learner stands with the lesson now; the best score before, None at the first time."""
        game = self.game
        stood = game.standings.get(lesson.id)
        if stood is None:
            game.standings[lesson.id] = Standing(stored, 1, at, day.date, at, day.date)
            finished = game.finished_of_course.get(lesson.course_id, 0) + 1
            game.finished_of_course[lesson.course_id] = finished
            game.courses += finished == self.library.of_course[lesson.course_id]
            day.distinct_lessons += 1
            return None
        best = stood.best
        day.distinct_lessons += stood.last_date != day.date
        stood.best, stood.completions = max(best, stored), stood.completions + 1
        stood.last_at, stood.last_date = at, day.date
        game.again += 1
        return best

    def _first_of_day(self, day: Today) -> None:
        active = self.game.active
        if active:
            self.game.gaps.append((day.date - active[-1]).days)
            saturday = day.date - rules.ONE_DAY
            self.game.weekends += day.date.isoweekday() == 7 and active[-1] == saturday
        active.append(day.date)

    def _date(self, at: datetime) -> Today:
        """The local day at this moment, with the goals that its first write sets."""
        last = self.day.date if self.day else None
        today = stamped_date(at, self.who.zone, DAY_START, last, self.owed)
        if self.day is not None and today == last:
            return self.day
        self._end_day()
        self.owed = owed_until(today, self.who.zone, DAY_START)
        standings, numbers = self.game.standings, self.game.numbers
        enough = max(rules.wanted_lessons(each, numbers) for each in numbers.goal_targets)
        unfinished = min(enough, len(self.library.lessons) - len(standings))
        weak = min(enough, sum(each.best < numbers.weak_below for each in standings.values()))
        goals = rules.goals_for(self.id, today, self.who.intensity, unfinished, numbers, weak=weak)
        self.day = Today(today, today.isoformat(), goals)
        return self.day

    def _end_day(self) -> None:
        day = self.day
        if day is None:
            return
        self.sheets.put("activity_days", self.id, day.date, *day.record())
        for goal in day.goals:
            whose = (self.id, day.date, goal.slot, goal.kind, goal.target, goal.coins)
            self.sheets.put("daily_goals", *whose, day.reached.get(goal.slot))

    # --- the person ---

    def close(self, password_hash: str) -> None:
        """Write the person, their last day, their standings and their player."""
        self._end_day()
        who = self.who
        chosen = Preferences(goal_intensity=who.intensity).stored()
        last = self.day.date if self.day else None
        account = (self.id, who.email, who.email.casefold(), who.name, password_hash, who.zone, chosen)
        self.sheets.put("users", *account, last, self.owed, self.studied_until, self.created, self.created)
        self.sheets.put("zone_facts", self.id, self.created, who.zone, DAY_START)
        for lesson_id, each in self.game.standings.items():
            first, latest = (each.first_at, each.first_date), (each.last_at, each.last_date)
            self.sheets.put(
                "lesson_progress", self.id, lesson_id, each.best, each.completions, *first, *latest
            )
        self.game.close()
