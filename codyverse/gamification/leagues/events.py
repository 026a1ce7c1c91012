"""What a league brought somebody: a fact for notifications, in the same transaction."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class LeagueClosed:
    """A learner's league of the week that began on `week` has its result. `coins` is their share of the quest."""

    user_id: int
    week: date
    rank: int
    members: int
    xp: int
    quest_reached: bool
    coins: int
    at: datetime
    local_date: date
