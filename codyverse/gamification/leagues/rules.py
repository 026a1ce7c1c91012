"""The rules of the leagues (DESIGN §2). Pure functions; the numbers stand here."""

import random
from collections.abc import Container, Sequence
from datetime import UTC, date, datetime, time, timedelta

COHORT_SIZE = 30
DAILY_XP_CAP = 200
LESSONS_PER_MEMBER = 3
QUEST_COINS = 20
WEEK = timedelta(days=7)
_LAST_PLACE_ON_EARTH = timedelta(hours=12)
_LATEST_DAY_START = timedelta(hours=23)
_HELD_BACK = timedelta(days=1)
"""A date that was worked on goes on until it has had its hours, also after a journey: less than a day longer."""

_HOW = [
    "Amber",
    "Ancient",
    "Bold",
    "Brave",
    "Bright",
    "Calm",
    "Clever",
    "Cosmic",
    "Crystal",
    "Curious",
    "Daring",
    "Distant",
    "Eager",
    "Fabled",
    "Gentle",
    "Gilded",
    "Golden",
    "Hidden",
    "Humble",
    "Ivory",
    "Jolly",
    "Keen",
    "Kindly",
    "Lively",
    "Lucky",
    "Merry",
    "Mighty",
    "Misty",
    "Nimble",
    "Noble",
    "Patient",
    "Polar",
    "Quiet",
    "Rapid",
    "Silent",
    "Silver",
    "Sunny",
    "Swift",
    "Velvet",
    "Wandering",
]
_WHAT = [
    "Asteroid",
    "Aurora",
    "Beacon",
    "Comet",
    "Compass",
    "Cosmos",
    "Crater",
    "Dawn",
    "Eclipse",
    "Ember",
    "Falcon",
    "Galaxy",
    "Glider",
    "Halo",
    "Harbour",
    "Horizon",
    "Lantern",
    "Lynx",
    "Meteor",
    "Moon",
    "Nebula",
    "Nova",
    "Orbit",
    "Otter",
    "Owl",
    "Pilot",
    "Planet",
    "Pulsar",
    "Quasar",
    "Raven",
    "Rocket",
    "Rover",
    "Satellite",
    "Sparrow",
    "Star",
    "Sundial",
    "Tide",
    "Voyager",
    "Whale",
    "Zephyr",
]


def week_of(day: date) -> date:
    """The Monday of the learner's week that this local date belongs to."""
    return day - timedelta(days=day.weekday())


def over_everywhere(week: date) -> datetime:
    """The moment from which nobody's local date can lie in this week any more.

    The last place on earth is twelve hours behind UTC, and the latest start of a day is 23:00: Tuesday 11:00 UTC. A
    date that somebody took along on a journey may go on for less than a day after that: Wednesday 11:00 UTC. So everybody has their own seven days, wherever they live, and nothing counts after the result is known.
    """
    monday = datetime.combine(week + WEEK, time(), UTC)
    return monday + _LAST_PLACE_ON_EARTH + _LATEST_DAY_START + _HELD_BACK


def ranks(xp: Sequence[int]) -> list[int]:
    """The rank of each, from 1; who has as much shares the rank, and the next one is left out."""
    ordered = sorted(xp, reverse=True)
    return [ordered.index(each) + 1 for each in xp]


def quest_target(members: int) -> int:
    """How many lessons the members do together: three for each."""
    return LESSONS_PER_MEMBER * members


def quest_reached(done: Sequence[int]) -> bool:
    """Whether these lessons are enough, given for each who joined: who leaves stays in both sums."""
    return bool(done) and sum(done) >= quest_target(len(done))


def pseudonym(taken: Container[str], dice: random.Random) -> str:
    """Two words that nobody in the cohort has yet; they say nothing about the person."""
    while True:
        name = f"{dice.choice(_HOW)} {dice.choice(_WHAT)}"
        if name not in taken:
            return name
