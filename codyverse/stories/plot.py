"""Who the learners of the demo are, and how each of them studies: the same people everywhere, by seed and number."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

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
AGAIN = 0.12
GIVES_UP = 0.6
LATELY = 9


@dataclass(frozen=True, slots=True)
class Person:
    """How a learner studies: chance to be right at once and to study on a day, lessons at a sitting, the hour.

    From `begin` to `end`; not everybody stays.
    """

    number: int
    name: str
    email: str
    zone: str
    skill: float
    diligence: float
    pace: int
    hour: int
    intensity: str
    begin: date
    end: date


@dataclass(frozen=True, slots=True)
class Day:
    """A day on which somebody studies: when they come, and how many lessons they do."""

    at: datetime
    lessons: int


@dataclass(frozen=True, slots=True)
class Sitting:
    """A lesson done: by its place in the catalogue, from when on, seconds for each step, which are missed at first."""

    lesson: int
    at: datetime
    seconds: tuple[int, ...]
    missed: tuple[bool, ...]


def address(number: int) -> str:
    """The address of the learner of this number, from 0."""
    return f"demo{number + 1}@example.org"


def person(number: int, seed: str, weeks: int, today: date) -> Person:
    """The learner of this number. The first one is diligent, has come for the whole time, and lately on every day."""
    dice = random.Random(f"codyverse-demo-{seed}-{number}")  # noqa: S311 - the same histories everywhere are wanted
    first = number == 0
    skill, diligence, pace = dice.uniform(0.55, 0.95), dice.uniform(0.2, 0.8), dice.choice((1, 1, 2))
    hour, span = dice.randint(8, 20), dice.randint(7, 7 * weeks)
    gives_up = dice.random() < GIVES_UP
    stays = dice.randint(0, span // 3) if gives_up else span
    begin = today - timedelta(days=7 * weeks if first else span)
    return Person(
        number=number,
        name=f"{NAMES[number % len(NAMES)]} {SECOND[(number * 7 + number // len(NAMES)) % len(SECOND)]}",
        email=address(number),
        zone=ZONES[number % len(ZONES)],
        skill=skill,
        diligence=0.45 if first else diligence,
        pace=1 if first else pace,
        hour=hour,
        intensity="casual" if first else dice.choice(("casual", "regular", "regular", "serious")),
        begin=begin,
        end=today if first else begin + timedelta(days=stays),
    )


def days(who: Person, seed: str, until: datetime) -> tuple[Day, ...]:
    """The days on which this learner comes, before `until`."""
    dice = random.Random(f"codyverse-days-{seed}-{who.number}")  # noqa: S311
    found = []
    for offset in range((who.end - who.begin).days + 1):
        day = who.begin + timedelta(days=offset)
        lately = who.number == 0 and offset > (who.end - who.begin).days - LATELY
        if not lately and dice.random() > who.diligence:
            continue
        at = moment(who, day, dice)
        if at >= until:
            break
        found.append(Day(at, who.pace if dice.random() < 0.8 else who.pace + 1))
    return tuple(found)


def joined(who: Person) -> datetime:
    """When this learner made the account: before the first lesson can begin."""
    return _at(who.zone, who.begin, who.hour, 0, 0) - timedelta(hours=1)


def sittings(who: Person, seed: str, plan: Sequence[Day], steps: Sequence[int]) -> Iterator[Sitting]:
    """The lessons of these days, one after another: mostly the next one, now and then one again.

    `steps` says how many each lesson has, in the order of the catalogue.
    """
    dice = random.Random(f"codyverse-lessons-{seed}-{who.number}")  # noqa: S311
    ahead = 0
    for day in plan:
        at = day.at
        for _ in range(day.lessons):
            again = ahead > 0 and (ahead == len(steps) or dice.random() < AGAIN)
            lesson = dice.randrange(ahead) if again else ahead
            ahead += not again
            seconds = tuple(15 + int(dice.random() * 66) for _ in range(steps[lesson]))
            missed = tuple(dice.random() > who.skill for _ in range(steps[lesson]))
            yield Sitting(lesson, at, seconds, missed)
            at += timedelta(seconds=sum(seconds) + 5 + dice.randint(20, 200))


def moment(who: Person, day: date, dice: random.Random) -> datetime:
    """Some moment in this learner's usual hour of a day."""
    return _at(who.zone, day, who.hour, dice.randint(0, 59), dice.randint(0, 59))


def _at(zone: str, day: date, hour: int, minute: int, second: int) -> datetime:
    return datetime.combine(day, time(hour, minute, second), _zone(zone)).astimezone(UTC)


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
