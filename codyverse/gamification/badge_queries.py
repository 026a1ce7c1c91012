"""Reads about badges: the whole board with how far it is to each, what was earned, what one lesson brought."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text

from codyverse.core.asking import ask
from codyverse.gamification.badge_catalogue import CATEGORIES, Badge, badges
from codyverse.gamification.badge_facts import fact_of, read_counts
from codyverse.gamification.badges import countable, player_state, so_far, still_open
from codyverse.gamification.ledger_reads import EntryLine

_EARNED = text("""
    select badge, local_date from earned_badges where user_id = :user_id order by earned_at desc, badge
""")


@dataclass(frozen=True, slots=True)
class BadgeView:
    """A badge as it is shown. `earned_on` is the learner's date, None before; `progress` in words: “7 of 10 lessons”."""

    key: str
    name: str
    says: str
    category: str
    rarity: str
    sign: str
    xp: int
    coins: int
    earned_on: date | None
    so_far: int
    at_least: int
    progress: str


@dataclass(frozen=True, slots=True)
class BadgeGroup:
    """The badges of one category, in the catalogue's order."""

    category: str
    badges: tuple[BadgeView, ...]


@dataclass(frozen=True, slots=True)
class BadgeBoard:
    """Every badge there is, by category; how many of them are earned; and those that are nearest, at most three.

    Levels lie further apart the higher they are, so they are never called near.
    """

    groups: tuple[BadgeGroup, ...]
    earned: int
    nearest: tuple[BadgeView, ...]

    @property
    def total(self) -> int:
        """How many badges there are."""
        return sum(len(group.badges) for group in self.groups)


def badge_board(user_id: int, hidden: Container[str] = frozenset()) -> BadgeBoard:
    """The learner's own board. Three statements, writes nothing: what is due but not granted waits for the next lesson.

    To a badge for something done once there is no way to be shown: it is not counted, it is earned or stands at 0.
    Badges for a mechanic in `hidden` are left out, here and in the other reads.
    """
    player = player_state(user_id)
    counted = read_counts(user_id, countable(each for each in still_open(player) if each.at_least > 1))
    dates = dict(_earned(user_id))
    views = [_view(badge, so_far(badge, player, counted), dates.get(badge.key)) for badge in _shown(hidden)]
    groups = (BadgeGroup(name, tuple(view for view in views if view.category == name)) for name in CATEGORIES)
    steps = {badge.key for badge in badges() if badge.count.fact == "level"}
    begun = [view for view in views if 0 < view.so_far < view.at_least and view.key not in steps]
    begun.sort(key=lambda view: view.so_far / view.at_least, reverse=True)
    return BadgeBoard(
        tuple(group for group in groups if group.badges),
        sum(view.earned_on is not None for view in views),
        tuple(begun[:3]),
    )


def earned_badges(user_id: int, hidden: Container[str] = frozenset()) -> tuple[BadgeView, ...]:
    """What somebody has earned, the newest first; badges that the catalogue no longer names are left out."""
    return views_of(_earned(user_id), hidden)


def views_of(
    earned: Iterable[tuple[str, date]], hidden: Container[str] = frozenset()
) -> tuple[BadgeView, ...]:
    """The badges with these keys, earned on these dates; those that the catalogue no longer names are left out."""
    known = {badge.key: badge for badge in _shown(hidden)}
    return tuple(_view(known[key], known[key].at_least, day) for key, day in earned if key in known)


def badges_in(entries: Iterable[EntryLine], hidden: Container[str] = frozenset()) -> tuple[BadgeView, ...]:
    """The badges that these entries of the ledger have paid, in the catalogue's order."""
    paid = {line.source: line.local_date for line in entries if line.rule == "badge"}
    found = ((badge, paid.get(f"badge:{badge.key}")) for badge in _shown(hidden))
    return tuple(_view(badge, badge.at_least, day) for badge, day in found if day is not None)


def _shown(hidden: Container[str]) -> list[Badge]:
    return [badge for badge in badges() if badge.mechanic not in hidden]


def _earned(user_id: int) -> list[tuple[str, date]]:
    rows = ask(_EARNED, {"user_id": user_id})
    return [(row.badge, row.local_date) for row in rows]


def _view(badge: Badge, far: int, earned_on: date | None) -> BadgeView:
    far = badge.at_least if earned_on is not None else min(far, badge.at_least)
    fact = fact_of(badge.count)
    words = fact.one if badge.at_least == 1 else fact.many
    return BadgeView(
        badge.key,
        badge.name,
        badge.says,
        badge.category,
        badge.rarity,
        badge.sign,
        badge.xp,
        badge.coins,
        earned_on,
        far,
        badge.at_least,
        f"{far} of {badge.at_least} {words}",
    )
