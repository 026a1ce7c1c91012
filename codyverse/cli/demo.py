"""flask demo: learners with weeks of believable history, made through the same services that real learners use."""

import random
import sys
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import click
from flask import current_app
from flask.cli import AppGroup

from codyverse.accounts import services as accounts
from codyverse.cli.faults import speaks_plainly
from codyverse.core.clock import now, standing_at
from codyverse.core.database import unit_of_work
from codyverse.courses import queries as courses
from codyverse.notifications import services as notifications
from codyverse.progress.rehearsal import Style, play

demo = AppGroup("demo", help="Demo learners, so that every page has something to show.")
PASSWORD = "demo-under-the-night-sky"  # noqa: S105 - printed for everybody; demo learners exist in development only
WEEKS = 6
NAMES = ("Ada", "Ben", "Chidi", "Dana", "Emre", "Fatou", "Grace", "Hiro", "Ines", "Jonas", "Kavya", "Liam")
SECOND = ("Moon", "Vale", "Reed", "Frost", "Ash", "Lake", "Hill", "Rook", "Wren", "Birch", "Stone", "Fern")
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Africa/Lagos",
    "Asia/Kolkata",
    "America/Sao_Paulo",
)


@dataclass(frozen=True, slots=True)
class Learner:
    """How a demo learner studies: chance to be right at once, to study on a day, lessons at a sitting, hour of the day."""

    number: int
    name: str
    email: str
    zone: str
    skill: float
    diligence: float
    pace: int
    hour: int


def _learner(number: int, rng: random.Random) -> Learner:
    name = f"{NAMES[number % len(NAMES)]} {SECOND[(number * 7 + number // len(NAMES)) % len(SECOND)]}"
    return Learner(
        number=number,
        name=name,
        email=f"demo{number + 1}@example.org",
        zone=ZONES[number % len(ZONES)],
        skill=rng.uniform(0.55, 0.95),
        diligence=0.45 if number == 0 else rng.uniform(0.2, 0.8),
        pace=1 if number == 0 else rng.choice((1, 1, 2)),
        hour=rng.randint(8, 20),
    )


@demo.command("seed")
@click.option("--learners", type=click.IntRange(1, 500), default=12, show_default=True)
@click.option("--weeks", type=click.IntRange(1, 26), default=WEEKS, show_default=True)
@speaks_plainly
def seed(learners: int, weeks: int) -> None:
    """Add demo learners with weeks of history. Those that are there already are left as they are.

    Example: flask demo seed --learners 20
    """
    if current_app.config["CODYVERSE_ENV"] in {"staging", "production"}:
        raise click.ClickException(
            "Demo learners share a password that everybody knows; they are for development only."
        )
    path = _lessons()
    if not path:
        raise click.ClickException("There are no courses yet: run `flask content apply` first.")
    made = 0
    with click.progressbar(range(learners), label="Demo learners", file=sys.stderr) as numbers:
        for number in numbers:
            made += _study_for_weeks(number, path, weeks)
    if made:
        who = "1 demo learner" if made == 1 else f"{made} demo learners"
        click.echo(f"Added {who} with up to {weeks} weeks of history.")
    else:
        click.echo("The demo learners are there already; nothing was changed.")
    click.echo(f"Sign in as demo1@example.org with the password {PASSWORD}")


def _lessons() -> list[int]:
    """All lessons in the order of the catalogue."""
    outlines = [courses.course_outline(card.slug) for card in courses.catalogue()]
    return [lesson.id for outline in outlines for module in outline.modules for lesson in module.lessons]


def _study_for_weeks(number: int, path: list[int], weeks: int) -> int:
    """One learner's whole history; 0 if the learner exists already."""
    rng = random.Random(f"codyverse-demo-{number}")  # noqa: S311 - the same histories everywhere are wanted
    who = _learner(number, rng)
    today = now().astimezone(ZoneInfo(who.zone)).date()
    begin = today - timedelta(days=7 * weeks if number == 0 else rng.randint(7, 7 * weeks))
    with standing_at(_moment(who, begin, rng) - timedelta(hours=1)), unit_of_work():
        user_id = accounts.create_account(who.email, PASSWORD, who.name, time_zone=who.zone)
        if user_id is not None and number == 0:
            accounts.change_goal_intensity(
                user_id, "casual"
            )  # so that this diligent one's days show goals reached
    if user_id is None:
        return 0
    ahead = list(path)
    behind: list[int] = []
    for offset in range((today - begin).days + 1):
        recent = number == 0 and offset > (today - begin).days - 9
        if not recent and rng.random() > who.diligence:
            continue
        at = _moment(who, begin + timedelta(days=offset), rng)
        if at >= now():
            break
        with unit_of_work():
            notifications.mark_all_read(user_id)  # whoever comes has read what happened the last time
        for _ in range(who.pace if rng.random() < 0.8 else who.pace + 1):
            lesson_id = _next(ahead, behind, rng)
            with unit_of_work():
                at = play(user_id, lesson_id, at, until=now(), style=Style(who.skill), dice=rng)
            if at >= now():
                return 1
            at += timedelta(seconds=rng.randint(20, 200))
    return 1


def _next(ahead: list[int], behind: list[int], rng: random.Random) -> int:
    """Mostly the next lesson, now and then one again."""
    if ahead and not (behind and rng.random() < 0.12):
        behind.append(ahead.pop(0))
        return behind[-1]
    return rng.choice(behind)


def _moment(who: Learner, day: date, rng: random.Random) -> datetime:
    return datetime.combine(day, time(who.hour, rng.randint(0, 59), rng.randint(0, 59)), ZoneInfo(who.zone))
