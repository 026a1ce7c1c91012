"""What the game brought somebody: facts for notifications, in the same transaction."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class RewardPaid:
    """An entry was written into the ledger."""

    user_id: int
    attempt_id: int | None
    currency: str
    amount: int
    rule: str
    source: str
    at: datetime
    local_date: date


@dataclass(frozen=True, slots=True)
class GoalReached:
    """One of the day's goals was reached; `all_reached` if it was the last of the three."""

    user_id: int
    slot: int
    kind: str
    target: int
    coins: int
    all_reached: bool
    at: datetime
    local_date: date


@dataclass(frozen=True, slots=True)
class LevelReached:
    """A new level; several passed at once are several facts, lowest first."""

    user_id: int
    level: int
    name: str
    gems: int
    at: datetime
    local_date: date


@dataclass(frozen=True, slots=True)
class BadgeEarned:
    """A badge was earned, once for all time. `badge` is its key in the catalogue, `name` as it is shown."""

    user_id: int
    badge: str
    name: str
    rarity: str
    xp: int
    coins: int
    at: datetime
    local_date: date


@dataclass(frozen=True, slots=True)
class ItemBought:
    """Something was bought in the shop: its key, and its kind (freeze, outfit, world)."""

    user_id: int
    item: str
    kind: str
    at: datetime
    local_date: date
