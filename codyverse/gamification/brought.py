"""What an attempt has brought, told by the fact that finished it: nothing is read for it that was not read or written anyway."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from codyverse.core.together import Together
from codyverse.gamification import rules
from codyverse.gamification.explain import reason
from codyverse.gamification.numbers import numbers
from codyverse.gamification.queries import Rewards
from codyverse.gamification.statements import BROUGHT


class Line(NamedTuple):
    """An entry of the ledger with its reason in a plain sentence."""

    currency: str
    amount: int
    rule: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Brought:
    """All that one attempt brought, in the order in which it was written. `level`: the highest that was reached in it."""

    xp: int
    coins: int
    gems: int
    entries: tuple[Line, ...]
    level: int | None


def brought_by(fact: Together, user_id: int) -> Brought:
    """What the attempt brought that was finished in this fact, which is written by now; its first answers included."""
    before = sorted(fact.known.get((BROUGHT, user_id)) or (), key=itemgetter(0))
    entries: list[tuple[Any, ...]] = [
        *(tuple(stored[1:]) for stored in before),
        *fact.noted.get((BROUGHT, user_id), ()),
    ]
    sums = dict.fromkeys(("xp", "coins", "gems"), 0)
    for currency, amount, *_ in entries:
        sums[currency] += amount
    lines = tuple(
        Line(currency, amount, rule, source, reason(rule, source, details))
        for currency, amount, rule, source, details in entries
    )
    return Brought(**sums, entries=lines, level=_level(entry[3] for entry in entries if entry[2] == "level"))


def brought_as(rewards: Rewards) -> Brought:
    """The same, as it was read."""
    lines = tuple(
        Line(each.currency, each.amount, each.rule, each.source, each.reason) for each in rewards.entries
    )
    level = rewards.level_up.number if rewards.level_up else None
    return Brought(rewards.xp, rewards.coins, rewards.gems, lines, level)


def _level(sources: Iterable[str]) -> int | None:
    highest = max((int(source.partition(":")[2]) for source in sources), default=None)
    return None if highest is None or highest > len(rules.levels(numbers())) else highest
